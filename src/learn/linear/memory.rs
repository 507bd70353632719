use super::chunks::Flat;
use super::forward::dot_squared;
use super::rates::{Adaptive, Rule};
use super::saved;
use super::weights::{Pull, bounded};
use crate::state::{StateError, TensorMap};

/// What adaptive rates remember of the gradients.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    adaptive: Adaptive,
    /// Sums of squared gradients, as the weights lie.
    dense: Vec<f32>,
    categories: Vec<f32>,
    /// The examples that the sums stand for: of all dense weights, and of each place.
    dense_count: f32,
    counts: Vec<f32>,
    /// The rates of the example in work: dense ones, then those of its places.
    rates: Vec<f32>,
}

impl Memory {
    pub fn new(adaptive: Adaptive, dense: usize, places: usize, scores: usize) -> Self {
        Self {
            adaptive,
            dense: vec![0.0; dense],
            categories: vec![0.0; places * scores],
            dense_count: 0.0,
            counts: vec![0.0; places],
            rates: Vec::new(),
        }
    }

    /// Steps at this rate from now on.
    pub fn set_rate(&mut self, rate: f32) {
        self.adaptive = self.adaptive.with_rate(rate);
    }

    /// Makes room for `places` places.
    pub fn grow(&mut self, places: usize, scores: usize) {
        self.categories.resize(places * scores, 0.0);
        self.counts.resize(places, 0.0);
    }

    /// `weights`, `bias`, `category_weights`, `count` and `category_counts`.
    pub fn save(&self, numeric: usize) -> TensorMap {
        let mut map = TensorMap::new();
        saved::put_dense(&mut map, &self.dense, numeric);
        map.put_f32("category_weights", &self.categories);
        map.put_f32_one("count", self.dense_count);
        map.put_f32("category_counts", &self.counts);
        map
    }

    /// Takes over what [`Memory::save`] wrote.
    pub fn load(
        &mut self,
        numeric: usize,
        places: usize,
        scores: usize,
        state: &TensorMap,
    ) -> Result<(), StateError> {
        self.dense = saved::dense(state, numeric, scores)?;
        self.categories = saved::numbers(state, "category_weights", places * scores)?;
        self.dense_count = saved::numbers(state, "count", 1)?[0];
        self.counts = saved::numbers(state, "category_counts", places)?;
        Ok(())
    }

    /// Finds the rates of all weights at this example, and how fast its margin changes under them.
    pub fn measure(&mut self, example: &Pull<'_>) -> f32 {
        let dense = self.adaptive.at(self.dense_count);
        let &Pull { row, places, pull, error, importance } = example;
        let scores = pull.len();
        self.rates.resize(scores * (row.len() + places.len()), 0.0);
        let mut curve = 0.0;
        for (score, pull) in pull.iter().enumerate() {
            let block = score * row.len()..(score + 1) * row.len();
            let rates = &mut self.rates[block.clone()];
            find_rates(rates, dense, &self.dense[block], row, (error * pull) * (error * pull) * importance);
            curve += pull * pull * dot_squared(rates, row);
        }
        let rates = self.rates[scores * row.len()..].chunks_exact_mut(scores);
        for (place, rates) in places.iter().zip(rates) {
            let rule = self.adaptive.at(self.counts[*place]);
            let squares = &self.categories[place * scores..(place + 1) * scores];
            for ((rate, squares), pull) in rates.iter_mut().zip(squares).zip(pull) {
                *rate = rule.rate(*squares, (error * pull) * (error * pull) * importance);
                curve += pull * pull * *rate;
            }
        }
        curve
    }

    /// Moves the weights by the rates found.
    pub fn step(
        &self,
        dense: &mut [f32],
        categories: &mut Flat,
        example: &Pull<'_>,
        length: f32,
        l2: f32,
        numeric: usize,
    ) {
        let &Pull { row, places, pull, importance, .. } = example;
        let scores = pull.len();
        let penalty = l2 * importance;
        for (score, pull) in pull.iter().enumerate() {
            let block = score * row.len()..(score + 1) * row.len();
            let (weights, rates) = (&mut dense[block.clone()], &self.rates[block]);
            let bias = bounded(weights[numeric] + rates[numeric] * length * pull);
            add_by_rates(weights, rates, penalty, row, length * pull);
            if l2 > 0.0 {
                weights[numeric] = bias;
            }
        }
        let rates = self.rates[scores * row.len()..].chunks_exact(scores);
        for (place, rates) in places.iter().zip(rates) {
            for ((weight, rate), pull) in categories.change(*place).iter_mut().zip(rates).zip(pull) {
                *weight = bounded(*weight / (1.0 + rate * penalty) + rate * length * pull);
            }
        }
    }

    /// Adds the squared gradients. For a large importance these are at most those along the path of the step, whose
    /// residual shrinks: one heavy example does not stop all later ones.
    pub fn remember(&mut self, example: &Pull<'_>, length: f32) {
        let dense = self.adaptive.at(self.dense_count);
        let &Pull { row, places, pull, error, .. } = example;
        let scores = pull.len();
        for (score, pull) in pull.iter().enumerate() {
            let squares = &mut self.dense[score * row.len()..(score + 1) * row.len()];
            add_squares(squares, dense, row, pull * pull * error * length);
        }
        self.dense_count = dense.count;
        for place in places {
            let rule = self.adaptive.at(self.counts[*place]);
            self.counts[*place] = rule.count;
            let squares = &mut self.categories[place * scores..(place + 1) * scores];
            for (squares, pull) in squares.iter_mut().zip(pull) {
                *squares = rule.squares(*squares, pull * pull * error * length);
            }
        }
    }
}

// Loops of their own, not inlined: there, the compiler knows that the slices do not overlap, and takes many at a time.

#[inline(never)]
fn add_by_rates(weights: &mut [f32], rates: &[f32], penalty: f32, row: &[f32], by: f32) {
    for ((weight, rate), value) in weights.iter_mut().zip(rates).zip(row) {
        *weight = bounded(*weight / (1.0 + rate * penalty) + rate * by * value);
    }
}

#[inline(never)]
fn find_rates(rates: &mut [f32], rule: Rule, squares: &[f32], row: &[f32], weigh: f32) {
    for ((rate, squares), value) in rates.iter_mut().zip(squares).zip(row) {
        *rate = rule.rate(*squares, weigh * (value * value));
    }
}

#[inline(never)]
fn add_squares(squares: &mut [f32], rule: Rule, row: &[f32], weigh: f32) {
    for (squares, value) in squares.iter_mut().zip(row) {
        *squares = rule.squares(*squares, weigh * (value * value));
    }
}
