use serde::Serialize;

use crate::state::{StateError, TensorMap, mismatch};

use super::baselines::Baseline;
use super::saved::exactly;
use super::window::Window;

/// What remains of one scored example.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Outcome {
    truth: f32,
    value: f32,
    mean: f32,
    last: f32,
}

/// Sums over outcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tally {
    /// Examples with a finite prediction; the sums below are over these.
    examples: f64,
    not_finite: f64,
    absolute: f64,
    squared: f64,
    mean_absolute: f64,
    mean_squared: f64,
    last_absolute: f64,
    last_squared: f64,
    /// Mean of the truths, and the sum of their squared deviations from it (Welford, 1962).
    truth_mean: f64,
    truth_spread: f64,
}

const FIELDS: usize = 10;

impl Tally {
    /// Adds an outcome (`sign` 1), or takes it away (`sign` -1).
    fn add(&mut self, outcome: &Outcome, sign: f64) {
        if !outcome.value.is_finite() {
            self.not_finite += sign;
            return;
        }
        let truth = f64::from(outcome.truth);
        let off = |value: f32| sign * (f64::from(value) - truth).abs();
        let off_squared = |value: f32| {
            let off = f64::from(value) - truth;
            sign * off * off
        };
        self.examples += sign;
        self.absolute += off(outcome.value);
        self.squared += off_squared(outcome.value);
        self.mean_absolute += off(outcome.mean);
        self.mean_squared += off_squared(outcome.mean);
        self.last_absolute += off(outcome.last);
        self.last_squared += off_squared(outcome.last);
        let before = truth - self.truth_mean;
        self.truth_mean += sign * before / self.examples.max(1.0);
        self.truth_spread += sign * before * (truth - self.truth_mean);
    }

    /// Sum of squared deviations of the truths from their mean.
    fn spread(&self) -> f64 {
        self.truth_spread.max(0.0)
    }

    fn read(&self) -> RegressNumbers {
        let some = self.examples > 0.0;
        let mean = |sum: f64| some.then(|| sum.max(0.0) / self.examples);
        let root = |sum: f64| mean(sum).map(f64::sqrt);
        let spread = self.spread();
        RegressNumbers {
            examples: (self.examples + self.not_finite) as u64,
            not_finite: self.not_finite as u64,
            mae: mean(self.absolute),
            rmse: root(self.squared),
            r2: (some && spread > 0.0).then(|| 1.0 - self.squared / spread),
            mean_mae: mean(self.mean_absolute),
            mean_rmse: root(self.mean_squared),
            no_change_mae: mean(self.last_absolute),
            no_change_rmse: root(self.last_squared),
        }
    }

    fn to_array(self) -> [f64; FIELDS] {
        [
            self.examples,
            self.not_finite,
            self.absolute,
            self.squared,
            self.mean_absolute,
            self.mean_squared,
            self.last_absolute,
            self.last_squared,
            self.truth_mean,
            self.truth_spread,
        ]
    }

    fn from_array(fields: [f64; FIELDS]) -> Self {
        let [
            examples,
            not_finite,
            absolute,
            squared,
            mean_absolute,
            mean_squared,
            last_absolute,
            last_squared,
            truth_mean,
            truth_spread,
        ] = fields;
        Self {
            examples,
            not_finite,
            absolute,
            squared,
            mean_absolute,
            mean_squared,
            last_absolute,
            last_squared,
            truth_mean,
            truth_spread,
        }
    }
}

/// Scores of a regression over some examples, in the units of the label; none where a score is not defined (yet).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegressNumbers {
    pub examples: u64,
    /// Predictions that were not finite: counted here and in no other score.
    pub not_finite: u64,
    pub mae: Option<f64>,
    pub rmse: Option<f64>,
    /// Against the mean of the same examples.
    pub r2: Option<f64>,
    /// Of the mean of the labels known at each prediction.
    pub mean_mae: Option<f64>,
    pub mean_rmse: Option<f64>,
    /// Of the label that was learned last before each prediction.
    pub no_change_mae: Option<f64>,
    pub no_change_rmse: Option<f64>,
}

/// Scores of a regression: over all examples and over the last ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RegressScores {
    cumulative: Tally,
    sliding: Tally,
    window: Window<Outcome>,
}

impl RegressScores {
    pub(super) fn new(window: usize) -> Self {
        Self { cumulative: Tally::default(), sliding: Tally::default(), window: Window::new(window) }
    }

    /// Scores one prediction. Returns its error on the scale of the labels: |prediction - truth| over twice the
    /// standard deviation of all truths so far, at most 1.
    pub(super) fn update(&mut self, truth: f32, value: f32, baseline: Baseline) -> f64 {
        let known = |value: f32| if value.is_nan() { 0.0 } else { value };
        let (mean, last) = (known(baseline.common), known(baseline.last));
        let outcome = Outcome { truth, value, mean, last };
        self.cumulative.add(&outcome, 1.0);
        self.slide(outcome);
        let off = (f64::from(value) - f64::from(truth)).abs();
        let deviation = (self.cumulative.spread() / self.cumulative.examples.max(1.0)).sqrt();
        match off / (2.0 * deviation) {
            error if error.is_finite() => error.min(1.0),
            _ => f64::from(u8::from(off != 0.0)),
        }
    }

    /// Once in a window's length the sums are made anew, so that rounding never piles up.
    fn slide(&mut self, outcome: Outcome) {
        let out = self.window.push(outcome);
        if self.window.came_round() {
            self.recount();
        } else {
            self.sliding.add(&outcome, 1.0);
            if let Some(old) = out {
                self.sliding.add(&old, -1.0);
            }
        }
    }

    fn recount(&mut self) {
        self.sliding = Tally::default();
        self.window.items().iter().for_each(|item| self.sliding.add(item, 1.0));
    }

    pub(super) fn examples(&self) -> u64 {
        (self.cumulative.examples + self.cumulative.not_finite) as u64
    }

    pub(super) fn cumulative(&self) -> RegressNumbers {
        self.cumulative.read()
    }

    pub(super) fn sliding(&self) -> RegressNumbers {
        self.sliding.read()
    }

    pub(super) fn save(&self) -> TensorMap {
        let items = self.window.items();
        let flat: Vec<f32> =
            items.iter().flat_map(|item| [item.truth, item.value, item.mean, item.last]).collect();
        let mut map = TensorMap::new();
        map.put_f64("cumulative", &self.cumulative.to_array());
        map.put_f64("sliding", &self.sliding.to_array());
        map.put_f32("window", &flat);
        map.put_u64("place", &[self.window.place() as u64, self.window.capacity() as u64]);
        map
    }

    /// Takes a saved state over, from a window of any size; on an error nothing has changed.
    pub(super) fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let cumulative = Tally::from_array(exactly(state.f64s("cumulative")?, "cumulative")?);
        let sliding = Tally::from_array(exactly(state.f64s("sliding")?, "sliding")?);
        let flat = state.f32s("window")?;
        let items: Vec<_> = flat
            .as_chunks()
            .0
            .iter()
            .map(|[truth, value, mean, last]| Outcome {
                truth: *truth,
                value: *value,
                mean: *mean,
                last: *last,
            })
            .collect();
        let [place, saved_capacity] = exactly(state.u64s("place")?, "place")?.map(|p: u64| p as usize);
        let (capacity, len) = (self.window.capacity(), items.len());
        let window = Window::restored(capacity, saved_capacity, items, place).ok_or_else(|| {
            let found = format!("{len} outcomes, the next at {place}");
            mismatch("window", found, format!("what a window of {saved_capacity} holds"))
        })?;
        *self = Self { cumulative, sliding, window };
        if capacity != saved_capacity {
            self.recount();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SplitMix;

    const NONE: Baseline = Baseline::NONE;

    fn near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() <= 1e-9 * expected.abs(), "{value}, expected {expected}");
    }

    /// Worked by hand: truths 1 3 8 (mean 4, squared deviations 26), errors 1 -1 2.
    #[test]
    fn a_small_case_worked_by_hand() {
        let mut scores = RegressScores::new(10);
        scores.update(1.0, 2.0, NONE);
        scores.update(3.0, 2.0, Baseline { common: 1.0, last: 1.0 });
        scores.update(8.0, 10.0, Baseline { common: 2.0, last: 3.0 });
        let numbers = scores.cumulative();
        near(numbers.mae, 4.0 / 3.0);
        near(numbers.rmse, 2.0_f64.sqrt());
        near(numbers.r2, 1.0 - 6.0 / 26.0);
        near(numbers.mean_mae, (1.0 + 2.0 + 6.0) / 3.0);
        near(numbers.mean_rmse, ((1.0 + 4.0 + 36.0) / 3.0_f64).sqrt());
        near(numbers.no_change_mae, (1.0 + 2.0 + 5.0) / 3.0);
        near(numbers.no_change_rmse, 10.0_f64.sqrt());
        near(scores.sliding().r2, 1.0 - 6.0 / 26.0);
    }

    #[test]
    fn the_sliding_scores_stay_those_of_the_last_examples_far_from_zero() {
        let mut random = SplitMix(5);
        let (mut all, mut last) = (RegressScores::new(50), RegressScores::new(50));
        for i in 0..10_030 {
            let truth = (1e5 + random.unit()) as f32;
            let value = truth + random.unit() as f32 - 0.5;
            let baseline = Baseline { common: 1e5, last: truth + 1.0 };
            all.update(truth, value, baseline);
            if i >= 9_980 {
                last.update(truth, value, baseline);
            }
        }
        let (slid, exact) = (all.sliding(), last.cumulative());
        assert_eq!(slid.examples, 50);
        near(slid.mae, exact.mae.unwrap());
        near(slid.rmse, exact.rmse.unwrap());
        assert!((slid.r2.unwrap() - exact.r2.unwrap()).abs() < 1e-6, "{slid:?}, {exact:?}");
        near(slid.mean_rmse, exact.mean_rmse.unwrap());
    }

    #[test]
    fn a_prediction_that_is_not_finite_is_counted_and_spoils_no_score() {
        let mut scores = RegressScores::new(2);
        assert_eq!(scores.update(1.0, f32::NAN, NONE), 1.0);
        assert_eq!(scores.update(1.0, f32::INFINITY, NONE), 1.0);
        scores.update(1.0, 2.0, NONE);
        scores.update(3.0, 2.0, NONE);
        let numbers = scores.cumulative();
        assert_eq!((numbers.examples, numbers.not_finite, numbers.mae), (4, 2, Some(1.0)));
        assert_eq!((scores.sliding().not_finite, scores.sliding().mae), (0, Some(1.0)));
    }

    #[test]
    fn a_saved_window_is_taken_over_by_a_smaller_one() {
        let (mut wide, mut narrow) = (RegressScores::new(10), RegressScores::new(4));
        for i in 0..17 {
            wide.update(i as f32, 0.0, NONE);
            narrow.update(i as f32, 0.0, NONE);
        }
        let mut resized = RegressScores::new(4);
        resized.load(&wide.save()).unwrap();
        assert_eq!(resized.sliding().mae, narrow.sliding().mae);
        assert_eq!(resized.sliding().examples, 4);
    }

    #[test]
    fn the_error_is_on_the_scale_of_the_labels() {
        let mut scores = RegressScores::new(10);
        assert_eq!(scores.update(0.0, 0.0, NONE), 0.0);
        for _ in 0..1_000 {
            scores.update(-10.0, 0.0, NONE);
            scores.update(10.0, 0.0, NONE);
        }
        let error = scores.update(10.0, 5.0, NONE);
        assert!((error - 5.0 / 20.0).abs() < 1e-3, "{error}");
        assert_eq!(scores.update(10.0, 1e6, NONE), 1.0);
    }
}
