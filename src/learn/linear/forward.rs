use super::response;
use crate::learn::encode::{OneHot, Scaling};
use crate::learn::{Objective, Predictions};
use crate::schema::Rows;

/// Numbers that go through the vector units together, on every machine.
const LANES: usize = 8;

/// Rows up to this many numbers are standardised on the stack.
const STACK: usize = 128;

/// Numbers of a standardised row with its bias, and of a score's dense weights: a multiple of [`LANES`], zeros at the
/// end.
pub(super) fn stride(numeric: usize) -> usize {
    (numeric + 1).next_multiple_of(LANES)
}

/// The sum of products, in an order that depends on the length only.
#[inline(always)]
pub(in crate::learn) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    total(sums)
}

/// The sum of `a` times the squares of `b`.
#[inline(always)]
pub(super) fn dot_squared(a: &[f32], b: &[f32]) -> f32 {
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * (b[lane] * b[lane]);
        }
    }
    total(sums)
}

/// The sum of the lanes, pairwise.
#[inline(always)]
fn total(s: [f32; LANES]) -> f32 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// Weights of the categories' places: `[places, scores]`, in whatever pieces.
pub(super) trait CategoryWeights {
    /// The weights of one place, one a score.
    fn of(&self, place: usize) -> &[f32];
}

/// The forward pass, shared by learner and predictor so that they agree to the bit.
pub(super) struct Forward<'a, W> {
    pub objective: Objective,
    pub scaling: &'a Scaling,
    pub one_hot: &'a OneHot,
    /// Of the target, for a regression.
    pub target: Option<&'a Scaling>,
    /// `[scores, stride]`: a weight a column, the bias, zeros.
    pub dense: &'a [f32],
    pub categories: &'a W,
}

impl<W: CategoryWeights> Forward<'_, W> {
    pub fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.objective.outputs(), rows.len());
        let stride = stride(self.scaling.columns());
        let (mut stack, mut heap) = ([0.0; STACK], Vec::new());
        let row = if stride <= STACK {
            &mut stack[..stride]
        } else {
            heap.resize(stride, 0.0);
            heap.as_mut_slice()
        };
        for index in 0..rows.len() {
            self.scaling.apply_with_bias(rows.numeric_row(index), row);
            let categories = rows.categorical_row(index).iter().enumerate();
            let places = categories.map(|(column, category)| self.one_hot.place(column, *category));
            self.respond(row, places, out.row_mut(index));
        }
    }

    /// The prediction for an encoded row, into `out`; gives the score where there is only one.
    #[inline(always)]
    pub fn respond(&self, row: &[f32], places: impl Iterator<Item = usize>, out: &mut [f32]) -> f32 {
        match self.objective {
            Objective::Classify { classes: 2 } | Objective::Regress => {
                let mut score = dot(self.dense, row);
                for place in places {
                    score += self.categories.of(place)[0];
                }
                match self.target {
                    Some(target) => out[0] = response::value(score, target),
                    None => response::logistic(score, out),
                }
                score
            }
            Objective::Classify { .. } => {
                for (score, weights) in out.iter_mut().zip(self.dense.chunks_exact(row.len())) {
                    *score = dot(weights, row);
                }
                for place in places {
                    for (score, weight) in out.iter_mut().zip(self.categories.of(place)) {
                        *score += weight;
                    }
                }
                response::softmax(out);
                0.0
            }
        }
    }
}
