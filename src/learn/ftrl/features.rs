use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::table::LANES;
use crate::learn::{ColumnIndex, Columns, Objective};

/// Seeds of what a name is hashed for, so that columns of one name and two kinds do not meet.
const BIAS: u64 = 1;
const NUMERIC: u64 = 2;
const MISSING: u64 = 3;
const CATEGORICAL: u64 = 4;

/// Odd, without a pattern: 2^64 over the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which slots of the table a row's features have, and what their values are.
///
/// The features of a row are, in this order: the bias; each numeric column, or where its value is missing, that it is;
/// each category (the missing one is a category); each cross. A slot follows from a column's name, not from its place,
/// and from the category. Features whose slots are the same share a weight (Weinberger et al., 2009).
///
/// With more than two classes, a slot is the first of [`lines`](Features::lines) whole lines of the table.
#[derive(Debug, Clone)]
pub(super) struct Features {
    bits: u32,
    /// Slots are multiples of 2 to the power of this.
    group: u32,
    lines: usize,
    bias: u32,
    /// Slot of each numeric column's value, and of its being missing.
    numeric: Vec<[u32; 2]>,
    /// What each categorical column adds to the hash.
    categorical: Vec<u64>,
    crosses: Vec<Cross>,
}

/// A pair of columns.
#[derive(Debug, Clone, Copy)]
enum Cross {
    /// The product of two values, 0 where one is missing.
    Numbers { first: usize, second: usize, slot: u32 },
    /// A value, with a weight for each category.
    Mixed { number: usize, category: usize, salt: u64 },
    /// That both categories are there.
    Categories { first: usize, second: usize, salts: [u64; 2] },
}

impl Features {
    /// `crosses` name pairs of `columns`; the configuration's check has seen that they do.
    pub fn new(bits: u32, columns: &Columns, crosses: &[String], objective: Objective) -> Self {
        let (group, lines) = match objective {
            Objective::Classify { classes } if classes > 2 => (LANES.ilog2(), classes.div_ceil(LANES)),
            Objective::Classify { .. } | Objective::Regress => (0, 1),
        };
        let mut features = Self {
            bits,
            group,
            lines,
            bias: 0,
            numeric: Vec::new(),
            categorical: columns.categorical.iter().map(|name| salt(name, CATEGORICAL)).collect(),
            crosses: Vec::new(),
        };
        features.bias = features.slot(salt("", BIAS));
        let numeric = columns.numeric.iter();
        features.numeric =
            numeric.map(|name| [NUMERIC, MISSING].map(|seed| features.slot(salt(name, seed)))).collect();
        features.crosses = crosses
            .iter()
            .map(|pair| {
                let found = columns.find_pair(pair).expect("crosses are checked with the configuration");
                features.cross(found, columns)
            })
            .collect();
        features
    }

    fn cross(&self, pair: (ColumnIndex, ColumnIndex), columns: &Columns) -> Cross {
        let number = |index: usize| salt(&columns.numeric[index], NUMERIC);
        let category = |index: usize| salt(&columns.categorical[index], CATEGORICAL);
        match pair {
            (ColumnIndex::Numeric(first), ColumnIndex::Numeric(second)) => {
                let slot = self.slot(fold(number(first), number(second)));
                Cross::Numbers { first, second, slot }
            }
            (ColumnIndex::Numeric(number_at), ColumnIndex::Categorical(category_at))
            | (ColumnIndex::Categorical(category_at), ColumnIndex::Numeric(number_at)) => Cross::Mixed {
                number: number_at,
                category: category_at,
                salt: fold(number(number_at), category(category_at)),
            },
            (ColumnIndex::Categorical(first), ColumnIndex::Categorical(second)) => Cross::Categories {
                first,
                second,
                salts: [category(first), category(second).rotate_left(32)],
            },
        }
    }

    /// The slot of a hash.
    #[inline(always)]
    fn slot(&self, hash: u64) -> u32 {
        ((hash.wrapping_mul(SPREAD) >> (64 - (self.bits - self.group))) as u32) << self.group
    }

    /// Slots that there are.
    pub fn slots(&self) -> usize {
        1 << self.bits
    }

    /// Lines of the table that a feature's scores have, where there is more than one score.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Features of a row.
    pub fn len(&self) -> usize {
        1 + self.numeric.len() + self.categorical.len() + self.crosses.len()
    }

    /// Numbers that a row of values has: the features, and zeros up to whole vectors.
    pub fn stride(&self) -> usize {
        self.len().next_multiple_of(LANES)
    }

    /// Writes the slots of a row's features, `[len]`.
    #[inline(always)]
    pub fn hash(&self, numeric: &[f32], categorical: &[u64], slots: &mut [u32]) {
        let (first, rest) = slots.split_at_mut(1);
        first[0] = self.bias;
        let (numbers, rest) = rest.split_at_mut(self.numeric.len());
        for (slot, (value, [present, missing])) in numbers.iter_mut().zip(numeric.iter().zip(&self.numeric)) {
            *slot = if value.is_nan() { *missing } else { *present };
        }
        let (categories, crosses) = rest.split_at_mut(self.categorical.len());
        for (slot, (category, salt)) in categories.iter_mut().zip(categorical.iter().zip(&self.categorical)) {
            *slot = self.slot(category ^ salt);
        }
        for (slot, cross) in crosses.iter_mut().zip(&self.crosses) {
            *slot = match *cross {
                Cross::Numbers { slot, .. } => slot,
                Cross::Mixed { category, salt, .. } => self.slot(categorical[category] ^ salt),
                Cross::Categories { first, second, salts } => {
                    self.slot(fold(categorical[first] ^ salts[0], categorical[second] ^ salts[1]))
                }
            };
        }
    }

    /// A row of values before any row: 1 for the bias and the categories, 0 behind the features.
    pub fn blank(&self) -> Vec<f32> {
        let mut values = vec![1.0; self.len()];
        values.resize(self.stride(), 0.0);
        values
    }

    /// Where in a row of values the numeric columns' are.
    pub fn numbers(&self) -> std::ops::Range<usize> {
        1..1 + self.numeric.len()
    }

    /// Completes a row of values that is [`blank`](Features::blank) but for the numeric columns' scaled values, 0 where
    /// missing, as the raw row `numeric` says.
    #[inline(always)]
    pub fn complete(&self, numeric: &[f32], values: &mut [f32]) {
        let start = self.len() - self.crosses.len();
        for (index, cross) in self.crosses.iter().enumerate() {
            match *cross {
                Cross::Numbers { first, second, .. } => {
                    values[start + index] = values[1 + first] * values[1 + second];
                }
                Cross::Mixed { number, .. } => values[start + index] = values[1 + number],
                Cross::Categories { .. } => {}
            }
        }
        for (value, raw) in values[1..].iter_mut().zip(numeric) {
            *value = if raw.is_nan() { 1.0 } else { *value };
        }
    }
}

fn salt(name: &str, seed: u64) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), seed)
}

/// Two hashes in one: the halves of their product, together.
#[inline(always)]
fn fold(first: u64, second: u64) -> u64 {
    let product = u128::from(first) * u128::from(second);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINARY: Objective = Objective::Classify { classes: 2 };

    fn slots(features: &Features, numeric: &[f32], categorical: &[u64]) -> Vec<u32> {
        let mut slots = vec![0; features.len()];
        features.hash(numeric, categorical, &mut slots);
        slots
    }

    #[test]
    fn a_slot_follows_from_name_and_category_and_not_from_the_column_s_place() {
        let columns = |names: &[&str]| Columns {
            numeric: vec![],
            categorical: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let two = Features::new(20, &columns(&["a", "b"]), &[], BINARY);
        let three = Features::new(20, &columns(&["a", "aa", "b"]), &[], BINARY);
        let (two, three) = (slots(&two, &[], &[7, 7]), slots(&three, &[], &[7, 9, 7]));
        assert_eq!((two[1], two[2]), (three[1], three[3]));
        assert_ne!(two[1], two[2]);
    }

    #[test]
    fn slots_are_spread_evenly() {
        let columns = Columns::numbered(0, 2);
        let features = Features::new(10, &columns, &["categorical0*categorical1".into()], BINARY);
        let mut counts = [[0_u32; 1 << 10]; 2];
        for first in 0..128 {
            for second in 0..128 {
                let slots = slots(&features, &[], &[first, second]);
                counts[0][slots[3] as usize] += 1;
            }
            counts[1][slots(&features, &[], &[first, 0])[1] as usize] += 1;
        }
        // 16 a slot on the mean: a Poisson variable stays within 2 and 40 in all but one of 10^6 tables.
        assert!(counts[0].iter().all(|count| (2..=40).contains(count)));
        // 128 categories among 1024 slots: about 8 collide.
        assert!(counts[1].iter().filter(|count| **count > 0).count() > 105);
    }

    #[test]
    fn values_are_numbers_ones_and_products_and_a_missing_one_is_a_feature_of_its_own() {
        let columns = Columns::numbered(2, 1);
        let crosses =
            ["numeric0*numeric1", "categorical0*numeric1", "categorical0*categorical0"].map(String::from);
        let features = Features::new(20, &columns, &crosses, BINARY);
        let values = |numeric: [f32; 2]| {
            let mut values = features.blank();
            values[1..3].copy_from_slice(&numeric.map(|value| if value.is_nan() { 0.0 } else { value }));
            features.complete(&numeric, &mut values);
            values
        };
        assert_eq!(values([2.0, 3.0]), [1.0, 2.0, 3.0, 1.0, 6.0, 3.0, 1.0, 0.0]);
        assert_eq!(values([2.0, f32::NAN]), [1.0, 2.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
        let [present, missing] = [3.0, f32::NAN].map(|value| slots(&features, &[2.0, value], &[5]));
        assert_eq!(present[..2], missing[..2]);
        assert_ne!(present[2], missing[2]);
    }

    #[test]
    fn with_many_classes_a_slot_is_the_first_of_a_line() {
        let features = Features::new(12, &Columns::numbered(0, 1), &[], Objective::Classify { classes: 9 });
        assert_eq!(features.lines(), 2);
        for category in 0..1_000 {
            let slot = slots(&features, &[], &[category])[1] as usize;
            assert!(slot.is_multiple_of(LANES) && slot < features.slots());
        }
    }
}
