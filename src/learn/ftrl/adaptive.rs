use super::table::{LANES, Line, Table};

/// Gradients count as at least 1e-4, the square root of this: weights that saw none do not leap.
const SQUARE_MIN: f32 = 1e-8;
const SQUARES_MAX: f32 = 1e30;
const WEIGHT_MAX: f32 = 1e6;

/// Adaptive, normalised, importance-aware gradient steps.
///
/// Each weight's rate is `rate * sqrt(T / N) / sqrt(S)`: `S` sums its squared gradients (AdaGrad: Duchi, Hazan and
/// Singer, 2011), `T` the importance of all examples and `N` the squared lengths of their scaled rows (Ross, Mineiro and
/// Langford, "Normalized online learning", UAI 2013, algorithm NAG; there the scale is the largest value of a feature,
/// which is what `scaling = "largest"` divides by). How far the step goes is found elsewhere (`linear::step`,
/// Karampatziakis and Langford, UAI 2011), from how fast the margin changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Adaptive {
    pub rate: f32,
    pub l1: f32,
    pub l2: f32,
    /// `T` and `N`.
    pub examples: f64,
    pub lengths: f64,
}

/// One example: the gradient of score `c` is `-error * pull[c]` times the row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull<'a> {
    pub slots: &'a [u32],
    pub row: &'a [f32],
    pub error: f32,
    pub importance: f32,
}

impl Adaptive {
    /// Counts an example in, and gives the rate of a weight with `S` of 1.
    #[inline]
    pub fn count(&mut self, row: &[f32], importance: f32) -> f32 {
        self.examples += f64::from(importance);
        self.lengths += f64::from(importance) * f64::from(square_sum(row));
        // The bias is 1 in every row: the sum of lengths is not 0.
        self.rate * (self.examples / self.lengths).sqrt() as f32
    }

    #[inline(always)]
    fn rate(squares: f32, square: f32) -> f32 {
        1.0 / (squares + square + SQUARE_MIN).sqrt()
    }

    /// Learns a row of one score, pulled to `sign` (1 or -1). `squares` is what was gathered, `rates` is overwritten.
    /// `length` finds how far to go from how fast the margin changes.
    #[inline]
    pub fn step(
        &mut self,
        table: &mut Table,
        example: Pull<'_>,
        sign: f32,
        squares: &[f32],
        rates: &mut [f32],
        length: impl FnOnce(f32) -> f32,
    ) {
        let Pull { slots, row, error, importance } = example;
        let rate = self.count(row, importance);
        let curve = rate * find_rates(squares, row, error * error * importance, rates);
        let length = length(curve);
        let (by, remembered) = (rate * length * sign, error * length);
        for ((slot, value), unit) in slots.iter().zip(row).zip(rates.iter()) {
            let (weight, squares) = table.change(*slot);
            let kept = self.shrink(*weight, rate * unit * importance, *value);
            *weight = bounded(kept + by * unit * value);
            *squares = (*squares + remembered * value * value).min(SQUARES_MAX);
        }
    }

    /// Learns a row of many scores, each pulled by `pull`: whole lines, zeros behind the scores.
    #[inline]
    pub fn step_lines(
        &mut self,
        table: &mut Table,
        example: Pull<'_>,
        pull: &[f32],
        length: impl FnOnce(f32) -> f32,
    ) {
        let Pull { slots, row, error, importance } = example;
        let rate = self.count(row, importance);
        let (pull, _) = pull.as_chunks::<LANES>();
        let square = |pull: f32, value: f32| {
            let gradient = error * pull * value;
            gradient * gradient * importance
        };
        let mut curves = [0.0; LANES];
        for (slot, value) in slots.iter().zip(row) {
            for (by, pull) in pull.iter().enumerate() {
                let Line { squares, .. } = table.line(*slot, by);
                for lane in 0..LANES {
                    let unit = Self::rate(squares[lane], square(pull[lane], *value));
                    curves[lane] += pull[lane] * pull[lane] * unit * value * value;
                }
            }
        }
        let length = length(rate * curves.iter().sum::<f32>());
        for (slot, value) in slots.iter().zip(row) {
            for (by, pull) in pull.iter().enumerate() {
                let Line { values, squares } = table.change_line(*slot, by);
                for lane in 0..LANES {
                    let unit = Self::rate(squares[lane], square(pull[lane], *value));
                    let kept = self.shrink(values[lane], rate * unit * importance, *value);
                    values[lane] = bounded(kept + rate * length * pull[lane] * unit * value);
                    let remembered = pull[lane] * pull[lane] * error * length * value * value;
                    squares[lane] = (squares[lane] + remembered).min(SQUARES_MAX);
                }
            }
        }
    }

    /// What a step of size `step` leaves of a weight whose feature is there: L2 divides it, L1 takes some off (truncated
    /// gradient: Langford, Li and Zhang, 2009).
    #[inline(always)]
    fn shrink(&self, weight: f32, step: f32, value: f32) -> f32 {
        if (self.l1 == 0.0 && self.l2 == 0.0) || value == 0.0 {
            return weight;
        }
        let weight = weight / (1.0 + step * self.l2);
        (weight.abs() - step * self.l1).max(0.0).copysign(weight)
    }
}

// Loops of their own, not inlined: there, the compiler knows that the slices do not overlap, and takes many at a time.

/// The rates of all features, and the sum of each times its squared value.
#[inline(never)]
fn find_rates(squares: &[f32], row: &[f32], weigh: f32, rates: &mut [f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let ((squares, _), (row, _)) = (squares.as_chunks::<LANES>(), row.as_chunks::<LANES>());
    let (rates, _) = rates.as_chunks_mut::<LANES>();
    for ((squares, row), rates) in squares.iter().zip(row).zip(rates) {
        for lane in 0..LANES {
            let value = row[lane] * row[lane];
            rates[lane] = Adaptive::rate(squares[lane], weigh * value);
            sums[lane] += rates[lane] * value;
        }
    }
    sums.iter().sum()
}

/// The sum of the squares of whole lines.
#[inline(never)]
pub(super) fn square_sum(row: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (row, _) = row.as_chunks::<LANES>();
    for row in row {
        for lane in 0..LANES {
            sums[lane] += row[lane] * row[lane];
        }
    }
    sums.iter().sum()
}

#[inline(always)]
pub(super) fn bounded(weight: f32) -> f32 {
    let weight = if weight > WEIGHT_MAX { WEIGHT_MAX } else { weight };
    if weight < -WEIGHT_MAX { -WEIGHT_MAX } else { weight }
}
