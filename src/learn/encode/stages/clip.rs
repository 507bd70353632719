use super::Stage;
use super::quantiles::Windows;
use crate::learn::Columns;
use crate::learn::encode::row::{Row, Truth};
use crate::state::{StateError, TensorMap};

/// Values beyond the running quantiles `tail` and `1 - tail` become these (winsorising, after Tukey, 1962), so that an
/// outlier of any size counts as the border; a missing value stays missing.
#[derive(Clone)]
pub(super) struct Clip {
    windows: Windows,
    tail: f64,
}

impl Clip {
    pub fn new(columns: Vec<usize>, window: usize, tail: f64) -> Self {
        Self { windows: Windows::new(columns, window), tail }
    }
}

impl Stage for Clip {
    fn columns(&self, of: &Columns) -> Columns {
        of.clone()
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        for (column, recent) in self.windows.iter() {
            let borders = (recent.quantile(self.tail), recent.quantile(1.0 - self.tail));
            if let (Some(low), Some(high)) = borders
                && low <= high
            {
                to.numeric[column] = from.numeric[column].clamp(low, high);
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
    fn an_outlier_becomes_the_border_and_a_missing_value_stays_missing() {
        let mut clip = Clip::new(vec![0], 100, 0.1);
        let mut to = Row::default();
        let row = |value| Row { numeric: vec![value], categorical: vec![3] };
        clip.encode(&row(f32::MAX), &[], &mut to);
        assert_eq!(to.numeric, [f32::MAX], "nothing is known yet");
        for value in 0..=10 {
            clip.observe(&row(value as f32), Truth { target: 0.0, weight: 1.0 });
        }
        for (value, expected) in [(f32::MAX, 9.0), (-3.0, 1.0), (4.5, 4.5)] {
            clip.encode(&row(value), &[], &mut to);
            assert_eq!((to.numeric[0], to.categorical[0]), (expected, 3));
        }
        clip.encode(&row(f32::NAN), &[], &mut to);
        assert!(to.numeric[0].is_nan());
    }
}
