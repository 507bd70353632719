use super::{Stage, without_categorical};
use crate::learn::Columns;
use crate::learn::counter::Counter;
use crate::learn::encode::row::{Row, without};

/// Categories in place of their columns as numbers in a bounded number of buckets that all of them share: each adds 1 or
/// takes 1 off, by its hash, so that those that share a bucket do not all add up (Weinberger et al., 2009, "Feature
/// hashing for large scale multitask learning"). A missing category is in no bucket.
#[derive(Clone)]
pub(super) struct Hash {
    columns: Vec<usize>,
    buckets: usize,
}

impl Hash {
    pub fn new(columns: Vec<usize>, buckets: usize) -> Self {
        Self { columns, buckets }
    }
}

impl Stage for Hash {
    fn columns(&self, of: &Columns) -> Columns {
        let mut columns = without_categorical(of, &self.columns);
        columns.numeric.extend((0..self.buckets).map(|bucket| format!("hash:{bucket}")));
        columns
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.numeric.clear();
        to.numeric.extend_from_slice(&from.numeric);
        to.numeric.resize(from.numeric.len() + self.buckets, 0.0);
        for (at, column) in self.columns.iter().enumerate() {
            let category = from.categorical[*column];
            if category != 0 {
                // A category in two columns is two things.
                let hash = Counter::new(category, at as u64);
                let bucket = hash.below(0, self.buckets as u64) as usize;
                let sign = if hash.bits(1) & 1 == 0 { 1.0 } else { -1.0 };
                to.numeric[from.numeric.len() + bucket] += sign;
            }
        }
        without(&from.categorical, &self.columns, &mut to.categorical);
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(hash: &Hash, categorical: &[u64]) -> Vec<f32> {
        let mut to = Row::default();
        hash.encode(&Row { numeric: vec![], categorical: categorical.to_vec() }, &[], &mut to);
        assert!(to.categorical.is_empty());
        to.numeric
    }

    #[test]
    fn each_category_moves_one_bucket_by_one_and_a_missing_one_none() {
        let hash = Hash::new(vec![0], 16);
        for category in 1..100 {
            let found = buckets(&hash, &[category]);
            assert_eq!(found.len(), 16);
            assert_eq!(found.iter().map(|value| value.abs()).sum::<f32>(), 1.0);
        }
        assert_eq!(buckets(&hash, &[0]), [0.0; 16]);
    }

    #[test]
    fn buckets_and_signs_are_used_alike_and_columns_differ() {
        let hash = Hash::new(vec![0], 4);
        let mut sums = [[0; 2]; 4];
        for category in 1..8_001 {
            let found = buckets(&hash, &[category]);
            let at = found.iter().position(|value| *value != 0.0).unwrap();
            sums[at][usize::from(found[at] > 0.0)] += 1;
        }
        assert!(sums.iter().flatten().all(|count| (850..1_150).contains(count)), "{sums:?}");
        let two = Hash::new(vec![0, 1], 1_000);
        assert_ne!(buckets(&two, &[5, 0]), buckets(&two, &[0, 5]));
    }
}
