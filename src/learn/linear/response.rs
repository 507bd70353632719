use crate::learn::Objective;
use crate::learn::encode::Scaling;
use crate::learn::exponential::exp;

/// Scores that a row has: one where the outputs follow from one number.
pub(super) fn scores(objective: Objective) -> usize {
    match objective {
        Objective::Classify { classes: 2 } | Objective::Regress => 1,
        Objective::Classify { classes } => classes,
    }
}

/// `[1 - p, p]` of the logistic function; neither is the difference of the other from one.
#[inline]
pub(in crate::learn) fn logistic(score: f32, out: &mut [f32]) {
    let odds = exp(-score);
    let inverse = 1.0 / (1.0 + odds);
    out[0] = odds * inverse;
    out[1] = inverse;
}

/// Turns scores into probabilities in place.
#[inline]
pub(in crate::learn) fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().fold(f32::MIN, |a, b| if *b > a { *b } else { a });
    for score in &mut *scores {
        *score = exp(*score - highest);
    }
    let total: f32 = scores.iter().sum();
    for score in scores {
        *score /= total;
    }
}

/// The value for a score, in the unit of the target.
#[inline]
pub(in crate::learn) fn value(score: f32, target: &Scaling) -> f32 {
    target.restore(0, score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_classes_by_softmax_or_logistic_are_the_same() {
        for score in [-80.0, -3.0, -1e-4, 0.0, 0.7, 20.0, 1e12] {
            let (mut pair, mut out) = ([0.0, score], [0.0; 2]);
            softmax(&mut pair);
            logistic(score, &mut out);
            for (a, b) in pair.iter().zip(out) {
                assert!((a - b).abs() <= 2e-7 * b, "score {score}: {pair:?} and {out:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_finite_scores_give_probabilities(
            mut scores in prop::collection::vec(-1e30_f32..1e30, 3..9),
            score in -1e30_f32..1e30,
        ) {
            softmax(&mut scores);
            prop_assert!(scores.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            let mut out = [0.0; 2];
            logistic(score, &mut out);
            prop_assert!(out.iter().all(|p| (0.0..=1.0).contains(p)) && (out[0] + out[1] - 1.0).abs() < 1e-6);
        }
    }
}
