use std::sync::Arc;

use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// What looks at labels only is small: it is its own predictor.
pub trait Baseline: Predictor + Clone + 'static {
    /// One that has seen no label.
    fn new(objective: Objective) -> Self;

    /// What [`Predictor::save`] wrote.
    fn load(objective: Objective, state: &TensorMap) -> Result<Self, StateError>;

    fn objective(&self) -> Objective;

    /// Predicts any row: `[outputs]`.
    fn predict_one(&self, out: &mut [f32]);

    /// Takes a label in: a class or a finite value.
    fn learn_one(&mut self, target: f32, importance: f32);
}

/// The learner of a baseline.
#[derive(Debug, Clone)]
pub struct BaselineLearner<B>(B);

impl<B: Baseline> BaselineLearner<B> {
    /// A learner that has seen no label.
    pub fn new(objective: Objective) -> Self {
        Self(B::new(objective))
    }
}

impl<B: Baseline> Learner for BaselineLearner<B> {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.0.predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        let objective = self.0.objective();
        out.reset(objective.outputs(), rows.len());
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            self.0.predict_one(out.row_mut(row));
            if let Some(importance) = objective.importance(*target, *weight) {
                self.0.learn_one(*target, importance);
            }
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(self.0.clone())
    }

    fn save(&self) -> TensorMap {
        self.0.save()
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.0 = B::load(self.0.objective(), state)?;
        Ok(())
    }
}
