//! Means of the target for each category, with smoothing (Micci-Barreca, 2001), from labels already learned only: one
//! that remembers and one that forgets fast, for labels of one category come in clusters.

use super::paged::Paged;
use super::scores::ln;
use crate::learn::{Objective, Shape};
use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// Places that a column's categories are hashed to, as a power of two.
const BITS: u32 = 12;

/// Examples after which a mean forgets.
const LONG: f32 = 2_000.0;
const SHORT: f32 = 12.0;

/// Examples that the mean of all counts as.
const PRIOR: f32 = 8.0;

/// The most classes, the first ones, and columns that are encoded; pairs of columns are where there are no more than so many.
const CLASSES_MAX: usize = 7;
const COLUMNS_MAX: usize = 24;
const PAIRED_MAX: usize = 5;

/// Numbers that a category has: one for two classes and for values, one a class for more. Where classes are discovered
/// there is room for many, and the first are those that there are.
fn means(objective: Objective) -> usize {
    match objective {
        Objective::Classify { classes: 2 } | Objective::Regress => 1,
        Objective::Classify { classes } => classes.min(CLASSES_MAX),
    }
}

/// The columns and pairs of columns that are encoded.
fn groups(shape: &Shape) -> Vec<(usize, usize)> {
    let columns = shape.categorical.min(COLUMNS_MAX);
    let mut groups: Vec<(usize, usize)> = (0..columns).map(|column| (column, column)).collect();
    if columns <= PAIRED_MAX {
        groups.extend((0..columns).flat_map(|a| (a + 1..columns).map(move |b| (a, b))));
    }
    groups
}

#[derive(Debug, Clone)]
pub(super) struct Targets {
    objective: Objective,
    groups: Vec<(usize, usize)>,
    means: usize,
    /// `[means]`, of all examples.
    all: Vec<f32>,
    learned: f32,
    /// `[groups << BITS]` items: examples, slow means, fast means.
    table: Paged,
}

impl Targets {
    pub fn new(shape: &Shape) -> Self {
        let (groups, means) = (groups(shape), means(shape.objective));
        Self {
            objective: shape.objective,
            means,
            all: vec![0.0; means],
            learned: 0.0,
            table: Paged::new(groups.len() << BITS, 1 + 2 * means),
            groups,
        }
    }

    /// Columns that [`Targets::columns`] fills.
    pub fn width(shape: &Shape) -> usize {
        2 * means(shape.objective) * groups(shape).len()
    }

    fn place(&self, group: usize, categorical: &[u64]) -> usize {
        let (a, b) = self.groups[group];
        let pair = if a == b { 0 } else { categorical[b].rotate_left(17) };
        let mixed = (categorical[a] ^ pair).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (group << BITS) + (mixed >> (64 - BITS)) as usize
    }

    /// How a mean stands to that of all: as log-odds for classes.
    fn contrast(&self, mean: f32, all: f32) -> f32 {
        if self.objective == Objective::Regress {
            return (mean - all).clamp(f32::MIN, f32::MAX);
        }
        let odds = |p: f32| {
            let p = p.clamp(1e-3, 1.0 - 1e-3);
            ln(p) - ln(1.0 - p)
        };
        odds(mean) - odds(all)
    }

    /// The columns of a row; missing where nothing was learned.
    pub fn columns(&self, categorical: &[u64], out: &mut [f32]) {
        if self.means == 0 {
            return;
        }
        for (group, out) in out.chunks_exact_mut(2 * self.means).enumerate() {
            match self.table.get(self.place(group, categorical)) {
                Some(item) if item[0] > 0.0 => {
                    for (index, out) in out.iter_mut().enumerate() {
                        *out = self.contrast(item[1 + index], self.all[index % self.means]);
                    }
                }
                _ => out.fill(0.0),
            }
        }
    }

    pub fn learn(&mut self, categorical: &[u64], target: f32, importance: f32) {
        if self.means == 0 || self.groups.is_empty() {
            return;
        }
        let means = self.means;
        let importance = importance.min(8.0);
        let now = |index: usize| match self.objective {
            Objective::Classify { classes } if classes > 2 => f32::from(index == target as usize),
            _ => target,
        };
        for group in 0..self.groups.len() {
            let place = self.place(group, categorical);
            let item = self.table.get_mut(place);
            if item[0] == 0.0 {
                let (slow, fast) = item[1..].split_at_mut(means);
                slow.copy_from_slice(&self.all);
                fast.copy_from_slice(&self.all);
            }
            item[0] = (item[0] + importance).min(LONG);
            let examples = item[0] + PRIOR;
            for index in 0..means {
                for (at, most) in [(1 + index, LONG), (1 + means + index, SHORT)] {
                    let step = importance / examples.min(most);
                    item[at] = toward(item[at], now(index), step);
                }
            }
        }
        self.learned = (self.learned + importance).min(LONG);
        for index in 0..means {
            self.all[index] = toward(self.all[index], now(index), importance / self.learned);
        }
    }

    pub fn is_finite(&self) -> bool {
        self.table.is_finite() && self.all.iter().all(|mean| mean.is_finite())
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("all", &self.all);
        map.put_f32_one("learned", self.learned);
        map.nest("table", self.table.save());
        map
    }

    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let new = Self::new(shape);
        let all = finite(sized(state.f32s("all")?, new.means, "all")?, "all")?;
        let learned = state.f32_one("learned")?;
        if !(0.0..=LONG).contains(&learned) {
            return Err(mismatch("learned", learned, format_args!("0 to {LONG}")));
        }
        let table = crate::learn::encode::read_under(state, "table", |state| {
            Paged::load(new.groups.len() << BITS, 1 + 2 * new.means, state)
        })?;
        Ok(Self { all, learned, table, ..new })
    }
}

/// A step from a mean towards a value, both of any size.
fn toward(mean: f32, value: f32, step: f32) -> f32 {
    mean * (1.0 - step) + value * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_count_by_their_importance() {
        let shape = Shape { numeric: 0, categorical: 1, objective: Objective::Classify { classes: 2 } };
        let mut targets = Targets::new(&shape);
        for row in 0..200 {
            targets.learn(&[row % 2], f32::from(row % 4 < 2), if row % 4 < 2 { 4.0 } else { 0.25 });
            targets.learn(&[9], 0.0, 4.0);
        }
        let mut out = [0.0; 2];
        targets.columns(&[1], &mut out);
        assert!(out[0] > 1.0, "{out:?}");
    }

    #[test]
    fn of_more_classes_than_are_encoded_the_first_are() {
        let shape = Shape { numeric: 0, categorical: 1, objective: Objective::Classify { classes: 32 } };
        let mut targets = Targets::new(&shape);
        (0..100_u64).for_each(|row| targets.learn(&[row % 3], (row % 3) as f32, 1.0));
        let mut out = vec![0.0; Targets::width(&shape)];
        targets.columns(&[2], &mut out);
        assert!(out[2] > 1.0 && out[0] < -1.0 && out[1] < -1.0, "{out:?}");
    }

    #[test]
    fn a_count_that_cannot_be_is_refused() {
        let shape = Shape { numeric: 0, categorical: 1, objective: Objective::Regress };
        for odd in [-1.0, LONG + 1.0, f32::INFINITY] {
            let mut state = Targets::new(&shape).save();
            state.put_f32_one("learned", odd);
            let error = Targets::load(&shape, &state).unwrap_err().to_string();
            assert!(error.contains("learned"), "{error}");
        }
    }
}
