use std::collections::VecDeque;

use crate::state::{StateError, TensorMap, finite, mismatch};

/// The last values of a column, in the order in which they came and sorted: running quantiles, exact over a sliding
/// window, which forgets by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recent {
    values_max: usize,
    last: VecDeque<f32>,
    sorted: Vec<f32>,
}

impl Recent {
    pub fn new(values_max: usize) -> Self {
        Self { values_max, ..Self::default() }
    }

    /// Takes a value in; one that is missing is not.
    pub fn push(&mut self, value: f32) {
        if value.is_nan() {
            return;
        }
        // One zero, so that a value is found again by its order.
        let value = value + 0.0;
        if self.last.len() == self.values_max
            && let Some(oldest) = self.last.pop_front()
        {
            let at = self.sorted.partition_point(|other| *other < oldest);
            self.sorted.remove(at);
        }
        let at = self.sorted.partition_point(|other| *other < value);
        self.sorted.insert(at, value);
        self.last.push_back(value);
    }

    /// The value below which a share of the values lies, from the nearest below; none without values.
    pub fn quantile(&self, share: f64) -> Option<f32> {
        let last = self.sorted.len().checked_sub(1)?;
        self.sorted.get(((last as f64 * share) as usize).min(last)).copied()
    }

    /// The share of values below one, those that are the same counting half; one half without values.
    pub fn rank(&self, value: f32) -> f32 {
        if self.sorted.is_empty() {
            return 0.5;
        }
        let below = self.sorted.partition_point(|other| *other < value);
        let upto = self.sorted.partition_point(|other| *other <= value);
        ((below + upto) as f64 / (2 * self.sorted.len()) as f64) as f32
    }
}

/// Puts `values`, column by column, oldest first, and `counts`, of each column.
pub(super) fn save(columns: &[Recent]) -> TensorMap {
    let mut map = TensorMap::new();
    map.put_u32("counts", &columns.iter().map(|column| column.last.len() as u32).collect::<Vec<_>>());
    map.put_f32("values", &columns.iter().flat_map(|column| column.last.iter().copied()).collect::<Vec<_>>());
    map
}

/// What [`save`] wrote of as many columns.
pub(super) fn load(columns: usize, values_max: usize, state: &TensorMap) -> Result<Vec<Recent>, StateError> {
    let counts = state.u32s("counts")?;
    if counts.len() != columns {
        let found = format_args!("{} columns", counts.len());
        return Err(mismatch("counts", found, format_args!("{columns} columns")));
    }
    if let Some(count) = counts.iter().find(|count| **count as usize > values_max) {
        return Err(mismatch("counts", count, format_args!("at most {values_max}")));
    }
    let values = finite(state.f32s("values")?, "values")?;
    let total: usize = counts.iter().map(|count| *count as usize).sum();
    if values.len() != total {
        let found = format_args!("{} values", values.len());
        return Err(mismatch("values", found, format_args!("{total}, as \"counts\" says")));
    }
    let mut rest = values.as_slice();
    let mut column = |count: u32| {
        let (own, others) = rest.split_at(count as usize);
        rest = others;
        let mut recent = Recent::new(values_max);
        own.iter().for_each(|value| recent.push(*value));
        recent
    };
    Ok(counts.iter().map(|count| column(*count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_and_ranks_are_those_of_the_last_values() {
        let mut recent = Recent::new(4);
        assert_eq!((recent.quantile(0.5), recent.rank(1.0)), (None, 0.5));
        [100.0, 3.0, f32::NAN, 1.0, 2.0, 2.0].into_iter().for_each(|value| recent.push(value));
        assert_eq!(recent.sorted, [1.0, 2.0, 2.0, 3.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| recent.quantile(share)), [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!([0.0, 1.0, 2.0, 9.0].map(|value| recent.rank(value)), [0.0, 0.125, 0.5, 1.0]);
    }

    proptest! {
        #[test]
        fn sorted_values_are_the_last_values(values in prop::collection::vec(-3..3_i32, 0..60)) {
            let mut recent = Recent::new(7);
            for value in values {
                recent.push(value as f32 * 0.5);
                let mut expected: Vec<f32> = recent.last.iter().copied().collect();
                expected.sort_by(f32::total_cmp);
                prop_assert_eq!(&recent.sorted, &expected);
                prop_assert!(expected.len() <= 7);
                let columns = [recent.clone(), Recent::new(7)];
                prop_assert_eq!(load(2, 7, &save(&columns)).unwrap(), columns);
            }
        }
    }
}
