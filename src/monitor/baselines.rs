use serde::{Deserialize, Serialize};

use crate::config::Task;
use crate::state::{StateError, TensorMap, mismatch, sized};

use super::saved::exactly;

/// What a reader of labels alone would say: stored with an event when it is predicted, so that it is judged under the
/// event's own delay. NaN: no label was known yet, which scores as wrong (a regression: as 0).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The most frequent class so far, as its index; a regression: the mean so far.
    pub common: f32,
    /// The label that was learned last: no-change.
    pub last: f32,
}

impl Baseline {
    /// Nothing was learned yet.
    pub const NONE: Self = Self { common: f32::NAN, last: f32::NAN };
}

/// The labels learned so far, as far as baselines need them.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    common: Common,
    /// The last label and the one before it.
    last: [f32; 2],
}

#[derive(Debug, Clone, PartialEq)]
enum Common {
    /// How often each class came, and the most frequent one: of several the first declared.
    Counts { counts: Vec<u64>, majority: usize },
    /// Count and mean of the values.
    Mean { count: u64, mean: f64 },
}

impl Baselines {
    /// `outputs`: the number of classes; 1 for a regression.
    pub fn new(task: Task, outputs: usize) -> Self {
        let common = match task {
            Task::Binary | Task::Multiclass => Common::Counts { counts: vec![0; outputs], majority: 0 },
            Task::Regression => Common::Mean { count: 0, mean: 0.0 },
        };
        Self { common, last: [f32::NAN; 2] }
    }

    /// What the labels learned so far say about the next event.
    pub fn baseline(&self) -> Baseline {
        let common = match &self.common {
            Common::Counts { counts, majority } if counts[*majority] > 0 => *majority as f32,
            Common::Mean { count, mean } if *count > 0 => *mean as f32,
            Common::Counts { .. } | Common::Mean { .. } => f32::NAN,
        };
        Baseline { common, last: self.last[0] }
    }

    /// The label before the last one; NaN before there were two.
    pub(super) fn before_last(&self) -> f32 {
        self.last[1]
    }

    /// Learns a label: the index of a class, or a value.
    pub fn update(&mut self, label: f32) {
        match &mut self.common {
            Common::Counts { counts, majority } => {
                let class = label as usize;
                counts[class] += 1;
                let (count, most) = (counts[class], counts[*majority]);
                if count > most || (count == most && class < *majority) {
                    *majority = class;
                }
            }
            Common::Mean { count, mean } => {
                *count += 1;
                *mean += (f64::from(label) - *mean) / *count as f64;
            }
        }
        self.last = [label, self.last[0]];
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        match &self.common {
            Common::Counts { counts, .. } => map.put_u64("counts", counts),
            Common::Mean { count, mean } => {
                map.put_u64_one("count", *count);
                map.put_f64_one("mean", *mean);
            }
        }
        map.put_f32("last", &self.last);
        map
    }

    /// Takes a saved state over; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let common = match &self.common {
            Common::Counts { counts, .. } => {
                let counts = sized(state.u64s("counts")?, counts.len(), "counts")?;
                let majority = (0..counts.len()).rev().max_by_key(|class| counts[*class]);
                Common::Counts { counts, majority: majority.unwrap_or(0) }
            }
            Common::Mean { .. } => {
                Common::Mean { count: state.u64_one("count")?, mean: state.f64_one("mean")? }
            }
        };
        let last: [f32; 2] = exactly(state.f32s("last")?, "last")?;
        if let Common::Counts { counts, .. } = &common {
            let known = |label: &f32| label.is_nan() || (*label as usize) < counts.len();
            if !last.iter().all(known) {
                let expected = format!("classes below {}", counts.len());
                return Err(mismatch("last", format!("{last:?}"), expected));
            }
        }
        *self = Self { common, last };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_any_label_there_is_no_baseline() {
        for task in [Task::Binary, Task::Regression] {
            let baseline = Baselines::new(task, 2).baseline();
            assert!(baseline.common.is_nan() && baseline.last.is_nan());
        }
    }

    #[test]
    fn the_majority_is_the_most_frequent_class_and_of_several_the_first_declared() {
        let mut baselines = Baselines::new(Task::Multiclass, 3);
        let mut said = Vec::new();
        for label in [2.0, 1.0, 1.0, 2.0, 2.0, 0.0] {
            baselines.update(label);
            said.push((baselines.baseline().common, baselines.baseline().last));
        }
        let common = [2.0, 1.0, 1.0, 1.0, 2.0, 2.0];
        let last = [2.0, 1.0, 1.0, 2.0, 2.0, 0.0];
        assert_eq!(said, common.into_iter().zip(last).collect::<Vec<_>>());
        assert_eq!(baselines.before_last(), 2.0);
    }

    #[test]
    fn a_regression_has_its_mean() {
        let mut baselines = Baselines::new(Task::Regression, 1);
        for label in [1.0, 2.0, 6.0] {
            baselines.update(label);
        }
        assert_eq!(baselines.baseline(), Baseline { common: 3.0, last: 6.0 });
    }

    #[test]
    fn a_loaded_state_says_the_same_and_a_wrong_one_changes_nothing() {
        let mut baselines = Baselines::new(Task::Multiclass, 3);
        for label in [2.0, 1.0, 1.0, 2.0] {
            baselines.update(label);
        }
        let mut back = Baselines::new(Task::Multiclass, 3);
        back.load(&baselines.save()).unwrap();
        assert_eq!(back, baselines);
        let mut wider = Baselines::new(Task::Multiclass, 4);
        let error = wider.load(&baselines.save()).unwrap_err().to_string();
        assert_eq!(error, "tensor \"counts\" is 3 elements, expected 4 elements");
        assert!(wider.baseline().last.is_nan());
    }
}
