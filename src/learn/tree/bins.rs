//! Numeric observers of a regression: the targets' moments in bins of a column's values, at most [`BINS`] of them.
//!
//! The bins place themselves, as in the histogram of Ben-Haim and Tom-Tov ("A streaming parallel decision tree
//! algorithm", JMLR 11, 2010): a new value is a bin of its own, and the two neighbours that cost least are merged. The
//! cost here is by how much the variance within bins rises (Ward 1963), so that a value far off costs one bin, not the
//! resolution of all others.

/// Bins of a column.
pub(in crate::learn) const BINS: usize = 32;

/// Numbers that a column takes: four runs of [`BINS`], the values in rising order, then weight, sum and sum of squares of
/// the targets. Bins that are not in use are at the end, with [`EMPTY`] for a value.
pub(in crate::learn) const COLUMN: usize = 4 * BINS;

/// Above every value.
const EMPTY: f32 = f32::MAX;

/// Where sums stop growing.
const SUM_MAX: f32 = 1e37;

/// Adds weight, sum and sum of squares to others.
#[inline(always)]
pub(in crate::learn) fn add_moments(to: &mut [f32], moments: [f32; 3]) {
    for (to, moment) in to.iter_mut().zip(moments) {
        *to = (*to + moment).clamp(-SUM_MAX, SUM_MAX);
    }
}

/// Weight, sum and sum of squares of one target, told from a centre.
#[inline(always)]
pub(in crate::learn) fn moments(deviation: f32, weight: f32) -> [f32; 3] {
    let sum = weight * deviation;
    [weight, sum.clamp(-SUM_MAX, SUM_MAX), (sum * deviation).clamp(0.0, SUM_MAX)]
}

pub(in crate::learn) fn clear(column: &mut [f32]) {
    column.fill(0.0);
    column[..BINS].fill(EMPTY);
}

/// A column's bins in use.
pub(in crate::learn) struct Bins<'a> {
    pub values: &'a [f32],
    pub weights: &'a [f32],
    pub sums: &'a [f32],
    pub squares: &'a [f32],
}

impl<'a> Bins<'a> {
    pub fn new(column: &'a [f32]) -> Self {
        let len = column[..BINS].partition_point(|value| *value < EMPTY);
        let run = |index: usize| &column[index * BINS..index * BINS + len];
        Self { values: run(0), weights: run(1), sums: run(2), squares: run(3) }
    }
}

/// By how much squared deviations rise if two bins become one.
#[inline(always)]
fn cost(gap: f32, first: f32, second: f32) -> f32 {
    gap * gap * (first * (second / (first + second)))
}

/// Takes a finite value below [`EMPTY`] in, with the moments of its target.
#[inline]
pub(in crate::learn) fn observe(column: &mut [f32], value: f32, moments: [f32; 3]) {
    let values = &column[..BINS];
    let place: usize = values.iter().map(|other| usize::from(*other < value)).sum();
    if place < BINS && values[place] == value {
        return add(column, place, moments);
    }
    if values[BINS - 1] == EMPTY {
        let len = values.partition_point(|value| *value < EMPTY);
        return insert(column, place, len, value, moments);
    }
    let weights = &column[BINS..2 * BINS];
    let (mut least, mut at) = (f32::INFINITY, 0);
    for index in 0..BINS - 1 {
        let cost = cost(values[index + 1] - values[index], weights[index], weights[index + 1]);
        (least, at) = if cost < least { (cost, index) } else { (least, at) };
    }
    let beside = |bin: usize| cost(values[bin] - value, weights[bin], moments[0]);
    let below = if place > 0 { beside(place - 1) } else { f32::INFINITY };
    let above = if place < BINS { beside(place) } else { f32::INFINITY };
    if below.min(above) <= least {
        let bin = if place > 0 && below <= above { place - 1 } else { place };
        let weight = weights[bin];
        column[bin] += (value - column[bin]) * (moments[0] / (weight + moments[0]));
        return add(column, bin, moments);
    }
    merge(column, at);
    insert(column, if at < place { place - 1 } else { place }, BINS - 1, value, moments);
}

fn add(column: &mut [f32], bin: usize, moments: [f32; 3]) {
    for (run, moment) in moments.into_iter().enumerate() {
        let sum = &mut column[(run + 1) * BINS + bin];
        *sum = (*sum + moment).clamp(-SUM_MAX, SUM_MAX);
    }
}

/// Puts a bin at `place` among `len`, fewer than there may be.
fn insert(column: &mut [f32], place: usize, len: usize, value: f32, moments: [f32; 3]) {
    let [weight, sum, square] = moments;
    for (run, number) in [value, weight, sum, square].into_iter().enumerate() {
        let start = run * BINS;
        column.copy_within(start + place..start + len, start + place + 1);
        column[start + place] = number;
    }
}

/// Makes one of the bins `at` and `at + 1` of a column whose bins are all in use; the last is free then.
fn merge(column: &mut [f32], at: usize) {
    let (first, second) = (column[BINS + at], column[BINS + at + 1]);
    column[at] += (column[at + 1] - column[at]) * (second / (first + second));
    add(column, at, [1, 2, 3].map(|run| column[run * BINS + at + 1]));
    for run in 0..4 {
        let start = run * BINS;
        column.copy_within(start + at + 2..start + BINS, start + at + 1);
        column[start + BINS - 1] = if run == 0 { EMPTY } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SplitMix;

    fn filled(values: impl Iterator<Item = (f32, f32)>) -> Vec<f32> {
        let mut column = vec![0.0; COLUMN];
        clear(&mut column);
        values.for_each(|(value, target)| observe(&mut column, value, moments(target, 1.0)));
        column
    }

    #[test]
    fn few_values_have_bins_of_their_own_in_their_order() {
        let column = filled([(3.0, 1.0), (1.0, 5.0), (3.0, 2.0), (2.0, -1.0)].into_iter());
        let bins = Bins::new(&column);
        assert_eq!(bins.values, [1.0, 2.0, 3.0]);
        assert_eq!((bins.weights, bins.sums), (&[1.0, 1.0, 2.0][..], &[5.0, -1.0, 3.0][..]));
        assert_eq!(bins.squares, [25.0, 1.0, 5.0]);
    }

    #[test]
    fn many_values_keep_their_order_and_their_sums_and_a_far_one_costs_a_single_bin() {
        let mut random = SplitMix(3);
        let values: Vec<f32> = (0..5_000).map(|_| random.unit_f32()).chain([1e18]).collect();
        let column = filled(values.iter().map(|value| (*value, 1.0)));
        let bins = Bins::new(&column);
        assert_eq!(bins.values.len(), BINS);
        assert!(bins.values.is_sorted());
        assert_eq!(bins.weights.iter().sum::<f32>(), 5_001.0);
        assert_eq!((bins.values[BINS - 1], bins.weights[BINS - 1]), (1e18, 1.0));
        // No bin has more than five times its share.
        assert!(bins.weights.iter().all(|weight| *weight < 5.0 * 5_001.0 / 31.0), "{:?}", bins.weights);
    }

    #[test]
    fn the_largest_and_the_smallest_leave_everything_finite() {
        let mut column = vec![0.0; COLUMN];
        clear(&mut column);
        for step in 0..200_u32 {
            let value = [1e18, -1e18, 1e-45, 0.0][step as usize % 4] * (1.0 + step as f32);
            observe(&mut column, value.clamp(-1e18, 1e18), moments([2e18, -2e18][step as usize % 2], 1e6));
            observe(&mut column, step as f32, moments(1.0, 1e-45));
        }
        assert!(column.iter().all(|number| number.is_finite()));
        assert!(Bins::new(&column).values.is_sorted());
    }
}
