//! Logistic loss, cross-entropy or squared error of margins, with gradient and Hessian.

use crate::learn::Objective;
use crate::learn::exponential::exp;

/// Hessians are taken to be at least this.
const HESSIAN_MIN: f32 = 1e-6;

/// A likelihood is taken to be at least this: one surprise does not decide for ever between two models.
const LIKELIHOOD_MIN: f32 = 1e-4;

/// Margins of a prediction: one of two classes or of a value, else one a class.
pub(super) fn margins(objective: Objective) -> usize {
    match objective {
        Objective::Classify { classes } if classes > 2 => classes,
        _ => 1,
    }
}

/// The steps of a leaf as a multiple of those of the logistic loss, of which the curvature is at most a quarter.
pub(super) fn pace(objective: Objective) -> f32 {
    if objective == Objective::Regress { 0.15 } else { 1.0 }
}

/// Probabilities of margins, or the value itself.
#[inline]
pub(super) fn respond(objective: Objective, margins: &[f32], out: &mut [f32]) {
    if objective == Objective::Regress {
        out[0] = margins[0];
    } else if let [margin] = margins {
        out[1] = 1.0 / (1.0 + exp(-margin));
        out[0] = 1.0 - out[1];
    } else {
        let top = margins.iter().fold(f32::MIN, |top, margin| top.max(*margin));
        let mut total = 0.0;
        for (out, margin) in out.iter_mut().zip(margins) {
            *out = exp(margin - top);
            total += *out;
        }
        out.iter_mut().for_each(|out| *out /= total);
    }
}

/// Gradient and Hessian by each margin, for a response to an example.
#[inline]
pub(super) fn derive(
    objective: Objective,
    response: &[f32],
    target: f32,
    mut put: impl FnMut(usize, f32, f32),
) {
    match objective {
        Objective::Regress => put(0, response[0] - target, 1.0),
        Objective::Classify { classes: 2 } => {
            put(0, response[1] - target, (response[0] * response[1]).max(HESSIAN_MIN));
        }
        Objective::Classify { .. } => {
            for (class, p) in response.iter().enumerate() {
                let is = f32::from(class == target as usize);
                put(class, p - is, (p * (1.0 - p)).max(HESSIAN_MIN));
            }
        }
    }
}

/// How unlikely a response makes the target; of a value, told from a normal distribution with this variance.
#[inline]
pub(super) fn surprise(objective: Objective, response: &[f32], target: f32, variance: f64) -> f64 {
    let most = -libm::log(f64::from(LIKELIHOOD_MIN));
    match objective {
        Objective::Regress => {
            let error = f64::from(response[0]) - f64::from(target);
            (0.5 * error * error / variance.max(1e-12)).min(most)
        }
        Objective::Classify { .. } => -libm::log(f64::from(response[target as usize].max(LIKELIHOOD_MIN))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients are differences of the loss, and Hessians those of the gradient.
    #[test]
    fn derivatives_are_those_of_the_loss() {
        let cases: [(Objective, &[f32], f32); 4] = [
            (Objective::Classify { classes: 2 }, &[0.7], 1.0),
            (Objective::Classify { classes: 2 }, &[-1.2], 1.0),
            (Objective::Classify { classes: 3 }, &[0.3, -0.4, 1.0], 2.0),
            (Objective::Regress, &[0.4], -0.3),
        ];
        for (objective, at, target) in cases {
            let respond_at = |moved: &[f32]| {
                let mut out = vec![0.0; objective.outputs()];
                respond(objective, moved, &mut out);
                out
            };
            let gradient = |moved: &[f32]| {
                let mut found = vec![(0.0, 0.0); at.len()];
                derive(objective, &respond_at(moved), target, |index, g, h| found[index] = (g, h));
                found
            };
            let loss = |moved: &[f32]| surprise(objective, &respond_at(moved), target, 1.0);
            for index in 0..at.len() {
                let [mut below, mut above] = [at.to_vec(), at.to_vec()];
                below[index] -= 0.01;
                above[index] += 0.01;
                let slope = (loss(&above) - loss(&below)) / 0.02;
                let bend = (gradient(&above)[index].0 - gradient(&below)[index].0) / 0.02;
                let (g, h) = gradient(at)[index];
                assert!((slope - f64::from(g)).abs() < 1e-3, "{objective:?} {slope} {g}");
                assert!((bend - h).abs() < 1e-3, "{objective:?} {bend} {h}");
            }
        }
    }
}
