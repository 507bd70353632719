use std::sync::Arc;

use super::{IMPORTANCE_MAX, is_learnable};
use crate::learn::encode::refuse;
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

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

impl Common {
    fn new(objective: Objective) -> Self {
        Self { objective, totals: vec![0.0; objective.outputs()], mean: 0.0 }
    }

    /// What [`Predictor::save`] or [`Learner::save`] wrote.
    pub fn load(objective: Objective, state: &TensorMap) -> Result<Self, StateError> {
        let (totals, mean) = (state.f64s("totals")?, state.f64_one("mean")?);
        if totals.len() != objective.outputs() {
            let found = format_args!("{} numbers", totals.len());
            return Err(refuse("totals", found, format!("{} numbers", objective.outputs())));
        }
        if let Some(total) = totals.iter().find(|total| !total.is_finite() || **total < 0.0) {
            return Err(refuse("totals", total, "finite numbers from 0"));
        }
        if !mean.is_finite() || mean.abs() > f64::from(f32::MAX) {
            return Err(refuse("mean", mean, "a finite number"));
        }
        Ok(Self { objective, totals, mean })
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

    fn learn_one(&mut self, target: f32, weight: f32) {
        let weight = f64::from(weight.min(IMPORTANCE_MAX));
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

/// The learner of [`Common`].
#[derive(Debug, Clone)]
pub struct CommonLearner(Common);

impl CommonLearner {
    /// A learner that has seen no label.
    pub fn new(objective: Objective) -> Self {
        Self(Common::new(objective))
    }
}

impl Learner for CommonLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.0.predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.0.objective.outputs(), rows.len());
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            self.0.predict_one(out.row_mut(row));
            if is_learnable(self.0.objective, *target, *weight) {
                self.0.learn_one(*target, *weight);
            }
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(self.0.clone())
    }

    fn save(&self) -> TensorMap {
        self.0.save()
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.0 = Common::load(self.0.objective, state)?;
        Ok(())
    }
}
