use std::sync::Arc;

use super::rival::{Begun, Rival, is_set};
use super::watch::{Signs, Watch};
use crate::config::{AdaptConfig, DriftResponse, LearnerKind, ModelConfig};
use crate::learn::counter::Counter;
use crate::learn::encode::read_under;
use crate::learn::{Columns, Context, Examples, Learner, Predictions, Predictor, Shape, build_encoded};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, at_least, sized};

/// Stream of random numbers of the seeds of learners begun after the first.
const SEEDS: u64 = 0x6164_6170_7400;

/// Any learner with a detector on its own error, and what follows when that rises.
///
/// **Background** (Gomes et al., "Adaptive random forests for evolving data stream classification", 2017, do this for each
/// tree): at the first sign a second learner begins to learn beside the one in charge; at the alarm it takes over, as soon
/// as its errors on the same examples are clearly lower. **Reset**: at the alarm an untrained learner takes over (Gama et
/// al., "Learning with drift detection", 2004). **Raise the rate**: at the alarm steps are larger, and shrink again.
///
/// Encoders are part of the learner: a second one has its own. A row's context is that of the learner in charge when
/// it comes, and every learner that learns the row sees the same.
pub struct Adapting {
    config: ModelConfig,
    shape: Shape,
    columns: Columns,
    /// Examples that are learned together: what a learner takes in one step.
    rows_at_once: usize,
    watch: Watch,
    main: Begun,
    rival: Option<Rival>,
    /// Learners begun so far.
    begun: u64,
    /// By how many times its level the rate is above it.
    raised: f64,
    /// What `raised` keeps from example to example.
    keep: f64,
    /// What the second learner said.
    aside: Predictions,
}

impl Adapting {
    /// A learner that has seen nothing.
    pub fn new(config: &ModelConfig, shape: &Shape, columns: &Columns) -> Self {
        let batches = config.learner == LearnerKind::Mlp;
        Self {
            rows_at_once: if batches { config.mlp.step_rows_max.max(1) } else { 1 },
            watch: Watch::new(&config.adapt, shape.objective),
            main: Begun { number: 0, learner: build_encoded(config, shape, columns) },
            rival: None,
            begun: 1,
            raised: 0.0,
            keep: libm::exp2(-1.0 / config.adapt.rate_half_life.max(1) as f64),
            aside: Predictions::default(),
            config: config.clone(),
            shape: shape.clone(),
            columns: columns.clone(),
        }
    }

    /// The untrained learner of a number; the first is the one that there would be without all this.
    fn make(&self, number: u64) -> Box<dyn Learner> {
        let seed = match number {
            0 => self.config.seed,
            _ => Counter::new(self.config.seed, SEEDS).bits(number) >> 11,
        };
        build_encoded(&ModelConfig { seed, ..self.config.clone() }, &self.shape, &self.columns)
    }

    fn begin(&mut self) -> Begun {
        self.begun += 1;
        Begun { number: self.begun - 1, learner: self.make(self.begun - 1) }
    }

    fn adapt(&self) -> &AdaptConfig {
        &self.config.adapt
    }

    /// Predicts and learns as many examples as are learned together, `[start, start + rows of chunk)` of `examples`.
    fn learn_chunk(&mut self, chunk: &mut Chunk<'_>, context: &Context, out: &mut Predictions) {
        let objective = self.shape.objective;
        let is_learned = |target: &f32, weight: &f32| objective.importance(*target, *weight).is_some();
        let any = chunk.targets.iter().zip(chunk.weights).any(|(target, weight)| is_learned(target, weight));
        if any && chunk.rows.numeric_width() == self.shape.numeric {
            // All learners that see a row see it with one context; where it has none, it comes now.
            self.observe(&mut chunk.rows);
        }
        let examples = Examples { rows: &chunk.rows, targets: chunk.targets, weights: chunk.weights };
        self.main.learner.learn(examples, context, out);
        if !any {
            return;
        }
        if let Some(rival) = &mut self.rival {
            rival.begun.learner.learn(examples, context, &mut self.aside);
        }
        // A learner that takes over within the chunk has said nothing about it.
        let met = self.rival.as_ref().map(|rival| rival.begun.number);
        for (row, (target, weight)) in chunk.targets.iter().zip(chunk.weights).enumerate() {
            if !is_learned(target, weight) {
                continue;
            }
            let error = self.watch.error(out.row(row), *target);
            if let Some(rival) = &mut self.rival
                && met == Some(rival.begun.number)
            {
                rival.lead.update(error - self.watch.error(self.aside.row(row), *target));
            }
            let signs = self.watch.update(error, *target);
            self.respond(signs);
        }
    }

    fn respond(&mut self, signs: Signs) {
        match self.adapt().response {
            DriftResponse::None => {}
            DriftResponse::Background => self.compare(signs),
            DriftResponse::Reset if signs.alarm => {
                self.main = self.begin();
                self.watch.begin(&self.config.adapt);
            }
            DriftResponse::Reset => {}
            DriftResponse::RaiseRate => {
                /// Of the level: less is none.
                const LEAST: f64 = 1e-3;
                let before = self.raised;
                self.raised *= self.keep;
                if self.raised < LEAST {
                    self.raised = 0.0;
                }
                if signs.alarm {
                    self.raised = self.adapt().rate_times - 1.0;
                }
                if self.raised != before {
                    self.main.learner.set_pace(1.0 + self.raised);
                }
            }
        }
    }

    fn compare(&mut self, signs: Signs) {
        let called = self.rival.as_ref().is_some_and(|rival| rival.called);
        if signs.warning {
            self.watch.calm(&self.config.adapt);
        }
        // What a second learner knows from before a new sign is of what is over, unless it has been called.
        if (signs.warning && !called) || (signs.alarm && self.rival.is_none()) {
            self.rival = Some(Rival::new(self.begin()));
        }
        let examples_max = self.adapt().background_rows_max;
        let Some(rival) = &mut self.rival else { return };
        rival.called |= signs.alarm;
        if rival.called && rival.lead.is_clear() {
            if let Some(rival) = self.rival.take() {
                self.main = rival.begun;
                self.watch.begin(&self.config.adapt);
            }
        } else if rival.lead.examples >= examples_max {
            self.rival = None;
        }
    }
}

/// Some examples, whose rows are wider once they have been observed.
struct Chunk<'a> {
    rows: Rows,
    targets: &'a [f32],
    weights: &'a [f32],
}

impl Learner for Adapting {
    fn context_width(&self) -> usize {
        self.main.learner.context_width()
    }

    fn observe(&mut self, rows: &mut Rows) {
        if self.context_width() == 0 {
            return;
        }
        if let Some(rival) = &mut self.rival {
            // It notes what comes; the rows keep what the learner in charge says.
            rival.begun.learner.observe(&mut rows.clone());
        }
        self.main.learner.observe(rows);
    }

    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.main.learner.predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
        let (mut said, outputs) = (Predictions::default(), out.outputs);
        let empty = || Rows::with_capacity(rows.numeric_width(), rows.categorical_width(), self.rows_at_once);
        let mut chunk = Chunk { rows: empty(), targets, weights };
        let at_once = self.rows_at_once;
        for start in (0..rows.len()).step_by(at_once) {
            let end = rows.len().min(start + at_once);
            if chunk.rows.numeric_width() != rows.numeric_width() {
                chunk.rows = Rows::with_capacity(rows.numeric_width(), rows.categorical_width(), at_once);
            }
            chunk.rows.clear();
            (start..end).for_each(|row| chunk.rows.push_from(rows, row));
            (chunk.targets, chunk.weights) = (&targets[start..end], &weights[start..end]);
            self.learn_chunk(&mut chunk, context, &mut said);
            out.values[start * outputs..end * outputs].copy_from_slice(&said.values);
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        self.main.learner.publish()
    }

    /// `learner/`, `watch/`, `begun` (the number of the learner in charge, and of all), `raised`, `grows`, and where a
    /// second learner grows `background/`.
    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("learner", self.main.learner.save());
        map.nest("watch", self.watch.save());
        map.put_u64("begun", &[self.main.number, self.begun]);
        map.put_f64_one("raised", self.raised);
        map.put_bytes("grows", vec![u8::from(self.rival.is_some())]);
        if let Some(rival) = &self.rival {
            map.nest("background", rival.save());
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let begun = sized(state.u64s("begun")?, 2, "begun")?;
        let raised = at_least(sized(state.f64s("raised")?, 1, "raised")?, 0.0, "raised")?[0];
        let watch =
            read_under(state, "watch", |state| Watch::load(&self.config.adapt, self.shape.objective, state))?;
        let rival = match is_set(state, "grows")? {
            false => None,
            true => Some(read_under(state, "background", |state| Rival::load(state, |n| self.make(n)))?),
        };
        let mut learner = self.make(begun[0]);
        read_under(state, "learner", |state| learner.load(state))?;
        learner.set_pace(1.0 + raised);
        self.main = Begun { number: begun[0], learner };
        (self.begun, self.raised, self.watch, self.rival) = (begun[1], raised, watch, rival);
        Ok(())
    }
}
