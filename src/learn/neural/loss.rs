//! What a network's outputs mean, and the slopes of the losses by them.
//!
//! The exponential is our own: a tensor library's is the system's, which differs between machines, and a state must not.

use crate::learn::Objective;
use crate::learn::encode::Scaling;
use crate::learn::linear::response::softmax;

/// Turns a row of outputs into its prediction: probabilities, or the value in the unit of the target.
#[inline]
pub(super) fn respond(objective: Objective, target: &Scaling, row: &mut [f32]) {
    match objective {
        Objective::Classify { .. } => softmax(row),
        Objective::Regress => row[0] = target.restore(0, row[0]),
    }
}

/// The slopes by a row's outputs of weight × cross-entropy, or of weight × half the squared error of the standardised
/// target; `prediction` is what [`respond`] made of the outputs. `slopes` comes with the outputs.
#[inline]
pub(super) fn slopes(
    objective: Objective,
    target: &Scaling,
    prediction: &[f32],
    truth: f32,
    weight: f32,
    slopes: &mut [f32],
) {
    match objective {
        Objective::Classify { .. } => {
            slopes.copy_from_slice(prediction);
            slopes[truth as usize] -= 1.0;
        }
        Objective::Regress => {
            let mut standardised = [0.0];
            target.apply(&[truth], &mut standardised);
            slopes[0] -= standardised[0];
        }
    }
    for slope in slopes {
        *slope *= weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::encode::Standardiser;

    #[test]
    fn the_slopes_are_those_of_the_loss() {
        let objective = Objective::Classify { classes: 3 };
        let standardiser = Standardiser::new(1);
        for (truth, weight, outputs) in [(2.0, 1.0, [0.3_f32, -0.2, 0.9]), (0.0, 3.0, [0.1, 0.8, -0.4])] {
            let loss = |outputs: [f64; 3]| -> f64 {
                let total: f64 = outputs.iter().map(|z| z.exp()).sum();
                f64::from(weight) * (total.ln() - outputs[truth as usize])
            };
            let (mut prediction, mut found) = (outputs, outputs);
            respond(objective, standardiser.scaling(), &mut prediction);
            slopes(objective, standardiser.scaling(), &prediction, truth, weight, &mut found);
            for index in 0..3 {
                let nudged = |by: f64| {
                    let mut outputs = outputs.map(f64::from);
                    outputs[index] += by;
                    loss(outputs)
                };
                let slope = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
                assert!((slope - f64::from(found[index])).abs() < 1e-6, "{slope} {}", found[index]);
            }
        }
    }
}
