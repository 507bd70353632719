use std::collections::VecDeque;
use std::sync::Arc;

use super::sorted::Sorted;
use crate::state::{StateError, TensorMap, finite, mismatch};

/// Values in a block.
const BLOCK: usize = 256;

/// The last values of a column, in the order in which they came and sorted: running quantiles, exact over a sliding
/// window, which forgets by itself. A clone shares what did not change since.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    values_max: usize,
    /// The values in their order, on blocks of [`BLOCK`]; only the last one may have fewer.
    blocks: VecDeque<Arc<Vec<f32>>>,
    /// Values of the first block that have left.
    gone: usize,
    sorted: Sorted,
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
        if self.sorted.len() == self.values_max
            && let Some(oldest) = self.pop()
        {
            self.sorted.remove(oldest);
        }
        self.sorted.insert(value);
        match self.blocks.back_mut() {
            Some(block) if block.len() < BLOCK => Arc::make_mut(block).push(value),
            _ => self.blocks.push_back(Arc::new(vec![value])),
        }
    }

    fn pop(&mut self) -> Option<f32> {
        let block = self.blocks.front()?;
        let (oldest, len) = (block.get(self.gone).copied(), block.len());
        self.gone += 1;
        if self.gone == len {
            self.gone = 0;
            self.blocks.pop_front();
        }
        oldest
    }

    fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The values, oldest first.
    fn values(&self) -> impl Iterator<Item = f32> {
        self.blocks.iter().flat_map(|block| block.iter().copied()).skip(self.gone)
    }

    /// The value below which a share of the values lies, from the nearest below; none without values.
    pub fn quantile(&self, share: f64) -> Option<f32> {
        let last = self.len().checked_sub(1)?;
        self.sorted.get(((last as f64 * share) as usize).min(last))
    }

    /// The share of values below one, those that are the same counting half; one half without values.
    pub fn rank(&self, value: f32) -> f32 {
        if self.len() == 0 {
            return 0.5;
        }
        let (below, upto) = self.sorted.counts(value);
        ((below + upto) as f64 / (2 * self.len()) as f64) as f32
    }
}

/// Running quantiles of some columns.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    columns: Vec<usize>,
    values_max: usize,
    recent: Vec<Recent>,
}

impl Windows {
    pub fn new(columns: Vec<usize>, values_max: usize) -> Self {
        Self { recent: vec![Recent::new(values_max); columns.len()], columns, values_max }
    }

    /// Each of the columns, with its last values.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Recent)> {
        self.columns.iter().copied().zip(&self.recent)
    }

    /// Takes the values of a row in.
    pub fn observe(&mut self, numeric: &[f32]) {
        for (recent, column) in self.recent.iter_mut().zip(&self.columns) {
            recent.push(numeric[*column]);
        }
    }

    pub fn save(&self) -> TensorMap {
        save(&self.recent)
    }

    /// Takes over what [`Windows::save`] wrote; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.recent = load(self.columns.len(), self.values_max, state)?;
        Ok(())
    }
}

/// Puts `values`, column by column, oldest first, and `counts`, of each column.
fn save(columns: &[Recent]) -> TensorMap {
    let mut map = TensorMap::new();
    map.put_u32("counts", &columns.iter().map(|column| column.len() as u32).collect::<Vec<_>>());
    map.put_f32("values", &columns.iter().flat_map(Recent::values).collect::<Vec<_>>());
    map
}

/// What [`save`] wrote of as many columns.
fn load(columns: usize, values_max: usize, state: &TensorMap) -> Result<Vec<Recent>, StateError> {
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
        assert_eq!(recent.sorted.all(), [1.0, 2.0, 2.0, 3.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| recent.quantile(share)), [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!([0.0, 1.0, 2.0, 9.0].map(|value| recent.rank(value)), [0.0, 0.125, 0.5, 1.0]);
    }

    #[test]
    fn over_many_blocks_the_window_is_the_last_values() {
        let mut recent = Recent::new(1_000);
        (0..5_000).for_each(|row| recent.push((row * 37 % 1_009) as f32));
        let expected: Vec<f32> = (4_000..5_000).map(|row| (row * 37 % 1_009) as f32).collect();
        assert_eq!(recent.values().collect::<Vec<_>>(), expected);
        assert!(recent.blocks.len() <= 1_000 / BLOCK + 2);
    }

    proptest! {
        #[test]
        fn sorted_values_are_the_last_values(values in prop::collection::vec(-3..3_i32, 0..60)) {
            let mut recent = Recent::new(7);
            for value in values {
                recent.push(value as f32 * 0.5);
                let mut expected: Vec<f32> = recent.values().collect();
                expected.sort_by(f32::total_cmp);
                prop_assert_eq!(recent.sorted.all(), &expected[..]);
                prop_assert!(expected.len() <= 7);
                let saved = save(&[recent.clone(), Recent::new(7)]);
                let loaded = load(2, 7, &saved).unwrap();
                prop_assert_eq!(save(&loaded), saved);
                prop_assert_eq!(loaded[0].sorted.all(), expected);
            }
        }
    }
}
