use super::scan::{LANES, Nearest, Query, distances};
use super::window::{Place, Window};
use crate::learn::Objective;
use crate::learn::encode::read_under;
use crate::state::{StateError, TensorMap, finite, sized};

/// Rows among which neighbours are looked for: the last ones, if the memory has as many.
const ROWS: usize = 256;

/// Rows without which nothing is said.
const ROWS_MIN: usize = 32;

/// Neighbours on either side; in a regression, of all.
const NEIGHBOURS: usize = 5;
const NEIGHBOURS_REGRESS: usize = 10;

/// From so many rows on only every fourth is held against the others.
const ROWS_ALL: u64 = 512;

/// Updates after which older ones count less.
const UPDATES_MAX: u64 = 500;

/// Updates that equal weights count as.
const UPDATES_EQUAL: f32 = 50.0;

/// Differences count as at most so many deviations.
const DEVIATIONS_MAX: f32 = 4.0;

/// What the square of a column's difference counts at least, beside the most relevant one.
const SHARE_MIN: f32 = 1e-3;

/// How much each column has to say about the target, from differences between neighbours: ReliefF (Kononenko, 1994,
/// "Estimating attributes: analysis and extensions of RELIEF"), RReliefF in a regression (Robnik-Šikonja and Kononenko,
/// 2003), run along the stream with a memory that fades.
///
/// In a column that matters, the nearest rows of another class differ more than those of the same class. The square of a
/// difference is weighed by that excess, in proportion to the largest, so that columns that say nothing do not drown
/// the others, as they do where all are scaled alike. The neighbours here are by the plain distance.
#[derive(Debug, Clone)]
pub(super) struct Relevance {
    objective: Objective,
    numeric: usize,
    rows_max: usize,
    pool: Window,
    /// Rows learned, and how often means were updated.
    rows: u64,
    updates: u64,
    /// Fading means: of each column, by how much rows of another class differ more; in a regression of the difference
    /// in targets, in each column, and of the product of both.
    means: Vec<f32>,
    /// `[numeric + categorical]`, what differences are multiplied by; follows from the means.
    weights: Vec<f32>,
}

/// A row as the relevance sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub numbers: &'a [f32],
    pub codes: &'a [u32],
    /// One over the deviation of each numeric column, and the squared distance of two categories.
    pub metric: (&'a [f32], &'a [f32]),
    pub target: f32,
    pub importance: f32,
}

impl Relevance {
    /// Of a memory of `rows_max` rows.
    pub fn new(objective: Objective, numeric: usize, categorical: usize, rows_max: usize) -> Self {
        let columns = numeric + categorical;
        let means = if objective == Objective::Regress { 1 + 2 * columns } else { columns };
        Self {
            objective,
            numeric,
            rows_max,
            pool: Window::new(ROWS.min(rows_max), numeric, categorical),
            rows: 0,
            updates: 0,
            means: vec![0.0; means],
            weights: vec![1.0; columns],
        }
    }

    /// What differences in each column are multiplied by, numeric ones first; from 0 to 1.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Learns from a row that has its importance.
    pub fn learn(&mut self, seen: Seen<'_>) {
        self.rows += 1;
        if self.pool.len() >= ROWS_MIN && (self.rows < ROWS_ALL || self.rows.is_multiple_of(4)) {
            match self.objective {
                Objective::Classify { .. } => self.compare_classes(seen),
                Objective::Regress => self.compare_values(seen),
            }
        }
        self.pool.push(seen.numbers, seen.codes, seen.target, seen.importance);
    }

    /// The nearest rows that `takes` takes.
    fn near(&self, seen: Seen<'_>, k: usize, takes: impl Fn(f32) -> bool) -> Nearest {
        let (scales, mismatches) = seen.metric;
        let query = Query { numbers: seen.numbers, scales, codes: seen.codes, mismatches };
        let mut nearest = Nearest::new(k);
        for (index, block, first) in self.pool.newest_first() {
            for group in (first / LANES..block.len.div_ceil(LANES)).rev() {
                let Some(squares) = distances(block, group, &query, nearest.bound()) else {
                    continue;
                };
                let start = group * LANES;
                for row in (first.max(start)..block.len.min(start + LANES)).rev() {
                    if takes(block.targets[row]) {
                        nearest.offer(squares[row - start], Place { block: index, row: row as u32 });
                    }
                }
            }
        }
        nearest
    }

    /// By how much a row differs from another in each column, in deviations: adds `share` of it.
    fn add_differences(&self, seen: Seen<'_>, other: Place, share: f32, out: &mut [f32]) {
        let (block, row) = (self.pool.block(other), other.row as usize);
        let (scales, mismatches) = seen.metric;
        let (numeric, categorical) = out.split_at_mut(self.numeric);
        let columns = block.numbers.iter().zip(seen.numbers).zip(scales);
        for (out, ((column, number), scale)) in numeric.iter_mut().zip(columns) {
            let difference = ((column[row] - number) * scale).abs();
            // The other way round than `min`, for a NaN.
            let difference = if difference < DEVIATIONS_MAX { difference } else { DEVIATIONS_MAX };
            *out += share * if *scale > 0.0 { difference } else { 0.0 };
        }
        let columns = block.codes.iter().zip(seen.codes).zip(mismatches);
        for (out, ((column, code), mismatch)) in categorical.iter_mut().zip(columns) {
            let difference = if column[row] == *code { 0.0 } else { mismatch.sqrt().min(DEVIATIONS_MAX) };
            *out += share * difference;
        }
    }

    fn compare_classes(&mut self, seen: Seen<'_>) {
        let hits = self.near(seen, NEIGHBOURS, |target| target == seen.target);
        let misses = self.near(seen, NEIGHBOURS, |target| target != seen.target);
        if hits.found().is_empty() || misses.found().is_empty() {
            return;
        }
        let mut excess = vec![0.0; self.weights.len()];
        for (near, sign) in [(&hits, -1.0), (&misses, 1.0)] {
            let share = sign / near.found().len() as f32;
            near.found().iter().for_each(|(_, place)| self.add_differences(seen, *place, share, &mut excess));
        }
        self.fade_to(&excess);
    }

    fn compare_values(&mut self, seen: Seen<'_>) {
        let near = self.near(seen, NEIGHBOURS_REGRESS, |_| true);
        let columns = self.weights.len();
        let share = 1.0 / near.found().len() as f32;
        let mut all = vec![0.0; 1 + 2 * columns];
        // Differences in targets by their rank among the neighbours: free of the unit, and of outliers.
        let mut order: Vec<Place> = near.found().iter().map(|(_, place)| *place).collect();
        let off = |place: &Place| (f64::from(self.pool.target(*place)) - f64::from(seen.target)).abs();
        order.sort_by(|a, b| off(a).total_cmp(&off(b)));
        let mut differences = vec![0.0; columns];
        for (rank, place) in order.iter().enumerate() {
            let apart = (rank as f32 + 0.5) * share;
            differences.fill(0.0);
            self.add_differences(seen, *place, 1.0 / DEVIATIONS_MAX, &mut differences);
            all[0] += share * apart;
            for (column, difference) in differences.iter().enumerate() {
                all[1 + column] += share * difference;
                all[1 + columns + column] += share * difference * apart;
            }
        }
        self.fade_to(&all);
    }

    fn fade_to(&mut self, values: &[f32]) {
        self.updates += 1;
        let rate = 1.0 / self.updates.min(UPDATES_MAX) as f32;
        for (mean, value) in self.means.iter_mut().zip(values) {
            *mean += rate * (value - *mean);
        }
        self.weigh();
    }

    fn weigh(&mut self) {
        let columns = self.weights.len();
        let score = |column: usize| match self.objective {
            Objective::Classify { .. } => self.means[column],
            Objective::Regress => {
                let (apart, differ) = (self.means[0], self.means[1 + column]);
                let both = self.means[1 + columns + column];
                if apart > 0.0 && apart < 1.0 { both / apart - (differ - both) / (1.0 - apart) } else { 0.0 }
            }
        };
        let largest = (0..columns).map(score).fold(0.0, f32::max);
        // Few comparisons say little.
        let known = self.updates as f32 / (self.updates as f32 + UPDATES_EQUAL);
        for column in 0..columns {
            let share = if largest > 0.0 { (score(column) / largest).max(SHARE_MIN) } else { 1.0 };
            self.weights[column] = (1.0 + known * (share - 1.0)).sqrt();
        }
    }

    /// `rows`, `updates` and `means`; the rows are the last of the memory.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64("counts", &[self.rows, self.updates]);
        map.put_f32("means", &self.means);
        map
    }

    /// What [`Relevance::save`] wrote, with the last rows of a memory, oldest first.
    pub fn loaded<'a>(
        &self,
        state: &TensorMap,
        rows: impl Iterator<Item = (&'a super::window::Block, usize)>,
    ) -> Result<Self, StateError> {
        read_under(state, "relevance", |state| {
            let counts = sized(state.u64s("counts")?, 2, "counts")?;
            let means = finite(sized(state.f32s("means")?, self.means.len(), "means")?, "means")?;
            let categorical = self.weights.len() - self.numeric;
            let mut loaded = Self::new(self.objective, self.numeric, categorical, self.rows_max);
            (loaded.rows, loaded.updates, loaded.means) = (counts[0], counts[1], means);
            let (mut numbers, mut codes) = (Vec::new(), Vec::new());
            for (block, row) in rows {
                block.row_into(row, &mut numbers, &mut codes);
                loaded.pool.push(&numbers, &codes, block.targets[row], block.weights[row]);
            }
            if loaded.updates > 0 {
                loaded.weigh();
            }
            Ok(loaded)
        })
    }

    /// Rows of the memory that [`Relevance::loaded`] needs.
    pub const fn rows_needed() -> usize {
        ROWS
    }
}

/// Scales and mismatches of a query: those of the columns, weighed.
#[derive(Debug, Clone, Default)]
pub(super) struct Weighed {
    pub scales: Vec<f32>,
    pub mismatches: Vec<f32>,
}

impl Weighed {
    /// `weights` as [`Relevance::weights`] has them; none: all alike.
    pub fn set(&mut self, scales: &[f32], (mismatch, categorical): (f32, usize), weights: Option<&[f32]>) {
        self.scales.clear();
        self.scales.extend_from_slice(scales);
        self.mismatches.clear();
        self.mismatches.resize(categorical, mismatch);
        if let Some(weights) = weights {
            let (numeric, categorical) = weights.split_at(scales.len());
            self.scales.iter_mut().zip(numeric).for_each(|(scale, weight)| *scale *= weight);
            // A mismatch is a square.
            let mismatches = self.mismatches.iter_mut().zip(categorical);
            mismatches.for_each(|(mismatch, weight)| *mismatch *= weight * weight);
        }
    }

    pub fn metric(&self) -> (&[f32], &[f32]) {
        (&self.scales, &self.mismatches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::testing::{BINARY, SplitMix};

    /// Weights after rows of three numeric columns and one categorical, of which `target` makes a target.
    fn weights(objective: Objective, rows: usize, target: impl Fn(&[f32], u32, usize) -> f32) -> Vec<f32> {
        let mut random = SplitMix(2);
        let mut relevance = Relevance::new(objective, 3, 1, 1_000);
        for row in 0..rows {
            let numbers: Vec<f32> = (0..3).map(|_| random.unit_f32()).collect();
            let code = random.below(4) as u32;
            relevance.learn(Seen {
                numbers: &numbers,
                codes: &[code],
                metric: (&[3.5, 3.5, 3.5], &[2.0]),
                target: target(&numbers, code, row),
                importance: 1.0,
            });
        }
        relevance.weights().to_vec()
    }

    #[test]
    fn columns_that_decide_weigh_more_than_the_others() {
        let number = weights(BINARY, 1_000, |numbers, _, _| f32::from((numbers[1] * 3.0) as i32 % 2 == 0));
        assert!(number[1] == 1.0 && [0, 2, 3].iter().all(|at| number[*at] < 0.5), "{number:?}");
        let category = weights(BINARY, 1_000, |_, code, _| f32::from(code == 2));
        assert!(category[3] == 1.0 && category[..3].iter().all(|weight| *weight < 0.5), "{category:?}");
        let value = weights(Objective::Regress, 1_000, |numbers, _, _| 1e20 * numbers[0] * numbers[0]);
        assert!(value[0] == 1.0 && value[1..].iter().all(|weight| *weight < 0.6), "{value:?}");
    }

    #[test]
    fn where_all_matter_alike_all_weigh_alike_and_a_change_is_followed() {
        let alike = weights(BINARY, 3_000, |numbers, _, _| f32::from(numbers.iter().sum::<f32>() > 1.5));
        assert!(alike[..3].iter().all(|weight| *weight > 0.8), "{alike:?}");
        let changed =
            weights(BINARY, 6_000, |numbers, _, row| f32::from(numbers[usize::from(row > 2_000)] > 0.5));
        assert!(changed[1] == 1.0 && changed[0] < 0.5, "{changed:?}");
    }

    #[test]
    fn of_few_rows_or_one_class_nothing_is_said() {
        assert_eq!(weights(BINARY, 20, |numbers, _, _| f32::from(numbers[0] > 0.5)), [1.0; 4]);
        assert_eq!(weights(BINARY, 500, |_, _, _| 1.0), [1.0; 4]);
    }
}
