//! How much each rung of the ladder counts: exponential weights (Littlestone and Warmuth 1994) of losses that fade, so
//! that the best of now counts.

use super::loss;
use crate::learn::Objective;

/// What an earlier loss counts beside that of the next example.
const FADING: f64 = 0.99;

/// How sharply losses decide.
const SHARPNESS: f64 = 0.3;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blend {
    /// Faded losses of the rungs.
    pub losses: Vec<f64>,
    /// Faded mean of the squared error of a value.
    pub variance: f64,
    weights: Vec<f32>,
}

impl Blend {
    pub fn new(rungs: usize) -> Self {
        Self::restored(vec![0.0; rungs], 1.0)
    }

    pub fn restored(losses: Vec<f64>, variance: f64) -> Self {
        let mut blend = Self { weights: vec![0.0; losses.len()], losses, variance };
        blend.settle();
        blend
    }

    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    fn settle(&mut self) {
        let least = self.losses.iter().fold(f64::MAX, |least, loss| least.min(*loss));
        let share = |loss: &f64| libm::exp(SHARPNESS * (least - loss));
        let total: f64 = self.losses.iter().map(share).sum();
        for (weight, loss) in self.weights.iter_mut().zip(&self.losses) {
            *weight = (share(loss) / total) as f32;
        }
    }

    /// Takes the responses of the rungs, `[rungs, outputs]`, and what was `said` in the end.
    pub fn learn(&mut self, objective: Objective, responses: &[f32], said: &[f32], target: f32, weight: f64) {
        let outputs = objective.outputs();
        let weight = weight.min(1.0);
        for (loss, response) in self.losses.iter_mut().zip(responses.chunks_exact(outputs)) {
            let surprise = loss::surprise(objective, response, target, self.variance);
            *loss = *loss * (1.0 - (1.0 - FADING) * weight) + surprise * weight;
        }
        if objective == Objective::Regress {
            let error = f64::from(said[0]) - f64::from(target);
            self.variance += (1.0 - FADING) * weight * (error * error - self.variance);
        }
        self.settle();
    }
}

/// The mean of responses by their weights, into `out`.
#[inline]
pub(super) fn mean(weights: &[f32], responses: &[f32], objective: Objective, out: &mut [f32]) {
    out.fill(0.0);
    for (weight, response) in weights.iter().zip(responses.chunks_exact(out.len())) {
        out.iter_mut().zip(response).for_each(|(out, response)| *out += weight * response);
    }
    if objective != Objective::Regress {
        let total: f32 = out.iter().sum();
        out.iter_mut().for_each(|out| *out = (*out / total).min(1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rung_that_has_been_better_lately_counts_most() {
        let objective = Objective::Classify { classes: 2 };
        let mut blend = Blend::new(2);
        assert_eq!(blend.weights(), [0.5, 0.5]);
        let sure = [0.1, 0.9, 0.9, 0.1];
        (0..500).for_each(|_| blend.learn(objective, &sure, &[0.5, 0.5], 1.0, 1.0));
        assert!(blend.weights()[0] > 0.99, "{blend:?}");
        (0..500).for_each(|_| blend.learn(objective, &sure, &[0.5, 0.5], 0.0, 1.0));
        assert!(blend.weights()[1] > 0.99, "{blend:?}");
    }
}
