use super::Stage;
use super::quantiles::Windows;
use crate::learn::Columns;
use crate::learn::encode::row::{Row, Truth};
use crate::state::{StateError, TensorMap};

/// The share of the last values that are lower (Conover and Iman, 1981, "Rank transformations"), from 0 to 1: any
/// distribution becomes a uniform one. A missing value stays missing.
#[derive(Clone)]
pub(super) struct Rank {
    windows: Windows,
}

impl Rank {
    pub fn new(columns: Vec<usize>, window: usize) -> Self {
        Self { windows: Windows::new(columns, window) }
    }
}

impl Stage for Rank {
    fn columns(&self, of: &Columns) -> Columns {
        of.clone()
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        for (column, recent) in self.windows.iter() {
            let value = &mut to.numeric[column];
            if !value.is_nan() {
                *value = recent.rank(*value);
            }
        }
    }

    fn observe(&mut self, row: &Row, _truth: Truth) {
        self.windows.observe(&row.numeric);
    }

    fn save(&self) -> TensorMap {
        self.windows.save()
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.windows.load(state)
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_the_share_that_is_lower_whatever_the_unit() {
        for unit in [1e-30, 1.0, 1e30_f32] {
            let mut rank = Rank::new(vec![0], 100);
            let row = |value: f32| Row { numeric: vec![value * unit], categorical: vec![] };
            [1.0, 2.0, 3.0, 4.0]
                .into_iter()
                .for_each(|v| rank.observe(&row(v), Truth { target: 0.0, weight: 1.0 }));
            let mut to = Row::default();
            let mut of = |value| {
                rank.encode(&row(value), &[], &mut to);
                to.numeric[0]
            };
            assert_eq!([0.0, 1.5, 2.0, 9.0].map(&mut of), [0.0, 0.25, 0.375, 1.0]);
            assert!(of(f32::NAN).is_nan());
        }
    }
}
