//! What a leaf says of a row: the shares of its classes, or naive Bayes over what it watches.

use super::cells;
use super::row::Row;
use super::table::Table;
use crate::learn::exponential::exp;

/// The log weight of a class that was not seen.
pub(in crate::learn) const UNSEEN: f32 = f32::MIN;

/// What a leaf watches, as a learner or a predictor holds it.
#[derive(Debug, Clone, Copy)]
pub(in crate::learn) struct Watched<'a> {
    /// `[width]`: numeric columns.
    pub columns: &'a [u32],
    /// `[classes, stride]`: see [`cells`].
    pub cells: &'a [f32],
    pub stride: usize,
    /// One a categorical column.
    pub tables: &'a [Table],
    /// `[classes]`: logarithms of the weights, [`UNSEEN`] for none.
    pub logs: &'a [f32],
}

impl Watched<'_> {
    /// Copies the values of the columns out of a row; `[width]`.
    #[inline(always)]
    pub fn gather(&self, row: &Row, xs: &mut Vec<f32>) {
        xs.clear();
        xs.extend(self.columns.iter().map(|column| row.numeric[*column as usize]));
    }

    /// Log of the joint density of class and row, up to a constant, of each class, for values gathered before.
    #[inline(always)]
    pub fn score(&self, row: &Row, xs: &[f32], scores: &mut [f32]) {
        let width = self.columns.len();
        for (class, (score, log)) in scores.iter_mut().zip(self.logs).enumerate() {
            let cells = &self.cells[class * self.stride..];
            *score = if *log > UNSEEN { log + cells::log_density(xs, cells, width) } else { UNSEEN };
        }
        for table in self.tables {
            table.add_log_probability(row.categorical[table.column as usize], scores);
        }
        for (score, log) in scores.iter_mut().zip(self.logs) {
            *score = if *log > UNSEEN { *score } else { UNSEEN };
        }
    }
}

/// The first of the highest.
#[inline(always)]
pub(in crate::learn) fn highest<T: PartialOrd + Copy>(numbers: &[T]) -> usize {
    let mut best = 0;
    for (index, number) in numbers.iter().enumerate().skip(1) {
        if *number > numbers[best] {
            best = index;
        }
    }
    best
}

/// Shares of the classes by their weights; equal ones if there is none.
#[inline(always)]
pub(in crate::learn) fn shares(weights: &[f64], out: &mut [f32]) {
    let total: f64 = weights.iter().sum();
    if total > 0.0 {
        let inverse = 1.0 / total;
        out.iter_mut().zip(weights).for_each(|(out, weight)| *out = (weight * inverse) as f32);
    } else {
        out.fill(1.0 / out.len() as f32);
    }
}

/// Probabilities from scores; classes not seen have none, unless none was seen.
#[inline(always)]
pub(in crate::learn) fn normalise(scores: &[f32], out: &mut [f32]) {
    let top = scores[highest(scores)];
    let mut total = 0.0;
    for (out, score) in out.iter_mut().zip(scores) {
        *out = if *score > UNSEEN || top == UNSEEN { exp(score - top) } else { 0.0 };
        total += *out;
    }
    let inverse = 1.0 / total;
    out.iter_mut().for_each(|out| *out *= inverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_classes_seen() {
        let mut out = [0.0; 3];
        normalise(&[1.0, UNSEEN, 1.0 + std::f32::consts::LN_2], &mut out);
        assert!((out[0] - 1.0 / 3.0).abs() < 1e-6 && (out[2] - 2.0 / 3.0).abs() < 1e-6, "{out:?}");
        assert_eq!(out[1], 0.0);
        for scores in [[UNSEEN; 3], [-3e38; 3], [0.0; 3]] {
            normalise(&scores, &mut out);
            assert!(out.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-6), "{out:?}");
        }
        shares(&[0.0; 3], &mut out);
        assert_eq!(out, [1.0 / 3.0; 3]);
        shares(&[1.0, 0.0, 3.0], &mut out);
        assert_eq!(out, [0.25, 0.0, 0.75]);
    }

    #[test]
    fn the_first_of_equals_is_the_highest() {
        assert_eq!(highest(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(highest(&[0.0]), 0);
    }
}
