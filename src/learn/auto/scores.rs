//! What experts say before it becomes a prediction: one log-odds for two classes, a log probability a class for more, a
//! standardised value for a regression.

use crate::learn::Objective;
use crate::learn::exponential::exp;
use crate::state::{StateError, TensorMap, finite, sized};

/// Log-odds and log probabilities are not taken to be farther from 0: nobody is surer than that.
pub(super) const SURE: f32 = 7.0;

/// Scores that an expert gives.
pub(super) fn scores(objective: Objective) -> usize {
    match objective {
        Objective::Classify { classes: 2 } | Objective::Regress => 1,
        Objective::Classify { classes } => classes,
    }
}

#[inline(always)]
pub(super) fn sigmoid(score: f32) -> f32 {
    1.0 / (1.0 + exp(-score))
}

/// Probabilities from scores, into `out`, `[outputs]`; of a regression the score itself.
#[inline]
pub(super) fn respond(objective: Objective, scores: &[f32], out: &mut [f32]) {
    match (objective, scores) {
        (Objective::Classify { .. }, [score]) => {
            let p = sigmoid(*score);
            (out[0], out[1]) = (1.0 - p, p);
        }
        (Objective::Classify { .. }, scores) => {
            let top = scores.iter().fold(f32::MIN, |a, b| a.max(*b));
            let mut total = 0.0;
            for (out, score) in out.iter_mut().zip(scores) {
                *out = exp(score - top);
                total += *out;
            }
            let inverse = 1.0 / total;
            out.iter_mut().for_each(|out| *out *= inverse);
        }
        (Objective::Regress, scores) => out[0] = scores[0],
    }
}

/// Scores from probabilities, `[outputs]`, into `out`, `[scores]`; log probabilities are centred.
#[inline]
pub(super) fn opinion(probabilities: &[f32], out: &mut [f32]) {
    const LEAST: f32 = 1e-5;
    if let [score] = out {
        let (no, yes) = (probabilities[0].max(LEAST), probabilities[1].max(LEAST));
        *score = (ln(yes) - ln(no)).clamp(-SURE, SURE);
        return;
    }
    let mut total = 0.0;
    for (out, p) in out.iter_mut().zip(probabilities) {
        *out = ln(p.max(LEAST));
        total += *out;
    }
    let middle = total / probabilities.len() as f32;
    out.iter_mut().for_each(|out| *out = (*out - middle).clamp(-SURE, SURE));
}

/// Bounds scores that came out of a linear model; those of many classes are centred.
#[inline]
pub(super) fn bound(scores: &[f32], out: &mut [f32]) {
    let middle = if scores.len() > 1 { scores.iter().sum::<f32>() / scores.len() as f32 } else { 0.0 };
    for (out, score) in out.iter_mut().zip(scores) {
        *out = (score - middle).clamp(-SURE, SURE);
    }
}

/// What an example pulls each score by, into `residuals`, `[scores]`; returns the curvature of the loss. `target` is
/// the class or the standardised value; `room` is for probabilities.
#[inline]
pub(super) fn pull(
    objective: Objective,
    scores: &[f32],
    target: f32,
    room: &mut [f32],
    residuals: &mut [f32],
) -> f32 {
    match (objective, scores) {
        (Objective::Classify { .. }, [score]) => {
            let p = sigmoid(*score);
            residuals[0] = target - p;
            p * (1.0 - p)
        }
        (Objective::Classify { .. }, scores) => {
            respond(objective, scores, room);
            let mut squares = 0.0;
            for (class, (residual, p)) in residuals.iter_mut().zip(room.iter()).enumerate() {
                *residual = f32::from(class == target as usize) - p;
                squares += p * p;
            }
            0.5 * (1.0 - squares).max(0.0)
        }
        (Objective::Regress, scores) => {
            residuals[0] = (target - scores[0]).clamp(-SURE, SURE);
            1.0
        }
    }
}

/// The natural logarithm of a normal number above zero.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    crate::learn::tree::ln(x)
}

/// Finite numbers of a tensor of exactly `len`.
pub(super) fn floats(state: &TensorMap, path: &str, len: usize) -> Result<Vec<f32>, StateError> {
    finite(sized(state.f32s(path)?, len, path)?, path)
}

/// Finite doubles of a tensor of exactly `len`.
pub(super) fn doubles(state: &TensorMap, path: &str, len: usize) -> Result<Vec<f64>, StateError> {
    finite(sized(state.f64s(path)?, len, path)?, path)
}
