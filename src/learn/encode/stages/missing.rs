use super::{Stage, with_numeric};
use crate::learn::Columns;
use crate::learn::encode::Standardiser;
use crate::learn::encode::row::{Row, Truth};
use crate::state::{StateError, TensorMap};

/// A missing number becomes the mean of those learned, and a column beside each says that it was missing (the
/// missing-indicator method: Cohen and Cohen, 1975), so that a learner can weigh that, too.
#[derive(Clone)]
pub(super) struct Missing {
    columns: Vec<usize>,
    means: Standardiser,
    /// The columns of a row in work.
    values: Vec<f32>,
}

impl Missing {
    pub fn new(columns: Vec<usize>) -> Self {
        Self { means: Standardiser::new(columns.len()), values: vec![0.0; columns.len()], columns }
    }
}

impl Stage for Missing {
    fn columns(&self, of: &Columns) -> Columns {
        with_numeric(of, self.columns.iter().map(|column| format!("{}:missing", of.numeric[*column])))
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        for (column, mean) in self.columns.iter().zip(self.means.scaling().shifts()) {
            let missing = from.numeric[*column].is_nan();
            if missing {
                to.numeric[*column] = *mean;
            }
            to.numeric.push(f32::from(missing));
        }
    }

    fn observe(&mut self, row: &Row, _truth: Truth) {
        for (value, column) in self.values.iter_mut().zip(&self.columns) {
            *value = row.numeric[*column];
        }
        self.means.observe(&self.values);
    }

    fn save(&self) -> TensorMap {
        self.means.save()
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.means = Standardiser::load(self.columns.len(), state)?;
        Ok(())
    }

    fn is_finite(&self) -> bool {
        self.means.scaling().is_finite()
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_the_mean_and_marked() {
        let mut missing = Missing::new(vec![0, 2]);
        let row = |a, c| Row { numeric: vec![a, 9.0, c], categorical: vec![] };
        for (a, c) in [(1.0, f32::NAN), (3.0, 5.0)] {
            missing.observe(&row(a, c), Truth { target: 0.0, weight: 1.0 });
        }
        let mut to = Row::default();
        missing.encode(&row(f32::NAN, f32::NAN), &[], &mut to);
        assert_eq!(to.numeric, [2.0, 9.0, 5.0, 1.0, 1.0]);
        missing.encode(&row(7.0, f32::NAN), &[], &mut to);
        assert_eq!(to.numeric, [7.0, 9.0, 5.0, 0.0, 1.0]);
        let names = Columns::numbered(3, 0);
        assert_eq!(missing.columns(&names).numeric[3..], ["numeric0:missing", "numeric2:missing"]);
    }
}
