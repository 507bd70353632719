use std::sync::Arc;

use super::adaptive::{Adaptive, Pull};
use super::features::Features;
use super::forward::{Forward, Live, score};
use super::leaves::Leaves;
use super::predictor::FtrlPredictor;
use super::proximal::Proximal;
use super::scaling::NumericScaling;
use super::table::{LANES, LEAF, Table};
use super::{passive, saved};
use crate::config::{FtrlConfig, SparseStep};
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::linear::step;
use crate::learn::{Columns, Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch};

/// Below, FTRL's beta counts as this.
const BETA_MIN: f32 = 1e-6;

/// Features whose slots are computed and fetched ahead of the rows that are learned: enough to keep memory busy, few
/// enough to stay in the first cache.
const AHEAD: usize = 192;

/// Logistic regression for two classes, softmax regression for more, least squares for a value (its target
/// standardised), over hashed features; one step an example.
///
/// **Order.** As of the linear models: an example is scored and learned with the statistics from before it. Its recorded
/// prediction is bit for bit what `predict` said just before.
///
/// **Weights that do not come in** are not looked at: a step costs in proportion to the features of its row. Two features
/// of one row that share a slot both move it.
///
/// An example whose weight is not above zero is predicted, not learned, as is one whose target is no class or not
/// finite.
#[derive(Debug, Clone)]
pub struct FtrlLearner {
    config: FtrlConfig,
    shape: Shape,
    features: Features,
    scaling: NumericScaling,
    /// Of the target, for a regression.
    target: Option<Standardiser>,
    table: Table,
    rule: Rule,
    published: Leaves,
    scratch: Scratch,
}

/// What moves the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Proximal(Proximal),
    Adaptive(Adaptive),
    /// With the aggressiveness.
    Passive(f32),
}

/// The rows in work; carries nothing from one to the next.
#[derive(Debug, Clone, Default)]
struct Scratch {
    /// Slots of some rows and of those after them, `[rows, len]`.
    slots: [Vec<u32>; 2],
    /// The values of a row, and what was gathered for it: `[stride]`, zeros behind the features.
    row: Vec<f32>,
    values: Vec<f32>,
    squares: Vec<f32>,
    weights: Vec<f32>,
    /// Where there are many: `[lines * LANES]`.
    scores: Vec<f32>,
    pull: Vec<f32>,
}

impl Rule {
    fn new(config: &FtrlConfig) -> Self {
        let &FtrlConfig { step, rate, beta, l1, l2, .. } = config;
        match step {
            SparseStep::Ftrl => {
                // A gradient whose square underflows would otherwise be divided by 0.
                let beta = beta.max(BETA_MIN);
                Self::Proximal(Proximal { slowness: 1.0 / rate, beta, l1, l2 })
            }
            SparseStep::Adaptive => Self::Adaptive(Adaptive { rate, l1, l2, examples: 0.0, lengths: 0.0 }),
            SparseStep::PassiveAggressive => Self::Passive(rate),
        }
    }

    fn proximal(self) -> Option<Proximal> {
        match self {
            Self::Proximal(proximal) => Some(proximal),
            Self::Adaptive(_) | Self::Passive(_) => None,
        }
    }
}

impl FtrlLearner {
    /// A learner that has seen nothing; all weights are 0. `columns` has the names of the shape's columns.
    pub fn new(config: &FtrlConfig, shape: &Shape, columns: &Columns) -> Self {
        let features = Features::new(config.bits, columns, &config.crosses, shape.objective);
        let (stride, scores) = (features.stride(), features.lines() * LANES);
        Self {
            config: config.clone(),
            shape: shape.clone(),
            scaling: NumericScaling::new(config.scaling, shape.numeric),
            target: (shape.objective == Objective::Regress).then(|| Standardiser::new(1)),
            table: Table::new(features.slots()),
            rule: Rule::new(config),
            published: Leaves::new(features.slots()),
            scratch: Scratch {
                slots: Default::default(),
                row: features.blank(),
                values: vec![0.0; stride],
                squares: vec![0.0; stride],
                weights: vec![0.0; stride],
                scores: vec![0.0; scores],
                pull: vec![0.0; scores],
            },
            features,
        }
    }

    fn forward(&self) -> Forward<'_, Live<'_>> {
        Forward {
            objective: self.shape.objective,
            features: &self.features,
            target: self.target.as_ref().map(Standardiser::scaling),
            source: Live { table: &self.table, proximal: self.rule.proximal() },
        }
    }

    fn scale(&self, numeric: &[f32], row: &mut [f32]) {
        self.scaling.apply(numeric, &mut row[self.features.numbers()]);
        self.features.complete(numeric, row);
    }

    /// The slots of some rows' features.
    fn hash(&self, rows: &Rows, range: std::ops::Range<usize>, slots: &mut Vec<u32>) {
        let len = self.features.len();
        slots.resize(range.len() * len, 0);
        for (row, slots) in range.zip(slots.chunks_exact_mut(len)) {
            self.features.hash(rows.numeric_row(row), rows.categorical_row(row), slots);
        }
    }

    /// Predicts one example, whose slots are known, into `out`, then learns it.
    #[inline]
    fn learn_one(
        &mut self,
        numeric: &[f32],
        slots: &[u32],
        target: f32,
        weight: f32,
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        if self.shape.numeric > 0 {
            self.scale(numeric, &mut scratch.row);
        }
        let importance = self.shape.objective.importance(target, weight);
        let single = match self.shape.objective {
            Objective::Classify { classes } => classes == 2,
            Objective::Regress => true,
        };
        if single {
            self.table.gather(slots, &mut scratch.values, &mut scratch.squares);
            let weights = match self.rule {
                Rule::Proximal(proximal) => {
                    find_weights(proximal, &scratch.values, &scratch.squares, &mut scratch.weights);
                    &scratch.weights
                }
                Rule::Adaptive(_) | Rule::Passive(_) => &scratch.values,
            };
            let score = score(weights, &scratch.row);
            self.forward().respond(score, out);
            if let Some(importance) = importance {
                self.observe(numeric, &mut scratch.row);
                self.step(slots, target, importance, score, out, scratch);
            }
        } else {
            let Scratch { row, scores, .. } = scratch;
            self.forward().respond_lines(slots, row, scores, out);
            if let Some(importance) = importance {
                self.observe(numeric, row);
                self.step_lines(slots, target as usize, importance, out, scratch);
            }
        }
    }

    #[inline]
    fn observe(&mut self, numeric: &[f32], row: &mut [f32]) {
        if self.shape.numeric > 0 && self.scaling.observe(numeric) {
            self.scale(numeric, row);
        }
    }

    /// A step of a single score: `error` towards `sign`, where the loss is logistic; or towards the target.
    #[inline]
    fn step(
        &mut self,
        slots: &[u32],
        target: f32,
        importance: f32,
        score: f32,
        out: &[f32],
        scratch: &mut Scratch,
    ) {
        let Scratch { row, values, squares, weights, .. } = scratch;
        let table = &mut self.table;
        if let Some(standardiser) = &mut self.target {
            standardiser.observe(&[target]);
            let mut standardised = [0.0];
            standardiser.scaling().apply(&[target], &mut standardised);
            let residual = standardised[0] - score;
            match &mut self.rule {
                Rule::Proximal(rule) => {
                    rule.step(table, slots, row, -residual * importance, values, squares);
                }
                Rule::Adaptive(rule) => {
                    let example = Pull { slots, row, error: residual, importance };
                    rule.step(table, example, 1.0, squares, weights, |curve| {
                        step::squared(residual, curve, importance)
                    });
                }
                Rule::Passive(aggressiveness) => {
                    let length = passive::insensitive(residual, row, *aggressiveness * importance);
                    passive::step(table, slots, row, length);
                }
            }
            return;
        }
        let class = target as usize;
        let (likely, error) = (out[class], out[1 - class]);
        let sign = if class == 1 { 1.0 } else { -1.0 };
        match &mut self.rule {
            Rule::Proximal(rule) => {
                rule.step(table, slots, row, -sign * error * importance, values, squares);
            }
            Rule::Adaptive(rule) => {
                let example = Pull { slots, row, error, importance };
                rule.step(table, example, sign, squares, weights, |curve| {
                    step::logistic(likely, error, curve, importance)
                });
            }
            Rule::Passive(aggressiveness) => {
                let length = passive::hinge(sign * score, row, *aggressiveness * importance);
                if length > 0.0 {
                    passive::step(table, slots, row, sign * length);
                }
            }
        }
    }

    /// A step of many classes.
    #[inline]
    fn step_lines(
        &mut self,
        slots: &[u32],
        class: usize,
        importance: f32,
        out: &[f32],
        scratch: &mut Scratch,
    ) {
        let Scratch { row, scores, pull, .. } = scratch;
        let table = &mut self.table;
        let others = out.iter().enumerate().filter(|(other, _)| *other != class);
        let error: f32 = others.map(|(_, probability)| *probability).sum();
        match &mut self.rule {
            Rule::Proximal(rule) => {
                for (slope, probability) in pull.iter_mut().zip(out) {
                    *slope = probability * importance;
                }
                pull[class] = -error * importance;
                rule.step_lines(table, slots, row, pull);
            }
            Rule::Adaptive(rule) => {
                // The label's class pulls by 1, the others by their shares of the remaining probability.
                for (pull, probability) in pull.iter_mut().zip(out) {
                    *pull = if error > 0.0 { -probability / error } else { 0.0 };
                }
                pull[class] = 1.0;
                let example = Pull { slots, row, error, importance };
                rule.step_lines(table, example, pull, |curve| {
                    step::logistic(out[class], error, curve, importance)
                });
            }
            Rule::Passive(aggressiveness) => {
                let scores = &scores[..out.len()];
                passive::step_classes(table, slots, row, class, scores, *aggressiveness * importance);
            }
        }
    }
}

/// A loop of its own, not inlined: there, the compiler knows that the slices do not overlap, and takes many at a time.
#[inline(never)]
fn find_weights(rule: Proximal, values: &[f32], squares: &[f32], weights: &mut [f32]) {
    for (weight, (value, squares)) in weights.iter_mut().zip(values.iter().zip(squares)) {
        *weight = rule.weight(*value, *squares);
    }
}

impl Learner for FtrlLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.forward().predict(rows, |row, out| self.scaling.apply(row, out), out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
        let len = self.features.len();
        let block = (AHEAD / len).max(1);
        // Taken out while the rest of the learner is at work on it.
        let mut scratch = std::mem::take(&mut self.scratch);
        let [mut present, mut ahead] = std::mem::take(&mut scratch.slots);
        self.hash(rows, 0..rows.len().min(block), &mut present);
        self.table.prefetch(&present);
        for start in (0..rows.len()).step_by(block) {
            let end = rows.len().min(start + block);
            self.hash(rows, end..rows.len().min(end + block), &mut ahead);
            let mut further = ahead.chunks_exact(len);
            for (row, slots) in (start..end).zip(present.chunks_exact(len)) {
                self.table.prefetch(further.next().unwrap_or(&[]));
                let numeric = rows.numeric_row(row);
                self.learn_one(numeric, slots, targets[row], weights[row], out.row_mut(row), &mut scratch);
            }
            std::mem::swap(&mut present, &mut ahead);
        }
        scratch.slots = [present, ahead];
        self.scratch = scratch;
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        let (published, proximal) = (&mut self.published, self.rule.proximal());
        self.table.take_changed(|leaf, lines| {
            let mut weights = [0.0; LEAF];
            let slots = lines.iter().flat_map(|line| line.values.iter().zip(&line.squares));
            for (weight, (value, squares)) in weights.iter_mut().zip(slots) {
                *weight = proximal.map_or(*value, |proximal| proximal.weight(*value, *squares));
            }
            published.replace(leaf, weights);
        });
        Arc::new(FtrlPredictor {
            objective: self.shape.objective,
            features: self.features.clone(),
            scaling: self.scaling.freeze(),
            target: self.target.as_ref().map(|target| target.scaling().clone()),
            leaves: self.published.clone(),
        })
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        saved::put_table(&mut map, &self.table);
        map.nest("numeric", self.scaling.save());
        if let Rule::Adaptive(Adaptive { examples, lengths, .. }) = self.rule {
            map.put_f64("seen", &[examples, lengths]);
        }
        if let Some(target) = &self.target {
            map.nest("target", target.save());
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let table = saved::table(state, self.features.slots())?;
        let scaling = NumericScaling::load(self.config.scaling, self.shape.numeric, "numeric", state)?;
        let mut rule = Rule::new(&self.config);
        if let Rule::Adaptive(Adaptive { examples, lengths, .. }) = &mut rule {
            let seen = state.f64s("seen")?;
            let [a, b] = seen[..] else {
                return Err(mismatch("seen", format_args!("{} numbers", seen.len()), "2 numbers"));
            };
            if !(a.is_finite() && b.is_finite() && a >= 0.0 && b >= a) {
                let expected = "finite numbers from 0, the second not below the first";
                return Err(mismatch("seen", format_args!("{a} and {b}"), expected));
            }
            (*examples, *lengths) = (a, b);
        }
        let target = match self.shape.objective {
            Objective::Classify { .. } => None,
            Objective::Regress => Some(read_under(state, "target", |state| Standardiser::load(1, state))?),
        };
        (self.table, self.scaling, self.rule, self.target) = (table, scaling, rule, target);
        self.published = Leaves::new(self.features.slots());
        Ok(())
    }
}

#[cfg(test)]
impl FtrlLearner {
    /// What no input can do.
    pub(super) fn break_a_weight(&mut self) {
        *self.table.change(0).0 = f32::NAN;
    }

    /// Leaves that the next publish would copy.
    pub(super) fn changed_leaves(&self) -> usize {
        let (mut table, mut leaves) = (self.table.clone(), 0);
        table.take_changed(|_, _| leaves += 1);
        leaves
    }
}
