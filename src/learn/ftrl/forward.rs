use super::features::Features;
use super::leaves::Leaves;
use super::proximal::Proximal;
use super::table::{LANES, Table};
use crate::learn::encode::Scaling;
use crate::learn::linear::{forward::dot, response};
use crate::learn::{Objective, Predictions};
use crate::schema::Rows;

/// Scores stay within a million: whatever follows from them is finite.
const SCORE_MAX: f32 = 1e6;

/// Rows of up to this many features are worked on on the stack.
const STACK: usize = 128;

/// Where weights are read from.
pub(super) trait Source {
    fn weights(&self, slots: &[u32], weights: &mut [f32]);

    /// The weights of a line, `by` lines after that of `slot`.
    fn line(&self, slot: u32, by: usize) -> [f32; LANES];
}

impl Source for &Leaves {
    #[inline(always)]
    fn weights(&self, slots: &[u32], weights: &mut [f32]) {
        for (slot, weight) in slots.iter().zip(weights) {
            *weight = self.weight(*slot);
        }
    }

    #[inline(always)]
    fn line(&self, slot: u32, by: usize) -> [f32; LANES] {
        *Leaves::line(self, slot, by)
    }
}

/// The table of a learner, with what makes weights of its numbers; none: they are the weights.
pub(super) struct Live<'a> {
    pub table: &'a Table,
    pub proximal: Option<Proximal>,
}

impl Source for Live<'_> {
    #[inline(always)]
    fn weights(&self, slots: &[u32], weights: &mut [f32]) {
        for (slot, weight) in slots.iter().zip(weights) {
            let (value, squares) = self.table.slot(*slot);
            *weight = self.proximal.map_or(value, |proximal| proximal.weight(value, squares));
        }
    }

    #[inline(always)]
    fn line(&self, slot: u32, by: usize) -> [f32; LANES] {
        let line = self.table.line(slot, by);
        match self.proximal {
            Some(proximal) => {
                std::array::from_fn(|lane| proximal.weight(line.values[lane], line.squares[lane]))
            }
            None => line.values,
        }
    }
}

/// The forward pass, shared by learner and predictor so that they agree to the bit.
pub(super) struct Forward<'a, S> {
    pub objective: Objective,
    pub features: &'a Features,
    /// Of the target, for a regression.
    pub target: Option<&'a Scaling>,
    pub source: S,
}

impl<S: Source> Forward<'_, S> {
    /// `scale` makes a row of numeric values what is weighed.
    pub fn predict(&self, rows: &Rows, scale: impl Fn(&[f32], &mut [f32]), out: &mut Predictions) {
        out.reset(self.objective.outputs(), rows.len());
        let (len, stride) = (self.features.len(), self.features.stride());
        let (mut stack, mut heap) = ([0.0; 2 * STACK], Vec::new());
        let room = if stride <= STACK {
            &mut stack[..2 * stride]
        } else {
            heap.resize(2 * stride, 0.0);
            heap.as_mut_slice()
        };
        let (values, weights) = room.split_at_mut(stride);
        values[..len].fill(1.0);
        let (mut few, mut many) = ([0; STACK], Vec::new());
        let slots = if len <= STACK {
            &mut few[..len]
        } else {
            many.resize(len, 0);
            many.as_mut_slice()
        };
        let lines = self.features.lines();
        let mut scores = vec![0.0; if self.is_single() { 0 } else { lines * LANES }];
        for index in 0..rows.len() {
            let (numeric, categorical) = (rows.numeric_row(index), rows.categorical_row(index));
            self.features.hash(numeric, categorical, slots);
            scale(numeric, &mut values[self.features.numbers()]);
            self.features.complete(numeric, values);
            let out = out.row_mut(index);
            if self.is_single() {
                self.source.weights(slots, weights);
                self.respond(score(weights, values), out);
            } else {
                self.respond_lines(slots, values, &mut scores, out);
            }
        }
    }

    fn is_single(&self) -> bool {
        matches!(self.objective, Objective::Classify { classes: 2 } | Objective::Regress)
    }

    /// The prediction that follows from a single score.
    #[inline(always)]
    pub fn respond(&self, score: f32, out: &mut [f32]) {
        match self.target {
            Some(target) => out[0] = response::value(score, target),
            None => response::logistic(score, out),
        }
    }

    /// Scores a row for many classes into `scores`, whole lines, and the prediction into `out`.
    #[inline(always)]
    pub fn respond_lines(&self, slots: &[u32], values: &[f32], scores: &mut [f32], out: &mut [f32]) {
        scores.fill(0.0);
        let (lines, _) = scores.as_chunks_mut::<LANES>();
        for (slot, value) in slots.iter().zip(values) {
            for (by, scores) in lines.iter_mut().enumerate() {
                let weights = self.source.line(*slot, by);
                for lane in 0..LANES {
                    scores[lane] += weights[lane] * value;
                }
            }
        }
        for score in &mut *scores {
            *score = bounded(*score);
        }
        let classes = out.len();
        out.copy_from_slice(&scores[..classes]);
        response::softmax(out);
    }
}

/// The score of a row, of whole lines.
#[inline(always)]
pub(super) fn score(weights: &[f32], values: &[f32]) -> f32 {
    bounded(dot(weights, values))
}

#[inline(always)]
fn bounded(score: f32) -> f32 {
    let score = if score > SCORE_MAX { SCORE_MAX } else { score };
    if score < -SCORE_MAX { -SCORE_MAX } else { score }
}
