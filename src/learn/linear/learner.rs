use std::sync::Arc;

use super::chunks::Flat;
use super::forward::{Forward, stride};
use super::predictor::LinearPredictor;
use super::weights::{Pull, Weights};
use super::{response, step};
use crate::config::LinearConfig;
use crate::learn::encode::{OneHot, Standardiser, read_under};
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
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
    categories_max: usize,
    shape: Shape,
    standardiser: Standardiser,
    one_hot: OneHot,
    /// Of the target, for a regression.
    target: Option<Standardiser>,
    weights: Weights,
    scratch: Scratch,
}

/// The example in work; carries nothing from one to the next.
#[derive(Debug, Clone)]
struct Scratch {
    row: Vec<f32>,
    places: Vec<usize>,
    pull: Vec<f32>,
}

impl LinearLearner {
    /// A learner that has seen nothing; all weights are 0.
    pub fn new(config: &LinearConfig, categories_max: usize, shape: &Shape) -> Self {
        let one_hot = OneHot::new(shape.categorical, categories_max);
        let scores = response::scores(shape.objective);
        Self {
            config: config.clone(),
            categories_max,
            shape: shape.clone(),
            standardiser: Standardiser::new(shape.numeric),
            target: (shape.objective == Objective::Regress).then(|| Standardiser::new(1)),
            weights: Weights::new(config, shape.numeric, one_hot.places(), scores),
            one_hot,
            scratch: Scratch {
                row: vec![0.0; stride(shape.numeric)],
                places: vec![0; shape.categorical],
                pull: vec![1.0; scores],
            },
        }
    }

    fn forward(&self) -> Forward<'_, Flat> {
        Forward {
            objective: self.shape.objective,
            scaling: self.standardiser.scaling(),
            one_hot: &self.one_hot,
            target: self.target.as_ref().map(Standardiser::scaling),
            dense: &self.weights.dense,
            categories: &self.weights.categories,
        }
    }

    /// Standardises a row and finds the places of its categories; new ones claim theirs if the row is to be learned.
    #[inline]
    fn encode(&mut self, numeric: &[f32], categorical: &[u64], claim: bool) {
        self.standardiser.scaling().apply_with_bias(numeric, &mut self.scratch.row);
        let before = self.one_hot.places();
        let places = self.scratch.places.iter_mut().zip(categorical).enumerate();
        for (column, (place, category)) in places {
            *place = if claim {
                self.one_hot.claim(column, *category)
            } else {
                self.one_hot.place(column, *category)
            };
        }
        if self.one_hot.places() > before {
            self.weights.grow(self.one_hot.places(), self.scratch.pull.len());
        }
    }

    /// Predicts one example into `out`, then learns it.
    #[inline]
    fn learn_one(&mut self, numeric: &[f32], categorical: &[u64], target: f32, weight: f32, out: &mut [f32]) {
        let importance = self.shape.objective.importance(target, weight);
        self.encode(numeric, categorical, importance.is_some());
        if importance.is_some() {
            // The row is encoded already. Here rather than last, the processor does it beside the score.
            self.standardiser.observe(numeric);
        }
        let places = self.scratch.places.iter().copied();
        let score = self.forward().respond(&self.scratch.row, places, out);
        let Some(importance) = importance else { return };
        match self.shape.objective {
            Objective::Classify { .. } => self.step_class(target as usize, importance, out),
            Objective::Regress => self.step_value(target, importance, score),
        }
    }

    fn step_class(&mut self, class: usize, importance: f32, probabilities: &[f32]) {
        let Scratch { row, places, pull } = &mut self.scratch;
        let likely = probabilities[class];
        let unlikely = if let [pull] = pull.as_mut_slice() {
            *pull = if class == 1 { 1.0 } else { -1.0 };
            probabilities[1 - class]
        } else {
            shares(class, probabilities, pull)
        };
        let example = Pull { row, places, pull, error: unlikely, importance };
        self.weights.step(example, |curve| step::logistic(likely, unlikely, curve, importance));
    }

    fn step_value(&mut self, target: f32, importance: f32, score: f32) {
        let Some(standardiser) = &mut self.target else { return };
        standardiser.observe(&[target]);
        let mut standardised = [0.0];
        standardiser.scaling().apply(&[target], &mut standardised);
        let residual = standardised[0] - score;
        let Scratch { row, places, pull } = &self.scratch;
        let example = Pull { row, places, pull, error: residual, importance };
        self.weights.step(example, |curve| step::squared(residual, curve, importance));
    }
}

/// The label's class pulls by 1, the others by their shares of the remaining probability, which is returned.
#[inline]
fn shares(class: usize, probabilities: &[f32], pull: &mut [f32]) -> f32 {
    let others = || probabilities.iter().enumerate().filter(|(other, _)| *other != class);
    let unlikely: f32 = others().map(|(_, p)| *p).sum();
    for (pull, probability) in pull.iter_mut().zip(probabilities) {
        *pull = if unlikely > 0.0 { -probability / unlikely } else { 0.0 };
    }
    pull[class] = 1.0;
    unlikely
}

impl Learner for LinearLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.forward().predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
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
        Arc::new(LinearPredictor {
            objective: self.shape.objective,
            scaling: self.standardiser.scaling().clone(),
            one_hot: self.one_hot.clone(),
            target: self.target.as_ref().map(|target| target.scaling().clone()),
            dense: self.weights.dense.clone(),
            categories: self.weights.publish_categories(),
        })
    }

    fn save(&self) -> TensorMap {
        let mut map = self.weights.save();
        map.nest("numeric", self.standardiser.save());
        map.nest("categorical", self.one_hot.save());
        if let Some(target) = &self.target {
            map.nest("target", target.save());
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let Shape { numeric, categorical, objective } = self.shape;
        let standardiser = read_under(state, "numeric", |state| Standardiser::load(numeric, state))?;
        let one_hot =
            read_under(state, "categorical", |state| OneHot::load(categorical, self.categories_max, state))?;
        let target = match objective {
            Objective::Classify { .. } => None,
            Objective::Regress => Some(read_under(state, "target", |state| Standardiser::load(1, state))?),
        };
        let scores = response::scores(objective);
        let weights = Weights::load(&self.config, numeric, one_hot.places(), scores, state)?;
        self.standardiser = standardiser;
        self.one_hot = one_hot;
        self.target = target;
        self.weights = weights;
        Ok(())
    }
}

#[cfg(test)]
impl LinearLearner {
    /// What no input can do.
    pub(super) fn break_a_weight(&mut self) {
        self.weights.dense[0] = f32::NAN;
    }
}
