use super::chunks::{Chunks, Flat};
use super::forward::{dot, stride};
use super::memory::Memory;
use super::rates::Adaptive;
use super::saved;
use crate::config::LinearConfig;
use crate::learn::encode::read_under;
use crate::state::{StateError, TensorMap};

/// No weight leaves ±10^6, by which a step of standardised data never comes near: whatever is learned stays finite.
const WEIGHT_MAX: f32 = 1e6;

/// One example as the weights see it: the gradient of score `c` is `-error * pull[c]` times the encoded row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull<'a> {
    /// The standardised row, `[stride]`, the bias and the padding included.
    pub row: &'a [f32],
    /// The places of its categories.
    pub places: &'a [usize],
    /// One number a score.
    pub pull: &'a [f32],
    pub error: f32,
    pub importance: f32,
}

/// The weights of a learner, with what its step sizes remember.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    numeric: usize,
    rate: f32,
    l2: f32,
    /// `[scores, stride]`.
    pub dense: Vec<f32>,
    /// `[places, scores]`.
    pub categories: Flat,
    /// Where rates adapt.
    memory: Option<Memory>,
}

impl Weights {
    pub fn new(config: &LinearConfig, numeric: usize, places: usize, scores: usize) -> Self {
        let dense = vec![0.0; scores * stride(numeric)];
        let memory = Adaptive::new(config.step, config.rate)
            .map(|adaptive| Memory::new(adaptive, dense.len(), places, scores));
        let categories = Flat::new(scores, vec![0.0; places * scores]);
        Self { numeric, rate: config.rate, l2: config.l2, dense, categories, memory }
    }

    /// Steps at this rate from now on.
    pub fn set_rate(&mut self, rate: f32) {
        self.rate = rate;
        if let Some(memory) = &mut self.memory {
            memory.set_rate(rate);
        }
    }

    /// Takes over the rate and the penalty of a configuration whose step is of the same kind.
    pub fn set(&mut self, config: &LinearConfig) {
        self.set_rate(config.rate);
        self.l2 = config.l2;
    }

    /// Makes room for `places` places, if there are more than before.
    #[inline]
    pub fn make_room(&mut self, places: usize, scores: usize) {
        if places * scores > self.categories.all().len() {
            self.grow(places, scores);
        }
    }

    #[cold]
    fn grow(&mut self, places: usize, scores: usize) {
        self.categories.grow(places);
        if let Some(memory) = &mut self.memory {
            memory.grow(places, scores);
        }
    }

    /// `weights`, `bias`, `category_weights`, and with adaptive rates the same under `squares/`, with `count` and
    /// `category_counts`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        saved::put_dense(&mut map, &self.dense, self.numeric);
        map.put_f32("category_weights", self.categories.all());
        if let Some(memory) = &self.memory {
            map.nest("squares", memory.save(self.numeric));
        }
        map
    }

    /// Weights as new ones of the same arguments, with what [`Weights::save`] wrote in them.
    pub fn load(
        config: &LinearConfig,
        numeric: usize,
        places: usize,
        scores: usize,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let mut weights = Self::new(config, numeric, places, scores);
        weights.dense = saved::dense(state, numeric, scores)?;
        weights.categories = Flat::new(scores, saved::numbers(state, "category_weights", places * scores)?);
        if let Some(memory) = &mut weights.memory {
            read_under(state, "squares", |state| memory.load(numeric, places, scores, state))?;
        }
        Ok(weights)
    }

    pub fn publish_categories(&mut self) -> Chunks {
        self.categories.publish()
    }

    /// Moves the weights by one example; `length` finds how far from how fast the margin changes (see `step`).
    #[inline]
    pub fn step(&mut self, example: Pull<'_>, length: impl FnOnce(f32) -> f32) {
        let Some(memory) = &mut self.memory else {
            let square = dot(example.row, example.row) + example.places.len() as f32;
            let pulls: f32 = example.pull.iter().map(|u| u * u).sum();
            let length = length(self.rate * square * pulls);
            return self.step_constant(&example, length);
        };
        let length = length(memory.measure(&example));
        memory.step(&mut self.dense, &mut self.categories, &example, length, self.l2, self.numeric);
        memory.remember(&example, length);
    }

    #[inline]
    fn step_constant(&mut self, example: &Pull<'_>, length: f32) {
        let rate = self.rate;
        let keep = 1.0 / (1.0 + rate * self.l2 * example.importance);
        let stride = example.row.len();
        for (score, pull) in example.pull.iter().enumerate() {
            let by = rate * length * pull;
            let weights = &mut self.dense[score * stride..(score + 1) * stride];
            let bias = bounded(weights[self.numeric] + by);
            add(weights, keep, example.row, by);
            if self.l2 > 0.0 {
                weights[self.numeric] = bias;
            }
        }
        for place in example.places {
            for (weight, pull) in self.categories.change(*place).iter_mut().zip(example.pull) {
                *weight = bounded(*weight * keep + rate * length * pull);
            }
        }
    }
}

#[inline(always)]
pub(super) fn bounded(weight: f32) -> f32 {
    let weight = if weight > WEIGHT_MAX { WEIGHT_MAX } else { weight };
    if weight < -WEIGHT_MAX { -WEIGHT_MAX } else { weight }
}

/// A loop of its own, not inlined: there, the compiler knows that the slices do not overlap, and takes many at a time.
#[inline(never)]
fn add(weights: &mut [f32], keep: f32, row: &[f32], by: f32) {
    for (weight, value) in weights.iter_mut().zip(row) {
        *weight = bounded(*weight * keep + by * value);
    }
}
