use std::sync::Arc;

use super::memory::{Memory, Search};
use super::predictor::{KnnPredictor, encode, fill, predict};
use super::relevance::{Relevance, Seen, Weighed};
use super::saved;
use super::scan::Query;
use super::vote::vote;
use crate::config::{KnnConfig, Weighting};
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
    relevance: Option<Relevance>,
    /// The row in work; carries nothing from one to the next.
    numbers: Vec<f32>,
    codes: Vec<u32>,
    search: Search,
    weighed: Weighed,
}

impl KnnLearner {
    /// A learner that has seen nothing.
    pub fn new(config: &KnnConfig, shape: &Shape) -> Self {
        let relevance = match config.weighting {
            Weighting::None => None,
            Weighting::Relevance => {
                Some(Relevance::new(shape.objective, shape.numeric, shape.categorical, config.window))
            }
        };
        Self {
            config: config.clone(),
            relevance,
            shape: shape.clone(),
            standardiser: Standardiser::new(shape.numeric),
            memory: Memory::new(config.window, shape.numeric, shape.categorical),
            numbers: vec![0.0; shape.numeric],
            codes: vec![0; shape.categorical],
            search: Search::default(),
            weighed: Weighed::default(),
        }
    }
}

impl Learner for KnnLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let scaling = self.standardiser.scaling();
        let weights = self.relevance.as_ref().map(Relevance::weights);
        predict(&self.config, self.shape.objective, (scaling, weights), &self.memory, rows, out);
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
            let weights = self.relevance.as_ref().map(Relevance::weights);
            let weighed = &mut self.weighed;
            weighed.set(scaling.scales(), (mismatch, codes.len()), weights);
            let query = Query { numbers, scales: &weighed.scales, codes, mismatches: &weighed.mismatches };
            self.memory.nearest(&query, k, &mut self.search);
            vote(self.search.neighbours(), by, self.shape.objective, out.row_mut(row));
            if let Some(importance) = self.shape.objective.importance(*target, *weight) {
                self.memory.push((numbers, codes), (*target, importance), weighed.metric());
                if let Some(relevance) = &mut self.relevance {
                    // By the plain distance.
                    weighed.set(scaling.scales(), (mismatch, codes.len()), None);
                    let metric = weighed.metric();
                    relevance.learn(Seen { numbers, codes, metric, target: *target, importance });
                }
                self.standardiser.observe(rows.numeric_row(row));
            }
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(KnnPredictor {
            config: self.config.clone(),
            objective: self.shape.objective,
            scaling: self.standardiser.scaling().clone(),
            weights: self.relevance.as_ref().map(|relevance| relevance.weights().to_vec()),
            memory: self.memory.clone(),
        })
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.standardiser.save());
        if let Some(relevance) = &self.relevance {
            map.nest("relevance", relevance.save());
        }
        saved::put_rows(&mut map, self.memory.rows());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let standardiser =
            read_under(state, "numeric", |state| Standardiser::load(self.shape.numeric, state))?;
        let mut weighed = Weighed::default();
        weighed.set(standardiser.scaling().scales(), (self.config.mismatch, self.shape.categorical), None);
        let memory = saved::memory(self.config.window, &self.shape, weighed.metric(), state)?;
        let relevance = match &self.relevance {
            None => None,
            Some(relevance) => {
                let rows = memory.rows();
                let from = rows.len().saturating_sub(Relevance::rows_needed());
                Some(relevance.loaded(state, rows[from..].iter().copied())?)
            }
        };
        (self.memory, self.relevance) = (memory, relevance);
        self.standardiser = standardiser;
        Ok(())
    }
}
