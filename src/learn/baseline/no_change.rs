use super::learner::Baseline;
use crate::learn::{Objective, Predictions, Predictor};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch};

/// How much likelier than by chance the last label is at least: it is what is predicted, whatever the labels do.
const LEAD: f64 = 0.01;

/// The persistent, or no-change, classifier (Žliobaitė et al., 2015, "Evaluation methods and decision theory for
/// classification of streaming data with temporal dependence"): the label that was learned last.
///
/// Its probability is the share of labels so far that were the one learned before them, where that is more than chance;
/// the others have the rest in equal parts. Before the first label: all classes alike, or 0.
#[derive(Debug, Clone, PartialEq)]
pub struct NoChange {
    objective: Objective,
    /// NaN before the first label.
    last: f32,
    /// Labels that had one before them, and those that were the same.
    followed: u64,
    kept: u64,
}

impl Baseline for NoChange {
    fn new(objective: Objective) -> Self {
        Self { objective, last: f32::NAN, followed: 0, kept: 0 }
    }

    fn load(objective: Objective, state: &TensorMap) -> Result<Self, StateError> {
        let last = state.f32s("last")?;
        let [followed, kept] = state.u64s("followed")?[..] else {
            return Err(mismatch("followed", "not 2 numbers", "2 numbers"));
        };
        if kept > followed {
            return Err(mismatch(
                "followed",
                format_args!("{followed} and {kept}"),
                "the second not above the first",
            ));
        }
        let last = match last[..] {
            [] => f32::NAN,
            [last] if objective.importance(last, 1.0).is_some() => last,
            _ => return Err(mismatch("last", format_args!("{last:?}"), "one label of the task, or none")),
        };
        Ok(Self { objective, last, followed, kept })
    }

    fn objective(&self) -> Objective {
        self.objective
    }

    fn predict_one(&self, out: &mut [f32]) {
        let Objective::Classify { classes } = self.objective else {
            out[0] = if self.last.is_nan() { 0.0 } else { self.last };
            return;
        };
        let chance = 1.0 / classes as f64;
        if self.last.is_nan() {
            out.fill(chance as f32);
            return;
        }
        let share = (self.kept as f64 + 1.0) / (self.followed as f64 + 2.0);
        let share = share.max(chance + LEAD * (1.0 - chance));
        out.fill(((1.0 - share) / (classes - 1) as f64) as f32);
        out[self.last as usize] = share as f32;
    }

    fn learn_one(&mut self, target: f32, _importance: f32) {
        if !self.last.is_nan() {
            self.followed = self.followed.saturating_add(1);
            self.kept += u64::from(self.last == target);
        }
        self.last = target;
    }
}

impl Predictor for NoChange {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.objective.outputs(), rows.len());
        (0..rows.len()).for_each(|row| self.predict_one(out.row_mut(row)));
    }

    fn is_finite(&self) -> bool {
        !self.last.is_infinite()
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("last", if self.last.is_nan() { &[] } else { std::slice::from_ref(&self.last) });
        map.put_u64("followed", &[self.followed, self.kept]);
        map
    }
}
