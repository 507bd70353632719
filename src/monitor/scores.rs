use serde::Serialize;

use crate::config::{QualityMetric, Task};
use crate::state::{StateError, TensorMap};

use super::baselines::Baseline;
use super::classify::{ClassNumbers, ClassScores};
use super::regress::{RegressNumbers, RegressScores};

/// Scores of one stream of predictions: over all labelled examples, and over the last ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores(Inner);

#[derive(Debug, Clone, PartialEq)]
enum Inner {
    Classify(ClassScores),
    Regress(RegressScores),
}

/// What [`Scores`] say about some examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Numbers {
    Classification(ClassNumbers),
    Regression(RegressNumbers),
}

impl Numbers {
    /// The score that a quality threshold is set on; none where it is not defined (yet).
    pub fn metric(&self, metric: QualityMetric) -> Option<f64> {
        match (self, metric) {
            (Self::Classification(numbers), QualityMetric::Accuracy) => numbers.accuracy,
            (Self::Classification(numbers), QualityMetric::Logloss) => numbers.logloss,
            (Self::Classification(numbers), QualityMetric::Auc) => numbers.auc,
            (Self::Regression(numbers), QualityMetric::Mae) => numbers.mae,
            (Self::Classification(_), QualityMetric::Mae) | (Self::Regression(_), _) => None,
        }
    }

    pub fn classification(&self) -> Option<&ClassNumbers> {
        match self {
            Self::Classification(numbers) => Some(numbers),
            Self::Regression(_) => None,
        }
    }

    pub fn regression(&self) -> Option<&RegressNumbers> {
        match self {
            Self::Regression(numbers) => Some(numbers),
            Self::Classification(_) => None,
        }
    }
}

/// A reading of [`Scores`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreReport {
    /// Over all labelled examples.
    pub cumulative: Numbers,
    /// Over the last ones, at most `monitor.window` of them.
    pub sliding: Numbers,
}

impl Scores {
    /// `outputs`: numbers a prediction has; `window`: examples in the sliding window.
    pub fn new(task: Task, outputs: usize, window: usize) -> Self {
        Self(match task {
            Task::Binary | Task::Multiclass => Inner::Classify(ClassScores::new(outputs, window)),
            Task::Regression => Inner::Regress(RegressScores::new(window)),
        })
    }

    /// Scores a prediction (a probability for each class, or one value) against the truth (the index of a class, or a
    /// value), beside the baseline that was known when it was made. Returns its error on a scale from 0 to 1: of a
    /// class, whether it was wrong; of a value, its distance over twice the standard deviation of the truths so far.
    pub fn update(&mut self, truth: f32, prediction: &[f32], baseline: Baseline) -> f64 {
        match &mut self.0 {
            Inner::Classify(scores) => scores.update(truth, prediction, baseline),
            Inner::Regress(scores) => scores.update(truth, prediction[0], baseline),
        }
    }

    /// Examples scored so far.
    pub fn examples(&self) -> u64 {
        match &self.0 {
            Inner::Classify(scores) => scores.examples(),
            Inner::Regress(scores) => scores.examples(),
        }
    }

    pub fn sliding(&self) -> Numbers {
        match &self.0 {
            Inner::Classify(scores) => Numbers::Classification(scores.sliding()),
            Inner::Regress(scores) => Numbers::Regression(scores.sliding()),
        }
    }

    pub fn report(&self) -> ScoreReport {
        let cumulative = match &self.0 {
            Inner::Classify(scores) => Numbers::Classification(scores.cumulative()),
            Inner::Regress(scores) => Numbers::Regression(scores.cumulative()),
        };
        ScoreReport { cumulative, sliding: self.sliding() }
    }

    pub fn save(&self) -> TensorMap {
        match &self.0 {
            Inner::Classify(scores) => scores.save(),
            Inner::Regress(scores) => scores.save(),
        }
    }

    /// Takes over a saved state of the same task and outputs; a window of another size keeps the newest examples that
    /// fit. On an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        match &mut self.0 {
            Inner::Classify(scores) => scores.load(state),
            Inner::Regress(scores) => scores.load(state),
        }
    }
}
