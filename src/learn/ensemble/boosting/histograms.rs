//! Sums of gradients and Hessians by bins of the columns, and the split that they favour (Chen and Guestrin, "XGBoost: a
//! scalable tree boosting system", KDD 2016; histograms: Ke et al., "LightGBM", NeurIPS 2017).

use super::structure::{BUCKETS, bucket};
use super::window::Window;
use crate::learn::counter::Counter;

/// Bins of a column: of a categorical one the buckets.
const BINS: usize = BUCKETS as usize;

/// Added to the Hessian of a bucket of categories beside the L2 penalty: few examples say little.
const CATEGORY_L2: f32 = 9.0;

/// A split gains at least this.
const GAIN_MIN: f32 = 1e-3;

/// A column as a tree sees it.
pub(super) struct Column {
    /// Among the numeric or the categorical ones.
    pub index: usize,
    /// Rising thresholds between the bins; none for a categorical column.
    pub edges: Option<Vec<f32>>,
    /// `[rows]`: the bins of the rows.
    pub bins: Vec<u8>,
}

impl Column {
    /// Column `index`, numeric ones first, over the rows of the window from `start` on. Edges are values of rows drawn at
    /// random, so that each tree has others.
    pub fn new(window: &Window, start: usize, index: usize, salt: u64, draws: Counter) -> Self {
        let (rows, width) = (start..window.len(), window.numeric_width);
        if index >= width {
            let (index, width) = (index - width, window.categorical_width);
            let bins = rows.map(|row| bucket(window.categorical[row * width + index], salt) as u8).collect();
            return Self { index, edges: None, bins };
        }
        let value = |row: usize| window.numeric[row * width + index];
        let count = rows.len() as u64;
        let drawn = (0..BINS as u64 - 1).map(|draw| value(start + draws.below(draw, count) as usize));
        let mut edges: Vec<f32> = drawn.filter(|value| !value.is_nan()).collect();
        edges.sort_unstable_by(f32::total_cmp);
        edges.dedup();
        let bins = rows.map(|row| edges.partition_point(|edge| value(row) > *edge) as u8).collect();
        Self { index, edges: Some(edges), bins }
    }
}

/// Where a leaf could be split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub gain: f32,
    /// Among the columns of the tree.
    pub column: usize,
    /// Bins that go to the second child.
    pub second: u64,
}

/// Which Hessians a leaf may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub l2: f32,
    /// Least sum of Hessians in a leaf.
    pub hessian_min: f32,
}

/// `[columns, BINS, margins]` pairs of gradient and Hessian.
pub(super) fn collect(columns: &[Column], slopes: &[f32], width: usize, rows: &[u32]) -> Vec<f32> {
    let mut sums = vec![0.0; columns.len() * BINS * width];
    for (column, sums) in columns.iter().zip(sums.chunks_exact_mut(BINS * width)) {
        for row in rows {
            let row = *row as usize;
            let at = usize::from(column.bins[row]) * width;
            let slopes = &slopes[row * width..(row + 1) * width];
            sums[at..at + width].iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
        }
    }
    sums
}

fn score(sums: &[f32], l2: f32) -> f32 {
    sums.as_chunks::<2>()
        .0
        .iter()
        .map(|[gradient, hessian]| gradient * gradient / (hessian.max(0.0) + l2))
        .sum()
}

fn hessian(sums: &[f32]) -> f32 {
    sums.as_chunks::<2>().0.iter().map(|[_, hessian]| hessian).sum()
}

/// The best split of a leaf with these histograms and, in all, these sums.
pub(super) fn best(columns: &[Column], histograms: &[f32], all: &[f32], bounds: Bounds) -> Option<Split> {
    let width = all.len();
    let mut best: Option<Split> = None;
    let (mut first, mut second) = (vec![0.0; width], vec![0.0; width]);
    for (index, (column, bins)) in columns.iter().zip(histograms.chunks_exact(BINS * width)).enumerate() {
        let (order, l2) = match &column.edges {
            Some(edges) => ((0..edges.len()).collect(), bounds.l2),
            None => (by_slope(bins, width, bounds.l2 + CATEGORY_L2), bounds.l2 + CATEGORY_L2),
        };
        let before = score(all, l2);
        first.fill(0.0);
        let mut in_second = u64::MAX;
        for bin in order {
            in_second &= !(1 << bin);
            let sums = &bins[bin * width..(bin + 1) * width];
            for ((first, second), (sum, all)) in first.iter_mut().zip(&mut second).zip(sums.iter().zip(all)) {
                *first += sum;
                *second = all - *first;
            }
            if hessian(&first) < bounds.hessian_min || hessian(&second) < bounds.hessian_min {
                continue;
            }
            let gain = score(&first, l2) + score(&second, l2) - before;
            if gain > best.map_or(GAIN_MIN, |best| best.gain) {
                best = Some(Split { gain, column: index, second: in_second });
            }
        }
    }
    best
}

/// Buckets in use, by their mean gradient in the margin that has most of it (Fisher 1958: of two classes some split along
/// this order is the best of all).
fn by_slope(bins: &[f32], width: usize, l2: f32) -> Vec<usize> {
    let weight = |margin: usize| -> f32 { (0..BINS).map(|bin| bins[bin * width + 2 * margin].abs()).sum() };
    let margin =
        (0..width / 2).fold(0, |most, other| if weight(other) > weight(most) { other } else { most });
    let slope = |bin: usize| bins[bin * width + 2 * margin] / (bins[bin * width + 2 * margin + 1] + l2);
    let mut order: Vec<usize> = (0..BINS).filter(|bin| bins[bin * width + 2 * margin + 1] > 0.0).collect();
    order.sort_by(|a, b| slope(*a).total_cmp(&slope(*b)));
    order
}
