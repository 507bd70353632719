use crate::state::{StateError, TensorMap, sized};

/// Bins for each power of two of the smaller of `p` and `1 - p`.
const PER_OCTAVE: u32 = 32;
/// Powers of two that are told apart; what is nearer to 0 or 1 than 2^-17 is one bin.
const OCTAVES: u32 = 16;
/// Bins below one half.
const HALF: u32 = PER_OCTAVE * OCTAVES;
/// Bins in all.
pub(super) const BINS: usize = 2 * HALF as usize;
/// Mantissa bits of an f32 that are below a bin's resolution.
const SHIFT: u32 = f32::MANTISSA_DIGITS - 1 - PER_OCTAVE.ilog2();
/// Where the first bin starts among the shifted bits of an f32: at 2^-17.
const FIRST: u32 = (2.0_f32.to_bits() >> SHIFT) - (OCTAVES + 2) * PER_OCTAVE;

/// The bin of a probability: 32 to each factor of two of the distance from 0 and from 1, so that rare classes are
/// ranked as finely as common ones. Monotone; NaN is in the first bin.
pub(super) fn bin(probability: f32) -> u16 {
    // Selects, not branches: which half a probability is in cannot be foretold.
    let upper = probability >= 0.5;
    let near = if upper { 1.0 - probability } else { probability };
    let bin = (near.max(0.0).to_bits() >> SHIFT).saturating_sub(FIRST).min(HALF - 1);
    (if upper { 2 * HALF - 1 - bin } else { bin }) as u16
}

/// Area under the ROC curve of a two-class score, from counts of both classes in fixed bins.
///
/// Adding and taking away cost O(1), a reading O(bins). Scores of one bin count as ties, half; so the exact area lies
/// within `error_max` of the reading, which is half the share of pairs that fell into one bin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AucBins {
    /// For each bin: negatives, positives.
    counts: Vec<[u64; 2]>,
}

/// A reading of [`AucBins`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Auc {
    pub(super) value: f64,
    /// How far the exact area may be from `value`.
    pub(super) error_max: f64,
}

impl AucBins {
    pub(super) fn new() -> Self {
        Self { counts: vec![[0; 2]; BINS] }
    }

    pub(super) fn add(&mut self, bin: u16, positive: bool) {
        self.counts[usize::from(bin)][usize::from(positive)] += 1;
    }

    pub(super) fn remove(&mut self, bin: u16, positive: bool) {
        self.counts[usize::from(bin)][usize::from(positive)] -= 1;
    }

    /// The area; none before both classes were seen.
    pub(super) fn read(&self) -> Option<Auc> {
        let (mut negatives, mut positives) = (0_u64, 0_u64);
        let (mut won, mut tied) = (0_u128, 0_u128);
        for [negative, positive] in &self.counts {
            won += u128::from(*positive) * u128::from(negatives);
            tied += u128::from(*positive) * u128::from(*negative);
            negatives += negative;
            positives += positive;
        }
        let pairs = (u128::from(negatives) * u128::from(positives)) as f64;
        (pairs > 0.0).then(|| Auc {
            value: (won as f64 + 0.5 * tied as f64) / pairs,
            error_max: 0.5 * tied as f64 / pairs,
        })
    }

    pub(super) fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        let column = |class: usize| self.counts.iter().map(|c| c[class]).collect::<Vec<_>>();
        map.put_u64("negatives", &column(0));
        map.put_u64("positives", &column(1));
        map
    }

    pub(super) fn loaded(state: &TensorMap) -> Result<Self, StateError> {
        let negatives = sized(state.u64s("negatives")?, BINS, "negatives")?;
        let positives = sized(state.u64s("positives")?, BINS, "positives")?;
        Ok(Self { counts: negatives.into_iter().zip(positives).map(|(n, p)| [n, p]).collect() })
    }
}

/// Area under the ROC curve of several classes: that of each class against the rest, averaged with the classes' shares
/// (scikit-learn's `multi_class="ovr", average="weighted"`). For whoever can afford a histogram a class.
#[derive(Debug, Clone, PartialEq)]
pub struct RestAuc {
    classes: Vec<AucBins>,
}

impl RestAuc {
    pub fn new(classes: usize) -> Self {
        Self { classes: vec![AucBins::new(); classes] }
    }

    /// Takes in a probability for each class and the index of the true one.
    pub fn update(&mut self, truth: f32, probabilities: &[f32]) {
        for ((class, bins), probability) in self.classes.iter_mut().enumerate().zip(probabilities) {
            bins.add(bin(*probability), class == truth as usize);
        }
    }

    /// The area; none before two classes were seen.
    pub fn read(&self) -> Option<f64> {
        let (mut sum, mut positives) = (0.0, 0.0);
        for bins in &self.classes {
            if let Some(auc) = bins.read() {
                let share = bins.counts.iter().map(|[_, positive]| *positive).sum::<u64>() as f64;
                sum += share * auc.value;
                positives += share;
            }
        }
        (positives > 0.0).then(|| sum / positives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: the share of pairs that are ranked rightly, ties half.
    fn exact(scores: &[(f32, bool)]) -> Option<f64> {
        let (mut won, mut pairs) = (0.0, 0.0);
        for (p, _) in scores.iter().filter(|(_, positive)| *positive) {
            for (n, _) in scores.iter().filter(|(_, positive)| !*positive) {
                pairs += 1.0;
                won += if p > n {
                    1.0
                } else if p == n {
                    0.5
                } else {
                    0.0
                };
            }
        }
        (pairs > 0.0).then(|| won / pairs)
    }

    #[test]
    fn bins_rise_with_the_probability_from_the_first_to_the_last() {
        let mut last = 0;
        for step in 0..=1_000_000_u32 {
            let now = bin(step as f32 / 1e6);
            assert!(now >= last, "bin {now} of {} after {last}", step as f32 / 1e6);
            last = now;
        }
        assert_eq!((bin(0.0), bin(1.0)), (0, BINS as u16 - 1));
        assert_eq!((bin(0.499_999_97), bin(0.5)), (HALF as u16 - 1, HALF as u16));
        assert_eq!((bin(f32::NAN), bin(-1.0), bin(7.0)), (0, 0, BINS as u16 - 1));
        assert!(bin(0.001) < bin(0.001_05), "rare classes are ranked finely");
    }

    #[test]
    fn two_classes_apart_have_an_area_of_one_and_one_class_has_none() {
        let mut auc = AucBins::new();
        auc.add(bin(0.9), true);
        assert_eq!(auc.read(), None);
        auc.add(bin(0.2), false);
        assert_eq!(auc.read(), Some(Auc { value: 1.0, error_max: 0.0 }));
        auc.add(bin(0.2), true);
        assert_eq!(auc.read(), Some(Auc { value: 0.75, error_max: 0.25 }));
        auc.remove(bin(0.2), true);
        assert_eq!(auc.read(), Some(Auc { value: 1.0, error_max: 0.0 }));
    }

    #[test]
    fn several_classes_have_the_weighted_mean_of_each_against_the_rest() {
        let mut auc = RestAuc::new(3);
        let said = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4], [0.1, 0.7, 0.2]];
        for (truth, probabilities) in [0.0, 1.0, 2.0, 0.0].iter().zip(&said) {
            auc.update(*truth, probabilities);
        }
        auc.update(1.0, &said[4]);
        // Class 0: pairs (.6, .3) over (.5, .2, .1), 5 of 6. Class 1: (.4, .7) over (.3, .2, .3), 6 of 6. Class 2: 4 of 4.
        let expected = (2.0 * (5.0 / 6.0) + 2.0 * 1.0 + 1.0) / 5.0;
        assert!((auc.read().unwrap() - expected).abs() < 1e-12, "{:?}", auc.read());
        let mut one = RestAuc::new(3);
        one.update(0.0, &said[0]);
        assert_eq!(one.read(), None);
    }

    proptest! {
        #[test]
        fn the_exact_area_lies_within_the_stated_error(
            scores in proptest::collection::vec((0.0_f32..=1.0, any::<bool>()), 2..80)
        ) {
            let mut auc = AucBins::new();
            for (score, positive) in &scores {
                auc.add(bin(*score), *positive);
            }
            match (auc.read(), exact(&scores)) {
                (Some(read), Some(exact)) => {
                    prop_assert!((read.value - exact).abs() <= read.error_max + 1e-12)
                }
                (read, exact) => prop_assert_eq!(read.map(|auc| auc.value), exact),
            }
        }
    }
}
