use std::sync::Arc;

use super::frame::Frame;
use super::predictor::LinearPredictor;
use super::weights::Weights;
use crate::config::LinearConfig;
use crate::learn::encode::Standardiser;
use crate::learn::{Context, Examples, Learner, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// Logistic regression for two classes (one vector of weights), softmax regression for more, least squares for a
/// value, over standardised numeric columns, one-hot categories and a bias; one step an example.
///
/// **Order.** An example is scored and learned with the statistics from before it, and only then do they take its row
/// in: its recorded prediction is bit for bit what `predict` said just before. A regression's target goes into the
/// target's statistics after that prediction and before the step.
///
/// **Steps** are importance-aware (see `step`): neither a large rate, row nor weight overshoots. An example whose
/// weight is not above zero is predicted, not learned, as is one whose target is no class or not finite.
///
/// **L2** shrinks a weight by `1 / (1 + its rate * l2 * importance)` at each example that uses it: all numeric
/// columns', and those of the categories present; biases never.
#[derive(Debug, Clone)]
pub struct LinearLearner {
    config: LinearConfig,
    frame: Frame,
    weights: Weights,
}

impl LinearLearner {
    /// A learner that has seen nothing; all weights are 0.
    pub fn new(config: &LinearConfig, categories_max: usize, shape: &Shape) -> Self {
        let frame = Frame::new(categories_max, shape);
        let weights = Weights::new(config, shape.numeric, frame.one_hot.places(), frame.scores());
        Self { config: config.clone(), frame, weights }
    }

    /// Predicts one example into `out`, then learns it.
    #[inline]
    fn learn_one(&mut self, numeric: &[f32], categorical: &[u64], target: f32, weight: f32, out: &mut [f32]) {
        let Self { frame, weights, .. } = self;
        let importance = frame.shape.objective.importance(target, weight);
        frame.encode(numeric, categorical, importance.is_some());
        weights.make_room(frame.one_hot.places(), frame.scores());
        let score = frame.respond(weights, out);
        if let Some(importance) = importance {
            frame.observe_target(target);
            frame.step(weights, target, importance, (out, score));
        }
    }
}

/// What serving needs of one model.
pub(super) fn publish(frame: &Frame, weights: &mut Weights) -> LinearPredictor {
    LinearPredictor {
        objective: frame.shape.objective,
        scaling: frame.standardiser.scaling().clone(),
        one_hot: frame.one_hot.clone(),
        target: frame.target.as_ref().map(|target: &Standardiser| target.scaling().clone()),
        dense: weights.dense.clone(),
        categories: weights.publish_categories(),
    }
}

impl Learner for LinearLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.frame.forward(&self.weights).predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.frame.shape.objective.outputs(), rows.len());
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            self.learn_one(
                rows.numeric_row(row),
                rows.categorical_row(row),
                *target,
                *weight,
                out.row_mut(row),
            );
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(publish(&self.frame, &mut self.weights))
    }

    fn save(&self) -> TensorMap {
        let mut map = self.weights.save();
        map.extend(self.frame.save());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let frame = self.frame.load(state)?;
        let (numeric, places) = (frame.shape.numeric, frame.one_hot.places());
        self.weights = Weights::load(&self.config, numeric, places, frame.scores(), state)?;
        self.frame = frame;
        Ok(())
    }

    fn set_pace(&mut self, times: f64) {
        self.weights.set_rate((f64::from(self.config.rate) * times) as f32);
    }
}

#[cfg(test)]
impl LinearLearner {
    /// What no input can do.
    pub(super) fn break_a_weight(&mut self) {
        self.weights.dense[0] = f32::NAN;
    }
}
