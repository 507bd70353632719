//! Gaussian observers: what a leaf knows of its numeric columns, class by class.
//!
//! The cells of a class are seven runs of `width` numbers, one number a watched column: mean, curvature and height of
//! the log density (what predicting needs), then weight, sum of squared deviations, lowest and highest value. Runs are
//! a multiple of [`LANES`] long, so that each step works on several columns at a time.

use super::functions::ln;

/// Columns worked on together.
pub(in crate::learn) const LANES: usize = 4;

/// Runs in the cells of a class, and how many of them predicting reads.
pub(in crate::learn) const RUNS: usize = 7;
pub(in crate::learn) const RUNS_READ: usize = 3;

/// A log density is not taken to be lower: one strange value does not outweigh all other columns for ever.
const LOG_DENSITY_MIN: f32 = -1e4;

/// Below, a column counts as constant; above, sums of squares stop growing.
const VARIANCE_MIN: f32 = 1e-36;
const SQUARES_MAX: f32 = 1e37;

const HALF_LN_TAU: f32 = 0.918_938_5;

/// Cells of a class that has seen nothing.
pub(in crate::learn) fn clear(cells: &mut [f32], width: usize) {
    cells.fill(0.0);
    cells[5 * width..6 * width].fill(f32::MAX);
    cells[6 * width..].fill(f32::MIN);
}

/// The cells of a class as their runs.
pub(in crate::learn) struct Runs<'a> {
    pub mean: &'a [f32],
    pub weight: &'a [f32],
    pub squares: &'a [f32],
    pub lowest: &'a [f32],
    pub highest: &'a [f32],
}

impl<'a> Runs<'a> {
    pub fn new(cells: &'a [f32], width: usize) -> Self {
        let run = |index: usize| &cells[index * width..(index + 1) * width];
        Self { mean: run(0), weight: run(3), squares: run(4), lowest: run(5), highest: run(6) }
    }

    /// Standard deviation of a column; 0 where it is not known.
    pub fn deviation(&self, place: usize) -> f32 {
        let freedom = self.weight[place] - 1.0;
        if freedom > 0.0 { (self.squares[place] / freedom).sqrt() } else { 0.0 }
    }
}

fn lanes(run: &[f32]) -> &[[f32; LANES]] {
    run.as_chunks().0
}

/// Sum of the log densities of a class at `xs`, `[width]`; missing values and columns without a variance add nothing.
#[inline(always)]
pub(in crate::learn) fn log_density(xs: &[f32], cells: &[f32], width: usize) -> f32 {
    let (mean, rest) = cells.split_at(width);
    let (curvature, rest) = rest.split_at(width);
    let height = &rest[..width];
    let mut sums = [0.0_f32; LANES];
    let runs = lanes(xs).iter().zip(lanes(mean)).zip(lanes(curvature)).zip(lanes(height));
    for (((x, mean), curvature), height) in runs {
        for lane in 0..LANES {
            let deviation = x[lane] - mean[lane];
            let density = deviation * deviation * curvature[lane] + height[lane];
            let density = if density > LOG_DENSITY_MIN { density } else { LOG_DENSITY_MIN };
            sums[lane] += if x[lane].is_nan() { 0.0 } else { density };
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}

/// Takes `xs`, `[width]`, into the cells of their class with a weight above zero (Welford's method, West 1979).
#[inline(always)]
pub(in crate::learn) fn observe(xs: &[f32], cells: &mut [f32], width: usize, weight: f32) {
    let (mean, rest) = cells.split_at_mut(width);
    let (curvature, rest) = rest.split_at_mut(width);
    let (height, rest) = rest.split_at_mut(width);
    let (weights, rest) = rest.split_at_mut(width);
    let (squares, rest) = rest.split_at_mut(width);
    let (lowest, highest) = rest.split_at_mut(width);
    let runs = lanes(xs)
        .iter()
        .zip(mean.as_chunks_mut::<LANES>().0)
        .zip(curvature.as_chunks_mut::<LANES>().0)
        .zip(height.as_chunks_mut::<LANES>().0)
        .zip(weights.as_chunks_mut::<LANES>().0)
        .zip(squares.as_chunks_mut::<LANES>().0)
        .zip(lowest.as_chunks_mut::<LANES>().0)
        .zip(highest.as_chunks_mut::<LANES>().0);
    for (((((((x, mean), curvature), height), weights), squares), lowest), highest) in runs {
        for lane in 0..LANES {
            let missing = x[lane].is_nan();
            let by = if missing { 0.0 } else { weight };
            let x = if missing { mean[lane] } else { x[lane] };
            let all = weights[lane] + by;
            let deviation = x - mean[lane];
            let share = by / if all > 0.0 { all } else { 1.0 };
            let middle = mean[lane] + deviation * share;
            let sum = squares[lane] + by * deviation * (x - middle);
            let sum = if sum < SQUARES_MAX { sum } else { SQUARES_MAX };
            (mean[lane], weights[lane], squares[lane]) = (middle, all, sum);
            let low = if missing { f32::MAX } else { x };
            let high = if missing { f32::MIN } else { x };
            lowest[lane] = if low < lowest[lane] { low } else { lowest[lane] };
            highest[lane] = if high > highest[lane] { high } else { highest[lane] };
            let freedom = all - 1.0;
            let variance = sum / if freedom > 0.0 { freedom } else { 1.0 };
            let known = (freedom > 0.0) & (variance > VARIANCE_MIN);
            let variance = if known { variance } else { 1.0 };
            curvature[lane] = if known { -0.5 / variance } else { 0.0 };
            height[lane] = if known { -0.5 * ln(variance) - HALF_LN_TAU } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(values: &[(f32, f32)]) -> Vec<f32> {
        let mut cells = vec![0.0; RUNS * LANES];
        clear(&mut cells, LANES);
        for (x, weight) in values {
            observe(&[*x, 0.0, 0.0, 0.0], &mut cells, LANES, *weight);
        }
        cells
    }

    #[test]
    fn it_is_the_weighted_mean_and_variance_and_their_density() {
        let cells = learned(&[(1.0, 1.0), (2.0, 3.0), (f32::NAN, 5.0), (4.0, 2.0)]);
        let runs = Runs::new(&cells, LANES);
        assert_eq!((runs.weight[0], runs.lowest[0], runs.highest[0]), (6.0, 1.0, 4.0));
        let mean = 15.0 / 6.0;
        let squares = 1.5 * 1.5 + 3.0 * 0.25 + 2.0 * 2.25_f32;
        assert!((runs.mean[0] - mean).abs() < 1e-6 && (runs.squares[0] - squares).abs() < 1e-5);
        assert!((runs.deviation(0) - (squares / 5.0).sqrt()).abs() < 1e-6);
        let variance = f64::from(squares) / 5.0;
        let right =
            -0.5 * (3.0_f64 - 2.5).powi(2) / variance - 0.5 * libm::log(std::f64::consts::TAU * variance);
        let found = log_density(&[3.0, 0.0, 0.0, 0.0], &cells, LANES);
        assert!((f64::from(found) - right).abs() < 1e-6, "{found} {right}");
        assert_eq!(log_density(&[f32::NAN, 0.0, 0.0, 0.0], &cells, LANES), 0.0);
    }

    #[test]
    fn a_column_that_is_constant_or_seen_once_says_nothing() {
        for cells in [learned(&[(3.0, 1.0)]), learned(&[(3.0, 1.0), (3.0, 1.0)]), learned(&[])] {
            assert_eq!(log_density(&[9.0, 0.0, 0.0, 0.0], &cells, LANES), 0.0);
        }
    }

    #[test]
    fn the_largest_values_leave_everything_finite() {
        let cells = learned(&[(1e18, 1e6), (-1e18, 1e6), (1e18, 1e6), (1e-30, 1.0)]);
        assert!(cells.iter().all(|number| number.is_finite()));
        assert_eq!(log_density(&[f32::NAN; 4], &cells, LANES), 0.0);
        let cells = learned(&[(0.0, 1.0), (1e-17, 1.0)]);
        assert!(log_density(&[1e18, 0.0, 0.0, 0.0], &cells, LANES).is_finite());
    }
}
