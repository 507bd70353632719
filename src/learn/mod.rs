//! Learners and predictors: plain structs that know no actor, clock, socket or hidden random source.

pub mod adapt;
pub mod auto;
pub mod baseline;
pub mod bayes;
mod columns;
mod counter;
pub mod encode;
pub mod ensemble;
mod exponential;
pub mod ftrl;
pub mod linear;
pub mod neighbour;
pub mod neural;
pub mod race;
#[cfg(test)]
mod testing;
pub mod tree;

pub use columns::{ColumnIndex, Columns};

use std::sync::Arc;

use baseline::Baseline as _;

use crate::config::{DriftResponse, LearnerKind, ModelConfig, SchemaConfig, Task};
use crate::schema::{Column, Rows};
use crate::state::{StateError, TensorMap};

/// What a model is for: its number of outputs and the loss that it minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// `classes >= 2` outputs, probabilities that sum to one; logloss.
    Classify { classes: usize },
    /// One output; squared error.
    Regress,
}

impl Objective {
    /// Numbers that a prediction has: a probability for each class, or one value.
    pub fn outputs(self) -> usize {
        match self {
            Self::Classify { classes } => classes,
            Self::Regress => 1,
        }
    }

    /// The importance with which an example is learned, at most 1e6: by then every step has long found its end. None
    /// where its weight is not above zero, or its target is no class or not finite: then it is only predicted.
    pub fn importance(self, target: f32, weight: f32) -> Option<f32> {
        const MAX: f32 = 1e6;
        let fits = match self {
            Self::Classify { classes } => target >= 0.0 && (target as usize) < classes,
            Self::Regress => target.is_finite(),
        };
        (fits && weight > 0.0).then(|| weight.min(MAX))
    }
}

/// The shape that a learner is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub numeric: usize,
    pub categorical: usize,
    pub objective: Objective,
}

impl Shape {
    /// The shape that a schema gives a model.
    pub fn of(schema: &SchemaConfig) -> Self {
        let columns = crate::schema::columns(schema);
        Self {
            numeric: columns.iter().map(Column::numeric_width).sum(),
            categorical: columns.iter().map(Column::categorical_width).sum(),
            objective: match schema.task {
                Task::Regression => Objective::Regress,
                Task::Binary | Task::Multiclass => Objective::Classify { classes: schema.outputs() },
            },
        }
    }
}

/// Predictions of some rows: `[rows, outputs]`, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    pub outputs: usize,
    pub values: Vec<f32>,
}

impl Predictions {
    pub fn new(outputs: usize) -> Self {
        Self { outputs, values: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.outputs.max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.outputs..(row + 1) * self.outputs]
    }

    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.outputs..(row + 1) * self.outputs]
    }

    /// Makes room for `rows` predictions, all zero.
    pub fn reset(&mut self, outputs: usize, rows: usize) {
        self.outputs = outputs;
        self.values.clear();
        self.values.resize(outputs * rows, 0.0);
    }
}

/// Labelled rows in the order in which they are learned.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    pub rows: &'a Rows,
    /// Index of the class as a float, or the value to be met; one a row.
    pub targets: &'a [f32],
    /// Importance, finite and above zero; one a row.
    pub weights: &'a [f32],
}

/// What a learner may know about the moment: nothing but the entry it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Number of the journal's entry.
    pub entry: u64,
    /// Seed of the model's configuration; random choices are counter-based on (seed, entry, row).
    pub seed: u64,
    /// The entry's time, milliseconds since 1970.
    pub time_ms: u64,
}

/// The mutable estimator with its encoders and optimiser; one owner.
///
/// Its state is a function of the calls of `observe` and `learn`, in order: saving, publishing, predicting change
/// nothing that matters to later calls.
///
/// A learner may use what a row's place in the stream tells: recent labels, how a value moves. That is its *context*:
/// numeric columns that it appends to a row once, when the row comes, and that stay with the row until it is learned, so
/// that prediction and learning see the same values. Where a row comes without (a request over HTTP), it is predicted
/// with the context of the moment; where it is learned without, it is taken for one that came at that moment.
pub trait Learner: Send {
    /// Numeric columns that `observe` appends.
    fn context_width(&self) -> usize {
        0
    }

    /// Events come, in the order of the rows: each is given its context, which knows the rows before it and the labels
    /// learned so far.
    fn observe(&mut self, rows: &mut Rows) {
        debug_assert_eq!(self.context_width(), 0, "a learner with a context observes");
        let _ = rows;
    }

    /// Predicts with the learner's present state: `[rows, outputs]`.
    fn predict(&self, rows: &Rows, out: &mut Predictions);

    /// Learns the examples in their order. `out` gets, for each, the prediction from just before it was learned (for
    /// a learner that steps in mini-batches: before its mini-batch).
    fn learn(&mut self, examples: Examples<'_>, context: &Context, out: &mut Predictions);

    /// What serving needs of the present state; costs in proportion to what changed since the last call where the
    /// model is large. The predictor says bit for bit what `predict` would say now.
    fn publish(&mut self) -> Arc<dyn Predictor>;

    /// The whole state, encoders and optimiser included.
    fn save(&self) -> TensorMap;

    /// Takes over a saved state of a learner of the same configuration; on an error nothing has changed.
    fn load(&mut self, state: &TensorMap) -> Result<(), StateError>;

    /// From now on, or until a state is loaded, steps are at so many times the configured rate; it is not saved. Nothing
    /// happens in families that have none.
    fn set_pace(&mut self, times: f64) {
        let _ = times;
    }
}

/// What serving needs: immutable plain data with its own forward pass, no tensor library, no lock.
pub trait Predictor: Send + Sync {
    /// Predicts `[rows, outputs]`; rows do not influence each other.
    fn predict(&self, rows: &Rows, out: &mut Predictions);

    /// Whether every weight is finite: the gate.
    fn is_finite(&self) -> bool;

    /// The weights, in the form that the family's loader takes.
    fn save(&self) -> TensorMap;
}

/// An untrained learner of the configured family, behind the configured encoders, with the configured answer to drift.
/// `columns` has the names of the shape's columns.
pub fn build(config: &ModelConfig, shape: &Shape, columns: &Columns) -> Box<dyn Learner> {
    match config.adapt.response {
        DriftResponse::None => build_encoded(config, shape, columns),
        _ => Box::new(adapt::Adapting::new(config, shape, columns)),
    }
}

/// As [`build`], with no answer to drift but the family's own.
fn build_encoded(config: &ModelConfig, shape: &Shape, columns: &Columns) -> Box<dyn Learner> {
    if config.encode.is_empty() {
        return build_bare(config, shape, columns);
    }
    Box::new(encode::Encoded::new(config, shape, columns))
}

/// As [`build`], without encoders.
fn build_bare(config: &ModelConfig, shape: &Shape, columns: &Columns) -> Box<dyn Learner> {
    match config.learner {
        LearnerKind::Auto => Box::new(auto::AutoLearner::new(config, shape)),
        LearnerKind::Linear => {
            Box::new(linear::LinearLearner::new(&config.linear, config.categories_max, shape))
        }
        LearnerKind::Ftrl => Box::new(ftrl::FtrlLearner::new(&config.ftrl, shape, columns)),
        LearnerKind::Knn => Box::new(neighbour::KnnLearner::new(&config.knn, shape)),
        LearnerKind::SamKnn => Box::new(neighbour::SamKnnLearner::new(&config.sam_knn, config.seed, shape)),
        LearnerKind::NaiveBayes => {
            Box::new(bayes::NaiveBayesLearner::new(&config.naive_bayes, config.categories_max, shape))
        }
        LearnerKind::Majority | LearnerKind::Mean => Box::new(baseline::CommonLearner::new(shape.objective)),
        LearnerKind::NoChange => Box::new(baseline::NoChangeLearner::new(shape.objective)),
        LearnerKind::Mlp => {
            Box::new(neural::MlpLearner::new(&config.mlp, config.seed, config.categories_max, shape))
        }
        LearnerKind::HoeffdingTree => Box::new(tree::HoeffdingTree::new(&config.tree, shape)),
        LearnerKind::HoeffdingAdaptiveTree => Box::new(tree::HoeffdingAdaptiveTree::new(&config.tree, shape)),
        LearnerKind::Arf => Box::new(ensemble::Forest::adaptive(&config.forest, config.seed, shape)),
        LearnerKind::Srp => Box::new(ensemble::Forest::patches(&config.forest, config.seed, shape)),
        LearnerKind::OnlineBagging => {
            Box::new(ensemble::Forest::online_bagging(&config.bagging, config.seed, shape))
        }
        LearnerKind::Boosting => Box::new(ensemble::Boosting::new(&config.boosting, config.seed, shape)),
        LearnerKind::LeveragingBagging => {
            Box::new(ensemble::Forest::leveraging_bagging(&config.bagging, config.seed, shape))
        }
        LearnerKind::Race => Box::new(race::Race::new(config, shape, columns)),
    }
}

/// A predictor from what [`Predictor::save`] wrote.
pub fn load_predictor(
    config: &ModelConfig,
    shape: &Shape,
    columns: &Columns,
    state: &TensorMap,
) -> Result<Arc<dyn Predictor>, StateError> {
    if config.encode.is_empty() {
        return load_bare(config, shape, columns, state);
    }
    Ok(Arc::new(encode::EncodedPredictor::load(config, shape, columns, state)?))
}

/// As [`load_predictor`], of a model without encoders.
fn load_bare(
    config: &ModelConfig,
    shape: &Shape,
    columns: &Columns,
    state: &TensorMap,
) -> Result<Arc<dyn Predictor>, StateError> {
    Ok(match config.learner {
        LearnerKind::Auto => Arc::new(auto::AutoPredictor::load(config, shape, state)?),
        LearnerKind::Linear => Arc::new(linear::LinearPredictor::load(shape, state)?),
        LearnerKind::Ftrl => Arc::new(ftrl::FtrlPredictor::load(&config.ftrl, shape, columns, state)?),
        LearnerKind::Knn => Arc::new(neighbour::KnnPredictor::load(&config.knn, shape, state)?),
        LearnerKind::SamKnn => Arc::new(neighbour::SamKnnPredictor::load(&config.sam_knn, shape, state)?),
        LearnerKind::NaiveBayes => {
            Arc::new(bayes::NaiveBayesPredictor::load(config.categories_max, shape, state)?)
        }
        LearnerKind::Majority | LearnerKind::Mean => {
            Arc::new(baseline::Common::load(shape.objective, state)?)
        }
        LearnerKind::NoChange => Arc::new(baseline::NoChange::load(shape.objective, state)?),
        LearnerKind::Mlp => Arc::new(neural::MlpPredictor::load(shape, state)?),
        LearnerKind::HoeffdingTree => Arc::new(tree::HoeffdingTreePredictor::load(shape, state)?),
        LearnerKind::HoeffdingAdaptiveTree => Arc::new(tree::HoeffdingAdaptivePredictor::load(shape, state)?),
        LearnerKind::Boosting => Arc::new(ensemble::BoostingPredictor::load(&config.boosting, shape, state)?),
        LearnerKind::Arf | LearnerKind::Srp | LearnerKind::OnlineBagging | LearnerKind::LeveragingBagging => {
            Arc::new(ensemble::ForestPredictor::load(shape, state)?)
        }
        LearnerKind::Race => Arc::new(race::RacePredictor::load(config, shape, columns, state)?),
    })
}
