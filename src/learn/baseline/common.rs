use super::learner::Baseline;
use crate::learn::{Objective, Predictions, Predictor};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch};

/// The majority class and the mean: the share of each class among the labels learned, as its probability, or the mean
/// of the values, each with its importance. What is likeliest is the majority; of several, the first.
///
/// Every class counts as if it had been there once in as many rows as there are classes. Before the first label: all
/// classes alike, or 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Common {
    objective: Objective,
    /// Importance of each class's examples; of a regression, of all.
    totals: Vec<f64>,
    /// Of a regression.
    mean: f64,
}

impl Baseline for Common {
    fn new(objective: Objective) -> Self {
        Self { objective, totals: vec![0.0; objective.outputs()], mean: 0.0 }
    }

    fn load(objective: Objective, state: &TensorMap) -> Result<Self, StateError> {
        let (totals, mean) = (state.f64s("totals")?, state.f64_one("mean")?);
        if totals.len() != objective.outputs() {
            let found = format_args!("{} numbers", totals.len());
            return Err(mismatch("totals", found, format!("{} numbers", objective.outputs())));
        }
        if let Some(total) = totals.iter().find(|total| !total.is_finite() || **total < 0.0) {
            return Err(mismatch("totals", total, "finite numbers from 0"));
        }
        if !mean.is_finite() || mean.abs() > f64::from(f32::MAX) {
            return Err(mismatch("mean", mean, "a finite number"));
        }
        Ok(Self { objective, totals, mean })
    }

    fn objective(&self) -> Objective {
        self.objective
    }

    fn predict_one(&self, out: &mut [f32]) {
        match self.objective {
            Objective::Classify { classes } => {
                let all = self.totals.iter().sum::<f64>() + 1.0;
                for (out, total) in out.iter_mut().zip(&self.totals) {
                    *out = ((total + 1.0 / classes as f64) / all) as f32;
                }
            }
            Objective::Regress => out[0] = self.mean as f32,
        }
    }

    fn learn_one(&mut self, target: f32, importance: f32) {
        let weight = f64::from(importance);
        match self.objective {
            Objective::Classify { .. } => self.totals[target as usize] += weight,
            Objective::Regress => {
                self.totals[0] += weight;
                self.mean += (f64::from(target) - self.mean) * (weight / self.totals[0]);
            }
        }
    }
}

impl Predictor for Common {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.objective.outputs(), rows.len());
        (0..rows.len()).for_each(|row| self.predict_one(out.row_mut(row)));
    }

    fn is_finite(&self) -> bool {
        self.mean.is_finite() && self.totals.iter().all(|total| total.is_finite())
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("totals", &self.totals);
        map.put_f64_one("mean", self.mean);
        map
    }
}
