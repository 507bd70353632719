//! The losses and their gradients with respect to the network's outputs.
//!
//! They are computed on the host with `libm`: the tensor library's exponential is the system's, which differs between
//! machines, and a state must not.

use crate::learn::Objective;
use crate::learn::encode::Scaling;

/// Turns logits into probabilities that sum to one.
pub(super) fn softmax(logits: &mut [f32]) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = libm::expf(*logit - largest);
        sum += *logit;
    }
    for probability in logits {
        *probability /= sum;
    }
}

/// Turns the network's outputs, `[rows, outputs]`, in place into the gradient of the mini-batch's loss: the mean over
/// the rows of weight × cross-entropy, or of weight × half the squared error of the standardised target.
pub(super) fn gradient(
    objective: Objective,
    target: &Scaling,
    outputs: &mut [f32],
    targets: &[f32],
    weights: &[f32],
) {
    let rows = targets.len() as f32;
    for ((row, truth), weight) in outputs.chunks_exact_mut(objective.outputs()).zip(targets).zip(weights) {
        match objective {
            Objective::Classify { .. } => {
                softmax(row);
                row[*truth as usize] -= 1.0;
            }
            Objective::Regress => {
                let mut standardised = [0.0];
                target.apply(&[*truth], &mut standardised);
                row[0] -= standardised[0];
            }
        }
        for value in row {
            *value *= *weight / rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::encode::Standardiser;

    #[test]
    fn probabilities_sum_to_one_even_of_huge_logits() {
        let mut row = [1e30, -1e30, 1e30];
        softmax(&mut row);
        assert_eq!(row, [0.5, 0.0, 0.5]);
        let mut row = [1.0, 2.0];
        softmax(&mut row);
        assert!((row[1] - 0.731_058_6).abs() < 1e-6, "the logistic function of 1");
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let objective = Objective::Classify { classes: 3 };
        let (targets, weights) = ([2.0, 0.0], [1.0, 3.0]);
        let outputs = [0.3_f32, -0.2, 0.9, 0.1, 0.8, -0.4];
        let loss = |outputs: &[f64]| -> f64 {
            let row = |row: usize| {
                let logits = &outputs[row * 3..row * 3 + 3];
                let total: f64 = logits.iter().map(|z| z.exp()).sum();
                f64::from(weights[row]) * (total.ln() - logits[targets[row] as usize])
            };
            (row(0) + row(1)) / 2.0
        };
        let mut found = outputs;
        gradient(objective, Standardiser::new(1).scaling(), &mut found, &targets, &weights);
        for index in 0..6 {
            let nudged = |by: f64| {
                let mut outputs = outputs.map(f64::from);
                outputs[index] += by;
                loss(&outputs)
            };
            let slope = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
            assert!((slope - f64::from(found[index])).abs() < 1e-6, "{slope} {}", found[index]);
        }
    }
}
