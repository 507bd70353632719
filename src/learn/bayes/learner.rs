use std::sync::Arc;

use super::counts::Counts;
use super::normal::Normals;
use super::posterior::Posterior;
use super::predictor::NaiveBayesPredictor;
use crate::config::NaiveBayesConfig;
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, at_least, sized};

/// Naive Bayes (John and Langley, 1995, "Estimating continuous distributions in Bayesian classifiers"): numbers are
/// normal, categories counted, given the class; missing values say nothing. Bounded by classes, columns and
/// `categories_max`.
///
/// A row is predicted from what was learned before it. An example whose weight is not above zero is predicted, not
/// learned, as is one whose target is no class.
///
/// It tells classes apart; the configuration's check refuses it for a regression, where it would see one class.
#[derive(Debug, Clone)]
pub struct NaiveBayesLearner {
    categories_max: usize,
    shape: Shape,
    /// Examples of a class from which on it forgets.
    count_max: f64,
    standardiser: Standardiser,
    seen: Vec<f64>,
    normals: Normals,
    counts: Counts,
    /// Room for a row's scores.
    scores: Vec<f64>,
}

impl NaiveBayesLearner {
    /// A learner that has seen nothing.
    pub fn new(config: &NaiveBayesConfig, categories_max: usize, shape: &Shape) -> Self {
        let classes = shape.objective.outputs();
        Self {
            categories_max,
            shape: shape.clone(),
            count_max: if config.examples_max == 0 { f64::INFINITY } else { config.examples_max as f64 },
            standardiser: Standardiser::new(shape.numeric),
            seen: vec![0.0; classes],
            normals: Normals::new(classes, shape.numeric),
            counts: Counts::new(classes, shape.categorical, categories_max),
            scores: vec![0.0; classes],
        }
    }

    fn posterior(&self) -> Posterior<'_> {
        Posterior { seen: &self.seen, density: self.normals.density(), counts: &self.counts }
    }

    fn learn_one(&mut self, numeric: &[f32], categorical: &[u64], class: usize, weight: f64) {
        self.standardiser.observe(numeric);
        self.normals.learn(class, numeric, weight, self.count_max, self.standardiser.scaling());
        self.counts.learn(class, categorical, weight, self.count_max);
        self.seen[class] += weight;
        if self.seen[class] > self.count_max {
            // Of all classes, so that their proportions stay.
            self.seen.iter_mut().for_each(|seen| *seen *= 0.5);
        }
    }
}

impl Learner for NaiveBayesLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.posterior().predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        let objective = Objective::Classify { classes: self.seen.len() };
        out.reset(objective.outputs(), rows.len());
        let mut scores = std::mem::take(&mut self.scores);
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            let (numeric, categorical) = (rows.numeric_row(row), rows.categorical_row(row));
            self.posterior().respond(numeric, categorical, &mut scores, out.row_mut(row));
            if let Some(importance) = objective.importance(*target, *weight) {
                self.learn_one(numeric, categorical, *target as usize, importance.into());
            }
        }
        self.scores = scores;
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(NaiveBayesPredictor {
            seen: self.seen.clone(),
            density: self.normals.density().clone(),
            counts: self.counts.clone(),
        })
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("seen", &self.seen);
        map.nest("columns", self.standardiser.save());
        map.nest("numeric", self.normals.save());
        map.nest("categorical", self.counts.save());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let (classes, Shape { numeric, categorical, .. }) = (self.seen.len(), &self.shape);
        let seen = at_least(sized(state.f64s("seen")?, classes, "seen")?, 0.0, "seen")?;
        let standardiser = read_under(state, "columns", |state| Standardiser::load(*numeric, state))?;
        let normals = read_under(state, "numeric", |state| Normals::load(classes, *numeric, state))?;
        let counts = read_under(state, "categorical", |state| {
            Counts::load(classes, *categorical, self.categories_max, state)
        })?;
        (self.seen, self.standardiser, self.normals, self.counts) = (seen, standardiser, normals, counts);
        Ok(())
    }
}
