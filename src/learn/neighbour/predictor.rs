use super::memory::{Memory, Search};
use super::relevance::Weighed;
use super::saved;
use super::scan::Query;
use super::vote::vote;
use crate::config::{KnnConfig, Weighting};
use crate::learn::encode::{Scaling, read_under};
use crate::learn::{Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, at_least, sized};

/// Columns of rows that are worked on on the stack.
pub(super) const STACK: usize = 64;

/// What serving needs of a window of rows: the rows.
#[derive(Debug, Clone)]
pub struct KnnPredictor {
    pub(super) config: KnnConfig,
    pub(super) objective: Objective,
    pub(super) scaling: Scaling,
    /// Of the columns, where they are weighed.
    pub(super) weights: Option<Vec<f32>>,
    pub(super) memory: Memory,
}

impl KnnPredictor {
    /// What [`Predictor::save`] wrote of a model of this configuration and shape.
    pub fn load(config: &KnnConfig, shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let scaling = read_under(state, "numeric", |state| Scaling::load(shape.numeric, state))?;
        let columns = shape.numeric + shape.categorical;
        let weights = match config.weighting {
            Weighting::None => None,
            Weighting::Relevance => {
                Some(at_least(sized(state.f32s("weights")?, columns, "weights")?, 0.0, "weights")?)
            }
        };
        let mut weighed = Weighed::default();
        weighed.set(scaling.scales(), (config.mismatch, shape.categorical), weights.as_deref());
        let memory = saved::memory(config.window, shape, weighed.metric(), state)?;
        Ok(Self { config: config.clone(), objective: shape.objective, scaling, weights, memory })
    }
}

impl Predictor for KnnPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        predict(
            &self.config,
            self.objective,
            (&self.scaling, self.weights.as_deref()),
            &self.memory,
            rows,
            out,
        );
    }

    fn is_finite(&self) -> bool {
        // Only finite rows come in.
        self.scaling.is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.scaling.save());
        if let Some(weights) = &self.weights {
            map.put_f32("weights", weights);
        }
        saved::put_rows(&mut map, self.memory.rows());
        map
    }
}

/// The forward pass, shared by learner and predictor so that they agree to the bit.
pub(super) fn predict(
    config: &KnnConfig,
    objective: Objective,
    (scaling, weights): (&Scaling, Option<&[f32]>),
    memory: &Memory,
    rows: &Rows,
    out: &mut Predictions,
) {
    out.reset(objective.outputs(), rows.len());
    let (mut numbers, mut codes) = ([0.0; STACK], [0; STACK]);
    let (mut more_numbers, mut more_codes) = (Vec::new(), Vec::new());
    let mut search = Search::default();
    let mut weighed = Weighed::default();
    weighed.set(scaling.scales(), (config.mismatch, rows.categorical_width()), weights);
    let numbers = room(&mut numbers, &mut more_numbers, rows.numeric_width());
    let codes = room(&mut codes, &mut more_codes, rows.categorical_width());
    for row in 0..rows.len() {
        fill(scaling, rows.numeric_row(row), numbers);
        encode(rows.categorical_row(row), codes);
        let query = Query { numbers, scales: &weighed.scales, codes, mismatches: &weighed.mismatches };
        memory.nearest(&query, config.k, &mut search);
        vote(search.neighbours(), config.vote, objective, out.row_mut(row));
    }
}

pub(super) fn room<'a, T: Copy + Default>(few: &'a mut [T], many: &'a mut Vec<T>, len: usize) -> &'a mut [T] {
    if len <= few.len() {
        return &mut few[..len];
    }
    many.resize(len, T::default());
    many
}

/// A row with the mean in place of missing values.
#[inline]
pub(in crate::learn) fn fill(scaling: &Scaling, numeric: &[f32], out: &mut [f32]) {
    for ((out, value), mean) in out.iter_mut().zip(numeric).zip(scaling.shifts()) {
        *out = if value.is_nan() { *mean } else { *value };
    }
}

/// Categories by half of their hash: two of 90 are the same once in a million windows, two of 1,000 once in ten thousand.
#[inline]
pub(in crate::learn) fn encode(categorical: &[u64], out: &mut [u32]) {
    for (out, category) in out.iter_mut().zip(categorical) {
        *out = (category ^ (category >> 32)) as u32;
    }
}
