use super::Stage;
use crate::learn::Columns;
use crate::learn::encode::Standardiser;
use crate::learn::encode::row::{Row, Truth};
use crate::state::{StateError, TensorMap};

/// Numbers with mean 0 and deviation 1 over the rows learned, within ±8 (Welford, 1962); a missing value is 0, the mean.
/// With a bound on the examples, later ones count more: an exponentially weighted mean and variance.
#[derive(Clone)]
pub(super) struct Scale {
    columns: Vec<usize>,
    examples_max: u64,
    standardiser: Standardiser,
    /// The columns of a row in work.
    values: Vec<f32>,
}

impl Scale {
    pub fn new(columns: Vec<usize>, examples_max: u64) -> Self {
        let standardiser = Standardiser::forgetting(columns.len(), examples_max);
        Self { values: vec![0.0; columns.len()], columns, examples_max, standardiser }
    }
}

impl Stage for Scale {
    fn columns(&self, of: &Columns) -> Columns {
        of.clone()
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        let scaling = self.standardiser.scaling();
        for (at, column) in self.columns.iter().enumerate() {
            to.numeric[*column] = scaling.apply_one(at, from.numeric[*column]);
        }
    }

    fn observe(&mut self, row: &Row, _truth: Truth) {
        for (value, column) in self.values.iter_mut().zip(&self.columns) {
            *value = row.numeric[*column];
        }
        self.standardiser.observe(&self.values);
    }

    fn save(&self) -> TensorMap {
        self.standardiser.save()
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.standardiser = Standardiser::load_forgetting(self.columns.len(), self.examples_max, state)?;
        Ok(())
    }

    fn is_finite(&self) -> bool {
        self.standardiser.scaling().is_finite()
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_columns_are_standardised_and_a_bound_makes_it_forget() {
        let truth = Truth { target: 0.0, weight: 1.0 };
        let mut scale = Scale::new(vec![1], 0);
        let row = |value| Row { numeric: vec![7.0, value], categorical: vec![] };
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            scale.observe(&row(value), truth);
        }
        let mut to = Row::default();
        scale.encode(&row(6.0), &[], &mut to);
        assert_eq!(to.numeric, [7.0, 0.5]);
        scale.encode(&row(f32::NAN), &[], &mut to);
        assert_eq!(to.numeric, [7.0, 0.0]);

        let mut forgetting = Scale::new(vec![1], 10);
        for step in 0..400 {
            let value = if step < 200 { 0.0 } else { 100.0 } + (step % 2) as f32;
            scale.observe(&row(value), truth);
            forgetting.observe(&row(value), truth);
        }
        let z = |scale: &Scale| {
            let mut to = Row::default();
            scale.encode(&row(100.5), &[], &mut to);
            to.numeric[1].abs()
        };
        assert!(z(&forgetting) < 0.2 && z(&scale) > 0.5, "{} {}", z(&forgetting), z(&scale));
    }
}
