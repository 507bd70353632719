use std::sync::Arc;

use super::memory::{Memory, Search};
use super::predictor::{KnnPredictor, encode, fill, predict};
use super::saved;
use super::scan::Query;
use super::vote::vote;
use crate::config::KnnConfig;
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Context, Examples, Learner, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// The `k` nearest of the rows learned last vote (Cover and Hart, 1967, over a sliding window).
///
/// The distance is Euclidean over columns of deviation 1, by the statistics at the moment of the prediction; categories
/// that differ count `mismatch` (the heterogeneous distance of Wilson and Martinez, 1997). A missing number is the mean
/// at the moment when its row came; a missing category is a category. An example's importance is the weight of its vote.
///
/// A row is predicted with the window and the statistics from before it. An example whose weight is not above zero is
/// predicted, not learned, as is one whose target is no class or not finite.
#[derive(Debug, Clone)]
pub struct KnnLearner {
    config: KnnConfig,
    shape: Shape,
    standardiser: Standardiser,
    memory: Memory,
    /// The row in work; carries nothing from one to the next.
    numbers: Vec<f32>,
    codes: Vec<u32>,
    search: Search,
}

impl KnnLearner {
    /// A learner that has seen nothing.
    pub fn new(config: &KnnConfig, shape: &Shape) -> Self {
        Self {
            config: config.clone(),
            shape: shape.clone(),
            standardiser: Standardiser::new(shape.numeric),
            memory: Memory::new(config.window, shape.numeric, shape.categorical),
            numbers: vec![0.0; shape.numeric],
            codes: vec![0; shape.categorical],
            search: Search::default(),
        }
    }
}

impl Learner for KnnLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let scaling = self.standardiser.scaling();
        predict(&self.config, self.shape.objective, scaling, &self.memory, rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
        let KnnConfig { k, mismatch, vote: by, .. } = self.config;
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            let scaling = self.standardiser.scaling();
            fill(scaling, rows.numeric_row(row), &mut self.numbers);
            encode(rows.categorical_row(row), &mut self.codes);
            let (numbers, codes) = (&self.numbers, &self.codes);
            let query = Query { numbers, scales: scaling.scales(), codes, mismatch };
            self.memory.nearest(&query, k, &mut self.search);
            vote(self.search.neighbours(), by, self.shape.objective, out.row_mut(row));
            if let Some(importance) = self.shape.objective.importance(*target, *weight) {
                let metric = (scaling.scales(), mismatch);
                self.memory.push((numbers, codes), (*target, importance), metric);
                self.standardiser.observe(rows.numeric_row(row));
            }
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(KnnPredictor {
            config: self.config.clone(),
            objective: self.shape.objective,
            scaling: self.standardiser.scaling().clone(),
            memory: self.memory.clone(),
        })
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.standardiser.save());
        saved::put_rows(&mut map, self.memory.rows());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let standardiser =
            read_under(state, "numeric", |state| Standardiser::load(self.shape.numeric, state))?;
        let metric = (standardiser.scaling().scales(), self.config.mismatch);
        self.memory = saved::memory(self.config.window, &self.shape, metric, state)?;
        self.standardiser = standardiser;
        Ok(())
    }
}
