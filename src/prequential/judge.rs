use sha2::{Digest as _, Sha256};

use crate::config::{DriftConfig, Task};
use crate::monitor::{Baseline, Baselines, Drift, DriftEvent, Numbers, PROBABILITY_MIN, RestAuc, Scores};

use super::series::{Series, Sum};

/// Most classes that an area under the ROC curve is counted for, 16 KiB each.
const AUC_CLASSES_MAX: usize = 64;
/// Predictions are hashed in pieces of so many bytes.
const HASHED_BYTES: usize = 64 << 10;
/// Drifts that are kept, the first ones.
const DRIFTS_MAX: usize = 10_000;

/// Judges the predictions of a stream in their order with the service's monitors.
pub struct Judge {
    task: Task,
    outputs: usize,
    scores: Scores,
    /// Where there are more than two classes, and not too many.
    rest_auc: Option<RestAuc>,
    drift: Drift,
    drifts: Vec<u64>,
    series: Series,
    rows: u64,
    hasher: Sha256,
    unhashed: Vec<u8>,
}

impl Judge {
    /// `outputs`: numbers a prediction has; `window`: rows of a sliding score.
    pub fn new(task: Task, outputs: usize, window: usize, drift: &DriftConfig) -> Self {
        let several = task != Task::Regression && (3..=AUC_CLASSES_MAX).contains(&outputs);
        Self {
            task,
            outputs,
            scores: Scores::new(task, outputs, window),
            rest_auc: several.then(|| RestAuc::new(outputs)),
            drift: Drift::new(drift),
            drifts: Vec::new(),
            series: Series::default(),
            rows: 0,
            hasher: Sha256::new(),
            unhashed: Vec::new(),
        }
    }

    /// Takes in the prediction of the next row, the truth about it, and the baseline that was known with it.
    pub fn update(&mut self, truth: f32, prediction: &[f32], baseline: Baseline) {
        self.rows += 1;
        let error = self.scores.update(truth, prediction, baseline);
        if let Some(auc) = &mut self.rest_auc {
            auc.update(truth, prediction);
        }
        if let Some(DriftEvent::Rise(_)) = self.drift.update(error)
            && self.drifts.len() < DRIFTS_MAX
        {
            self.drifts.push(self.rows);
        }
        self.series.push(self.sum(truth, prediction, baseline, error));
        self.unhashed.extend(prediction.iter().flat_map(|value| value.to_le_bytes()));
        if self.unhashed.len() >= HASHED_BYTES {
            self.hasher.update(&self.unhashed);
            self.unhashed.clear();
        }
    }

    fn sum(&self, truth: f32, prediction: &[f32], baseline: Baseline, error: f64) -> Sum {
        if self.task == Task::Regression {
            let off = |value: f32| (f64::from(value) - f64::from(truth)).abs();
            let known = |value: f32| if value.is_nan() { 0.0 } else { value };
            // One that is not finite is in no score.
            let said = off(prediction[0]);
            let said = if said.is_finite() { said } else { 0.0 };
            return Sum {
                quality: said,
                loss: said,
                common: off(known(baseline.common)),
                last: off(known(baseline.last)),
            };
        }
        let hit = |hit: bool| f64::from(u8::from(hit));
        let said = prediction[truth as usize];
        let clipped = if said >= PROBABILITY_MIN { said.min(1.0) } else { PROBABILITY_MIN };
        Sum {
            quality: 1.0 - error,
            loss: f64::from(-libm::logf(clipped)),
            common: hit(baseline.common == truth),
            last: hit(baseline.last == truth),
        }
    }

    /// Baselines that know no label yet, for the same task.
    pub fn baselines(&self) -> Baselines {
        Baselines::new(self.task, self.outputs)
    }

    pub fn task(&self) -> Task {
        self.task
    }

    /// Rows judged so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Scores over all rows.
    pub fn numbers(&self) -> Numbers {
        let mut numbers = self.scores.report().cumulative;
        if let (Numbers::Classification(numbers), Some(auc)) = (&mut numbers, &self.rest_auc) {
            numbers.auc = auc.read();
        }
        numbers
    }

    /// Scores over the last rows.
    pub fn sliding(&self) -> Numbers {
        self.scores.sliding()
    }

    /// After how many rows the error was found to have risen.
    pub fn drifts(&self) -> &[u64] {
        &self.drifts
    }

    pub fn series(&self) -> &Series {
        &self.series
    }

    /// SHA-256 over the predictions so far, as little-endian `f32`, and `state`.
    pub fn digest(&self, state: &str) -> String {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.unhashed);
        hasher.update(state.as_bytes());
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(outputs: usize) -> Judge {
        let task = if outputs == 2 { Task::Binary } else { Task::Multiclass };
        Judge::new(task, outputs, 100, &DriftConfig::default())
    }

    #[test]
    fn a_digest_tells_one_bit_and_the_state_apart() {
        let digest = |p: f32, state: &str| {
            let mut judge = judge(2);
            (0..20_000).for_each(|_| judge.update(0.0, &[p, 1.0 - p], Baseline::NONE));
            judge.digest(state)
        };
        assert_eq!(digest(0.5, "a"), digest(0.5, "a"));
        assert_ne!(digest(0.5, "a"), digest(0.5, "b"));
        assert_ne!(digest(0.5, "a"), digest(f32::from_bits(0.5_f32.to_bits() + 1), "a"));
        assert_eq!(digest(0.5, "").len(), 64);
    }

    #[test]
    fn a_rise_of_the_error_is_a_drift_at_its_row() {
        let mut judge = judge(2);
        for row in 0..4_000_u32 {
            let wrong = if row < 2_000 { row % 10 == 0 } else { row % 2 == 0 };
            let p = if wrong { [0.2, 0.8] } else { [0.8, 0.2] };
            judge.update(0.0, &p, Baseline::NONE);
        }
        let drifts = judge.drifts();
        assert!(!drifts.is_empty() && (2_000..2_400).contains(&drifts[0]), "{drifts:?}");
    }

    #[test]
    fn three_classes_have_an_area_too() {
        let mut judge = judge(3);
        for class in [0.0_f32, 1.0, 2.0] {
            let mut p = [0.1; 3];
            p[class as usize] = 0.8;
            judge.update(class, &p, Baseline::NONE);
        }
        assert_eq!(judge.numbers().classification().unwrap().auc, Some(1.0));
    }
}
