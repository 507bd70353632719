use std::sync::Arc;

use super::chain::{Chain, Widths, Work, empty, encode_all, push};
use super::read_under;
use super::row::Truth;
use crate::config::ModelConfig;
use crate::learn::{
    Columns, Context, Examples, Learner, Objective, Predictions, Predictor, Shape, build_bare, load_bare,
};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// Any learner behind encoders: rows are encoded, then predicted and learned by the learner inside.
///
/// A row is encoded with what the encoders have learned from the rows learned before it; only what they know from
/// labels is of the moment at which the row came, and stays with it as part of its context. An example that cannot be
/// learned teaches the encoders nothing either.
pub struct Encoded {
    objective: Objective,
    widths: Widths,
    /// Columns of encoded rows.
    inner: Columns,
    chain: Chain,
    learner: Box<dyn Learner>,
    work: Work,
}

impl Encoded {
    /// Encoders and a learner that have seen nothing.
    pub fn new(config: &ModelConfig, shape: &Shape, columns: &Columns) -> Self {
        let (chain, inner) = Chain::new(&config.encode, shape.objective, columns);
        let learner = build_bare(config, &inner_shape(&inner, shape.objective), &inner);
        let widths = Widths { numeric: shape.numeric, pinned: chain.pinned_width() };
        Self { objective: shape.objective, widths, inner, chain, learner, work: Work::default() }
    }
}

fn inner_shape(inner: &Columns, objective: Objective) -> Shape {
    Shape { numeric: inner.numeric.len(), categorical: inner.categorical.len(), objective }
}

impl Learner for Encoded {
    fn context_width(&self) -> usize {
        self.widths.pinned + self.learner.context_width()
    }

    fn observe(&mut self, rows: &mut Rows) {
        let Widths { numeric, pinned } = self.widths;
        if self.context_width() == 0 {
            return;
        }
        let mut encoded =
            Rows::with_capacity(self.inner.numeric.len(), self.inner.categorical.len(), rows.len());
        let mut of_rows = Vec::with_capacity(rows.len() * pinned);
        for row in 0..rows.len() {
            let bare = (&rows.numeric_row(row)[..numeric], rows.categorical_row(row));
            self.chain.encode(bare, None, &mut self.work);
            of_rows.extend_from_slice(self.work.pinned());
            encoded.push(self.work.row().0, self.work.row().1);
        }
        self.learner.observe(&mut encoded);
        rows.widen(self.context_width());
        for row in 0..rows.len() {
            let context = &mut rows.numeric_row_mut(row)[numeric..];
            context[..pinned].copy_from_slice(&of_rows[row * pinned..(row + 1) * pinned]);
            context[pinned..].copy_from_slice(&encoded.numeric_row(row)[self.inner.numeric.len()..]);
        }
    }

    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let encoded = encode_all(&self.chain, self.widths, &self.inner, rows, &mut Work::default());
        self.learner.predict(&encoded, out);
    }

    fn learn(&mut self, examples: Examples<'_>, context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        let mut encoded = empty(self.widths, &self.inner, rows);
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            let (numeric, pinned) = self.widths.parts(rows.numeric_row(row));
            let bare = (numeric, rows.categorical_row(row));
            let of_chain = pinned.map(|context| context.0);
            match self.objective.importance(*target, *weight) {
                Some(weight) => {
                    let truth = Truth { target: *target, weight };
                    self.chain.learn(bare, of_chain, truth, &mut self.work);
                }
                None => self.chain.encode(bare, of_chain, &mut self.work),
            }
            push(&mut encoded, &mut self.work, pinned);
        }
        self.learner.learn(Examples { rows: &encoded, targets, weights }, context, out);
    }

    /// Costs what the learner inside costs, and of the encoders a few numbers a column: what grows with categories and
    /// windows is shared where it has not changed since.
    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(EncodedPredictor {
            widths: self.widths,
            inner: self.inner.clone(),
            chain: self.chain.clone(),
            predictor: self.learner.publish(),
        })
    }

    /// `encoders/0/`, `encoders/1/` and so on, and `learner/`.
    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("encoders", self.chain.save());
        map.nest("learner", self.learner.save());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let chain = read_under(state, "encoders", |state| self.chain.loaded(state))?;
        read_under(state, "learner", |state| self.learner.load(state))?;
        self.chain = chain;
        Ok(())
    }

    fn set_pace(&mut self, times: f64) {
        self.learner.set_pace(times);
    }
}

/// What serving needs of a learner behind encoders: both at rest.
pub struct EncodedPredictor {
    widths: Widths,
    inner: Columns,
    chain: Chain,
    predictor: Arc<dyn Predictor>,
}

impl EncodedPredictor {
    /// What [`Predictor::save`] wrote of a model of this configuration and shape.
    pub fn load(
        config: &ModelConfig,
        shape: &Shape,
        columns: &Columns,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let (chain, inner) = Chain::new(&config.encode, shape.objective, columns);
        let widths = Widths { numeric: shape.numeric, pinned: chain.pinned_width() };
        let chain = read_under(state, "encoders", |state| chain.loaded(state))?;
        let shape = inner_shape(&inner, shape.objective);
        let predictor = read_under(state, "learner", |state| load_bare(config, &shape, &inner, state))?;
        Ok(Self { widths, inner, chain, predictor })
    }
}

impl Predictor for EncodedPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let encoded = encode_all(&self.chain, self.widths, &self.inner, rows, &mut Work::default());
        self.predictor.predict(&encoded, out);
    }

    fn is_finite(&self) -> bool {
        self.chain.is_finite() && self.predictor.is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("encoders", self.chain.save());
        map.nest("learner", self.predictor.save());
        map
    }
}
