//! Which test would tell a leaf's classes apart best: information gain (Quinlan 1986), in bits.

use super::cells::Runs;
use super::functions::{normal_cdf, x_ln_x};
use super::table::Table;

/// Thresholds tried of a numeric column, evenly between its lowest and highest value (Pfahringer, Holmes and Kirkby,
/// "Handling numeric attributes in Hoeffding trees", 2008), and the places that they take.
const THRESHOLDS: usize = 10;
const PLACES: usize = 12;

/// At least two children must each get more than this share of the weight.
pub(in crate::learn) const BRANCH_SHARE_MIN: f32 = 0.01;

/// How a column would split a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::learn) enum Cut {
    Threshold { place: usize, threshold: f32 },
    Equal { table: usize, row: usize },
    Fan { table: usize },
}

/// The best cut of a column; the merit is below any other if there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::learn) struct Candidate {
    pub merit: f32,
    pub cut: Option<Cut>,
}

impl Candidate {
    pub const NONE: Self = Self { merit: f32::MIN, cut: None };

    /// Keeps the better one; the first of equals.
    fn better(self, other: Self) -> Self {
        if other.merit > self.merit { other } else { self }
    }
}

/// Entropy of weights, in bits.
pub(in crate::learn) fn entropy(weights: impl Iterator<Item = f32>) -> f32 {
    let (mut total, mut sum) = (0.0, 0.0);
    for weight in weights {
        total += weight;
        sum += x_ln_x(weight);
    }
    if total > 0.0 { bits(x_ln_x(total) - sum) / total } else { 0.0 }
}

fn bits(nats: f32) -> f32 {
    nats * std::f32::consts::LOG2_E
}

/// Weight of a class that is at most each of some thresholds, by its normal distribution between its extremes.
#[inline(always)]
fn below<const N: usize>(runs: &Runs<'_>, place: usize, thresholds: &[f32; N]) -> [f32; N] {
    let weight = runs.weight[place];
    let deviation = runs.deviation(place);
    let inverse = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    thresholds.map(|threshold| {
        let part = weight * normal_cdf((threshold - runs.mean[place]) * inverse);
        let part = if threshold < runs.lowest[place] { 0.0 } else { part };
        if threshold >= runs.highest[place] { weight } else { part }
    })
}

/// The best threshold of the numeric column at `place` of a leaf's cells, `[classes]`.
pub(in crate::learn) fn numeric(classes: &[Runs<'_>], place: usize, before: f32) -> Candidate {
    let (mut low, mut high) = (f32::MAX, f32::MIN);
    for runs in classes {
        low = low.min(runs.lowest[place]);
        high = high.max(runs.highest[place]);
    }
    if low >= high {
        return Candidate::NONE;
    }
    let step = (high - low) / (THRESHOLDS + 1) as f32;
    let mut thresholds = [high; PLACES];
    for (index, threshold) in thresholds.iter_mut().take(THRESHOLDS).enumerate() {
        *threshold = low + step * (index + 1) as f32;
    }
    let (mut left, mut all, mut parts) = ([0.0; PLACES], 0.0, [0.0; PLACES]);
    for runs in classes.iter().filter(|runs| runs.weight[place] > 0.0) {
        let weight = runs.weight[place];
        let below = below(runs, place, &thresholds);
        all += weight;
        for index in 0..PLACES {
            left[index] += below[index];
            parts[index] += x_ln_x(below[index]) + x_ln_x(weight - below[index]);
        }
    }
    let mut merits = [0.0; PLACES];
    for index in 0..PLACES {
        let right = all - left[index];
        merits[index] = before - bits(x_ln_x(left[index]) + x_ln_x(right) - parts[index]) / all;
    }
    let mut best = Candidate::NONE;
    for index in 0..THRESHOLDS {
        let (threshold, left) = (thresholds[index], left[index]);
        let least = BRANCH_SHARE_MIN * all;
        if low < threshold && threshold < high && left > least && all - left > least {
            let cut = Some(Cut::Threshold { place, threshold });
            best = best.better(Candidate { merit: merits[index], cut });
        }
    }
    best
}

/// The best test of a categorical column: one category against the rest, or all of them apart if `fan`.
pub(in crate::learn) fn nominal(table: &Table, index: usize, before: f32, fan: bool) -> Candidate {
    let classes = table.totals.len();
    let all: f32 = table.totals.iter().sum();
    let rows = table.counts.chunks_exact(classes);
    let mut best = Candidate::NONE;
    let (mut after, mut branches) = (0.0, 0);
    for (row, counts) in rows.enumerate() {
        let weight: f32 = counts.iter().sum();
        let within = bits(x_ln_x(weight) - counts.iter().map(|count| x_ln_x(*count)).sum::<f32>());
        after += within;
        branches += usize::from(weight > BRANCH_SHARE_MIN * all);
        let balanced = weight > BRANCH_SHARE_MIN * all && all - weight > BRANCH_SHARE_MIN * all;
        if row < table.categories.len() && balanced {
            let others = counts.iter().zip(&table.totals).map(|(count, total)| x_ln_x(total - count));
            let rest = bits(x_ln_x(all - weight) - others.sum::<f32>());
            let cut = Some(Cut::Equal { table: index, row });
            best = best.better(Candidate { merit: before - (within + rest) / all, cut });
        }
    }
    if fan && branches >= 2 {
        let candidate = Candidate { merit: before - after / all, cut: Some(Cut::Fan { table: index }) };
        // Of equals the fan wins, as where there are but two categories.
        return candidate.better(best);
    }
    best
}

/// Weights of the classes in the children of a cut: `[children, classes]`.
pub(in crate::learn) fn children(cut: Cut, classes: &[Runs<'_>], tables: &[Table]) -> Vec<f64> {
    match cut {
        Cut::Threshold { place, threshold } => {
            let [mut left, mut right] = [Vec::new(), Vec::new()];
            for runs in classes {
                let [below] = below(runs, place, &[threshold]);
                left.push(f64::from(below));
                right.push(f64::from(runs.weight[place] - below));
            }
            left.extend(right);
            left
        }
        Cut::Equal { table, row } => {
            let Table { counts, totals, .. } = &tables[table];
            let counts = &counts[row * totals.len()..(row + 1) * totals.len()];
            let rest = totals.iter().zip(counts).map(|(total, count)| f64::from((total - count).max(0.0)));
            counts.iter().map(|count| f64::from(*count)).chain(rest).collect()
        }
        Cut::Fan { table } => tables[table].counts.iter().map(|count| f64::from(*count)).collect(),
    }
}
