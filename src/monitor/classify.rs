use serde::Serialize;

use crate::state::{StateError, TensorMap, mismatch, sized};

use super::auc::{AucBins, bin};
use super::baselines::Baseline;
use super::saved::exactly;
use super::window::Window;

/// Probabilities are clipped here before their logarithm, as scikit-learn does for f32: the distance from 1 to the
/// next f32, which bounds one example's logloss to 15.9.
pub const PROBABILITY_MIN: f32 = f32::EPSILON;

/// Losses are kept in integer steps of 2^-28, so that what enters a sliding sum leaves it again without a trace.
const LOSS_STEPS: f64 = (1_u64 << 28) as f64;

/// What remains of one scored example.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Outcome {
    truth: u16,
    predicted: u16,
    /// Of the second class's probability, where there are two.
    auc_bin: u16,
    majority_hit: bool,
    no_change_hit: bool,
    /// Logloss in steps.
    loss: u32,
}

impl Outcome {
    fn of(truth: f32, probabilities: &[f32], baseline: Baseline) -> Self {
        let class = truth as u16;
        let (mut predicted, mut most) = (0_u16, probabilities[0]);
        for (index, probability) in (0..).zip(probabilities) {
            // A select, not a branch: hits and misses cannot be foretold.
            let more = *probability > most;
            predicted = if more { index } else { predicted };
            most = if more { *probability } else { most };
        }
        // A NaN compares as false: it gets the largest loss.
        let said = probabilities[usize::from(class)];
        let clipped = if said >= PROBABILITY_MIN { said.min(1.0) } else { PROBABILITY_MIN };
        Self {
            truth: class,
            predicted,
            auc_bin: if probabilities.len() == 2 { bin(probabilities[1]) } else { 0 },
            majority_hit: baseline.common == truth,
            no_change_hit: baseline.last == truth,
            loss: (f64::from(-libm::logf(clipped)) * LOSS_STEPS + 0.5) as u32,
        }
    }

    fn hit(&self) -> bool {
        self.truth == self.predicted
    }

    fn packed(&self) -> [u32; 3] {
        [
            u32::from(self.truth) | u32::from(self.predicted) << 16,
            u32::from(self.auc_bin)
                | u32::from(self.majority_hit) << 16
                | u32::from(self.no_change_hit) << 17,
            self.loss,
        ]
    }

    fn unpacked([classes, rest, loss]: [u32; 3]) -> Self {
        Self {
            truth: classes as u16,
            predicted: (classes >> 16) as u16,
            auc_bin: rest as u16,
            majority_hit: rest >> 16 & 1 == 1,
            no_change_hit: rest >> 17 & 1 == 1,
            loss,
        }
    }
}

/// Sums over outcomes, all of them integers: adding and taking away are exact.
#[derive(Debug, Clone, PartialEq)]
struct Tally {
    hits: u64,
    majority_hits: u64,
    no_change_hits: u64,
    loss: u128,
    /// For each class: how often it was the truth, and how often it was predicted.
    classes: Vec<[u64; 2]>,
    /// Where there are two classes.
    auc: Option<AucBins>,
}

impl Tally {
    fn new(classes: usize) -> Self {
        Self {
            hits: 0,
            majority_hits: 0,
            no_change_hits: 0,
            loss: 0,
            classes: vec![[0; 2]; classes],
            auc: (classes == 2).then(AucBins::new),
        }
    }

    fn add(&mut self, outcome: &Outcome) {
        self.hits += u64::from(outcome.hit());
        self.majority_hits += u64::from(outcome.majority_hit);
        self.no_change_hits += u64::from(outcome.no_change_hit);
        self.loss += u128::from(outcome.loss);
        self.classes[usize::from(outcome.truth)][0] += 1;
        self.classes[usize::from(outcome.predicted)][1] += 1;
        if let Some(auc) = &mut self.auc {
            auc.add(outcome.auc_bin, outcome.truth == 1);
        }
    }

    fn remove(&mut self, outcome: &Outcome) {
        self.hits -= u64::from(outcome.hit());
        self.majority_hits -= u64::from(outcome.majority_hit);
        self.no_change_hits -= u64::from(outcome.no_change_hit);
        self.loss -= u128::from(outcome.loss);
        self.classes[usize::from(outcome.truth)][0] -= 1;
        self.classes[usize::from(outcome.predicted)][1] -= 1;
        if let Some(auc) = &mut self.auc {
            auc.remove(outcome.auc_bin, outcome.truth == 1);
        }
    }

    fn examples(&self) -> u64 {
        self.classes.iter().map(|[truths, _]| truths).sum()
    }

    fn read(&self) -> ClassNumbers {
        let examples = self.examples();
        let n = examples as f64;
        let share = |hits: u64| (examples > 0).then(|| hits as f64 / n);
        let accuracy = share(self.hits);
        let no_change_accuracy = share(self.no_change_hits);
        let chance: f64 = self.classes.iter().map(|[t, p]| (*t as f64 / n) * (*p as f64 / n)).sum();
        let auc = self.auc.as_ref().and_then(AucBins::read);
        ClassNumbers {
            examples,
            accuracy,
            kappa: accuracy.and_then(|accuracy| beyond(accuracy, chance)),
            kappa_temporal: accuracy.zip(no_change_accuracy).and_then(|(a, b)| beyond(a, b)),
            logloss: (examples > 0).then(|| self.loss as f64 / LOSS_STEPS / n),
            auc: auc.map(|auc| auc.value),
            auc_error_max: auc.map(|auc| auc.error_max),
            majority_accuracy: share(self.majority_hits),
            no_change_accuracy,
        }
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        let hits = [self.hits, self.majority_hits, self.no_change_hits];
        map.put_u64("hits", &hits);
        map.put_u64("loss", &[self.loss as u64, (self.loss >> 64) as u64]);
        map.put_u64("classes", self.classes.as_flattened());
        if let Some(auc) = &self.auc {
            map.nest("auc", auc.save());
        }
        map
    }

    fn loaded(classes: usize, state: &TensorMap) -> Result<Self, StateError> {
        let [hits, majority_hits, no_change_hits] = exactly(state.u64s("hits")?, "hits")?;
        let [low, high]: [u64; 2] = exactly(state.u64s("loss")?, "loss")?;
        let counts = sized(state.u64s("classes")?, 2 * classes, "classes")?;
        let auc = (classes == 2).then(|| AucBins::loaded(&state.under("auc"))).transpose()?;
        Ok(Self {
            hits,
            majority_hits,
            no_change_hits,
            loss: u128::from(high) << 64 | u128::from(low),
            classes: counts.as_chunks().0.to_vec(),
            auc,
        })
    }
}

/// How far an accuracy is beyond that of a reference, as a share of what was left to gain: the form of all kappas.
/// None where the reference is never wrong.
fn beyond(accuracy: f64, reference: f64) -> Option<f64> {
    (reference < 1.0).then(|| (accuracy - reference) / (1.0 - reference))
}

/// Scores of a classifier over some examples; none where a score is not defined (yet).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassNumbers {
    pub examples: u64,
    pub accuracy: Option<f64>,
    /// Cohen's kappa: beyond chance with the same class frequencies.
    pub kappa: Option<f64>,
    /// Beyond no-change under the same delay (Žliobaitė et al., "Evaluation methods and decision theory for
    /// classification of streaming data with temporal dependence", Machine Learning 98, 2015).
    pub kappa_temporal: Option<f64>,
    /// Mean of -ln of the truth's probability, which is clipped to at least [`PROBABILITY_MIN`].
    pub logloss: Option<f64>,
    /// Area under the ROC curve, from counts in fixed bins. For two classes only: with more, one against the rest
    /// would cost a histogram a class for a mean that says little beyond kappa and logloss.
    pub auc: Option<f64>,
    /// How far the exact area may be from `auc`.
    pub auc_error_max: Option<f64>,
    /// Of the class that was most frequent among the labels known at each prediction.
    pub majority_accuracy: Option<f64>,
    /// Of the label that was learned last before each prediction.
    pub no_change_accuracy: Option<f64>,
}

/// Scores of a classifier: over all examples and over the last ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClassScores {
    cumulative: Tally,
    sliding: Tally,
    window: Window<Outcome>,
}

impl ClassScores {
    pub(super) fn new(classes: usize, window: usize) -> Self {
        Self { cumulative: Tally::new(classes), sliding: Tally::new(classes), window: Window::new(window) }
    }

    /// Scores one prediction, a probability for each class, against the index of the true class, which is below the
    /// number of classes. The most probable class is what was predicted; of several the first. Returns the error: 0
    /// or 1.
    pub(super) fn update(&mut self, truth: f32, probabilities: &[f32], baseline: Baseline) -> f64 {
        let outcome = Outcome::of(truth, probabilities, baseline);
        self.cumulative.add(&outcome);
        self.sliding.add(&outcome);
        if let Some(old) = self.window.push(outcome) {
            self.sliding.remove(&old);
        }
        f64::from(u8::from(!outcome.hit()))
    }

    pub(super) fn examples(&self) -> u64 {
        self.cumulative.examples()
    }

    pub(super) fn cumulative(&self) -> ClassNumbers {
        self.cumulative.read()
    }

    pub(super) fn sliding(&self) -> ClassNumbers {
        self.sliding.read()
    }

    /// The sliding tally is not saved: it follows from the window, exactly.
    pub(super) fn save(&self) -> TensorMap {
        let items: Vec<_> = self.window.items().iter().map(Outcome::packed).collect();
        let mut map = TensorMap::new();
        map.nest("cumulative", self.cumulative.save());
        map.put_u32("window", items.as_flattened());
        map.put_u64("place", &[self.window.place() as u64, self.window.capacity() as u64]);
        map
    }

    /// Takes a saved state over, from a window of any size; on an error nothing has changed.
    pub(super) fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let classes = self.cumulative.classes.len();
        let cumulative = Tally::loaded(classes, &state.under("cumulative"))?;
        let packed = state.u32s("window")?;
        let items: Vec<_> = packed.as_chunks().0.iter().map(|item| Outcome::unpacked(*item)).collect();
        let fits = |item: &Outcome| {
            usize::from(item.truth.max(item.predicted)) < classes
                && usize::from(item.auc_bin) < super::auc::BINS
        };
        if let Some(wrong) = items.iter().find(|item| !fits(item)) {
            return Err(mismatch("window", format!("{wrong:?}"), format!("classes below {classes}")));
        }
        let [place, saved_capacity] = exactly(state.u64s("place")?, "place")?.map(|p: u64| p as usize);
        let (capacity, len) = (self.window.capacity(), items.len());
        let window = Window::restored(capacity, saved_capacity, items, place).ok_or_else(|| {
            let found = format!("{len} outcomes, the next at {place}");
            mismatch("window", found, format!("what a window of {saved_capacity} holds"))
        })?;
        let mut sliding = Tally::new(classes);
        window.items().iter().for_each(|outcome| sliding.add(outcome));
        *self = Self { cumulative, sliding, window };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SplitMix;

    fn near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() < 1e-6, "{value}, expected {expected}");
    }

    /// Accuracy, CohenKappa and CrossEntropy of River 0.26.1's `metrics` over the same 500 predictions (its
    /// probabilities f64): weights and truths from SplitMix64, seed 3.
    #[test]
    fn scores_are_those_of_river() {
        let mut random = SplitMix(3);
        let mut scores = ClassScores::new(3, 10);
        for _ in 0..500 {
            let weights = [(); 3].map(|()| random.unit());
            let sum: f64 = weights[0] + weights[1] + weights[2];
            let p = weights.map(|weight| (weight / sum) as f32);
            let draw = random.unit();
            let truth = match draw {
                _ if draw < 0.4 * weights[0] / sum + 0.3 => 0.0,
                _ if draw < 0.7 => 1.0,
                _ => 2.0,
            };
            scores.update(truth, &p, Baseline::NONE);
        }
        let numbers = scores.cumulative();
        near(numbers.accuracy, 0.334);
        near(numbers.kappa, 0.002_151_517_149_209_801_6);
        near(numbers.logloss, 1.322_255_761_621_414);
        assert_eq!(numbers.auc, None);
    }

    /// Worked by hand: 3 of 4 right, truths 0 0 1 1, predicted 0 0 1 0; no-change right once, majority twice.
    #[test]
    fn a_small_case_worked_by_hand() {
        let mut scores = ClassScores::new(2, 10);
        let said = |common, last| Baseline { common, last };
        let errors = [
            scores.update(0.0, &[0.75, 0.25], Baseline::NONE),
            scores.update(0.0, &[0.5, 0.5], said(0.0, 0.0)),
            scores.update(1.0, &[0.125, 0.875], said(0.0, 0.0)),
            scores.update(1.0, &[1.0, 0.0], said(1.0, 0.0)),
        ];
        assert_eq!(errors, [0.0, 0.0, 0.0, 1.0]);
        let numbers = scores.cumulative();
        assert_eq!(numbers.accuracy, Some(0.75));
        assert_eq!(numbers.majority_accuracy, Some(0.5));
        assert_eq!(numbers.no_change_accuracy, Some(0.25));
        near(numbers.kappa, (0.75 - 0.5) / 0.5);
        near(numbers.kappa_temporal, (0.75 - 0.25) / 0.75);
        let clipped = -f64::from(PROBABILITY_MIN).ln();
        near(numbers.logloss, -(0.75_f64.ln() + 0.5_f64.ln() + 0.875_f64.ln() - clipped) / 4.0);
        assert_eq!(numbers.auc, Some(0.5));
        assert_eq!(scores.sliding(), numbers, "the window holds all of them");
    }

    #[test]
    fn the_sliding_scores_are_those_of_the_last_examples_alone() {
        let mut random = SplitMix(11);
        let examples: Vec<(f32, [f32; 2], Baseline)> = (0..1_000)
            .map(|_| {
                let p = random.unit() as f32;
                let bit = |random: &mut SplitMix| f32::from(random.unit() < 0.4);
                let baseline = Baseline { common: bit(&mut random), last: bit(&mut random) };
                (bit(&mut random), [1.0 - p, p], baseline)
            })
            .collect();
        let mut all = ClassScores::new(2, 64);
        let mut last = ClassScores::new(2, 64);
        for (i, (truth, p, baseline)) in examples.iter().enumerate() {
            all.update(*truth, p, *baseline);
            if i >= 936 {
                last.update(*truth, p, *baseline);
            }
        }
        assert_eq!(all.sliding(), last.cumulative());
        assert_eq!(all.cumulative().examples, 1_000);
    }

    #[test]
    fn undefined_scores_are_none_and_a_nan_costs_the_most() {
        let mut scores = ClassScores::new(2, 10);
        let numbers = scores.cumulative();
        assert_eq!((numbers.accuracy, numbers.kappa, numbers.logloss), (None, None, None));
        scores.update(1.0, &[f32::NAN, f32::NAN], Baseline { common: 1.0, last: 1.0 });
        let numbers = scores.cumulative();
        near(numbers.logloss, -f64::from(PROBABILITY_MIN).ln());
        assert_eq!((numbers.auc, numbers.kappa_temporal), (None, None));
    }

    #[test]
    fn a_state_of_other_classes_is_refused_and_changes_nothing() {
        let mut scores = ClassScores::new(3, 4);
        for _ in 0..5 {
            scores.update(2.0, &[0.2, 0.2, 0.6], Baseline::NONE);
        }
        let state = scores.save();
        for classes in [2, 4] {
            let mut other = ClassScores::new(classes, 4);
            assert!(other.load(&state).is_err(), "{classes} classes");
            assert_eq!(other, ClassScores::new(classes, 4));
        }
        let mut broken = state.clone();
        broken.put_u64("place", &[3, 2]);
        assert!(scores.clone().load(&broken).is_err(), "more outcomes than its window");
        let mut other = ClassScores::new(3, 4);
        other.load(&state).unwrap();
        assert_eq!(other, scores);
        let mut narrow = ClassScores::new(3, 2);
        narrow.load(&state).unwrap();
        assert_eq!(narrow.sliding().examples, 2);
    }
}
