use crate::config::{MlpConfig, Optimiser};
use crate::state::{StateError, TensorMap};

const BETA_FIRST: f64 = 0.9;
const BETA_SECOND: f64 = 0.999;

/// Weights stay within a million, and sums of squares within 1e30: what follows from them is finite.
pub(super) const WEIGHT_MAX: f32 = 1e6;
pub(super) const SQUARES_MAX: f32 = 1e30;

/// How gradients become steps, for every engine: the numbers here are computed once a step, in `f64`.
///
/// Our own rather than a tensor library's: its state is plain tensors without random ids, and steps are counted in a
/// `u64` (burn raises beta to an `i32`, which a learner that never stops would overflow).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schedule {
    pub optimiser: Optimiser,
    rate: f64,
    warmup_steps: u64,
    weight_decay: f64,
    clip_norm: f64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Steps taken.
    pub steps: u64,
    /// Steps that met what is not finite, and changed nothing.
    pub refused: u64,
}

/// One step: with `g` the gradient times `clip`,
///
/// ```text
/// SGD      direction = g
/// AdaGrad  second = second + g^2                         direction = g / (sqrt(second) + epsilon)
/// Adam     first = decay.0 first + gain.0 g
///          second = decay.1 second + gain.1 g^2          direction = first / (sqrt(second) + epsilon)
/// then     weight = keep weight - rate direction
/// ```
///
/// AdaGrad: Duchi, Hazan and Singer (2011). Adam: Kingma and Ba (2015), in the order that section 2 of the paper gives as
/// the faster one. Weight decay is apart from the gradient (Loshchilov and Hutter, "Decoupled weight decay
/// regularization", 2019); clipping is by the norm of the whole gradient (Pascanu, Mikolov and Bengio, 2013).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub clip: f32,
    pub rate: f32,
    pub keep: f32,
    pub epsilon: f32,
    pub decay: (f32, f32),
    pub gain: (f32, f32),
}

impl Schedule {
    pub fn new(config: &MlpConfig) -> Self {
        let &MlpConfig { optimiser, rate, warmup_steps, weight_decay, clip_norm, .. } = config;
        Self { optimiser, rate, warmup_steps, weight_decay, clip_norm }
    }

    /// Warms up to this rate, or is at it from now on.
    pub fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    pub fn keeps_first(&self) -> bool {
        self.optimiser == Optimiser::Adam
    }

    pub fn keeps_second(&self) -> bool {
        matches!(self.optimiser, Optimiser::Adam | Optimiser::Adagrad)
    }

    /// The step that follows `counts`, on a gradient with the squared norm `square`; none where that is not finite.
    pub fn step(&self, counts: Counts, square: f32) -> Option<Step> {
        if !square.is_finite() {
            return None;
        }
        let steps = counts.steps.saturating_add(1);
        let warm = if steps < self.warmup_steps { steps as f64 / self.warmup_steps as f64 } else { 1.0 };
        let base = self.rate * warm;
        let norm = f64::from(square).sqrt();
        let clip = if self.clip_norm > 0.0 && norm > self.clip_norm { self.clip_norm / norm } else { 1.0 };
        let (rate, epsilon) = match self.optimiser {
            Optimiser::Sgd => (base, 0.0),
            Optimiser::Adagrad => (base, 1e-10),
            Optimiser::Adam => {
                let first = 1.0 - libm::pow(BETA_FIRST, steps as f64);
                let second = (1.0 - libm::pow(BETA_SECOND, steps as f64)).sqrt();
                (base * second / first, 1e-8 * second)
            }
        };
        Some(Step {
            clip: clip as f32,
            rate: rate as f32,
            keep: (1.0 - base * self.weight_decay).max(0.0) as f32,
            epsilon: epsilon as f32,
            decay: (BETA_FIRST as f32, BETA_SECOND as f32),
            gain: ((1.0 - BETA_FIRST) as f32, (1.0 - BETA_SECOND) as f32),
        })
    }
}

impl Counts {
    pub fn save(self, map: &mut TensorMap) {
        map.put_u64_one("steps", self.steps);
        map.put_u64_one("refused", self.refused);
    }

    pub fn load(state: &TensorMap) -> Result<Self, StateError> {
        Ok(Self { steps: state.u64_one("steps")?, refused: state.u64_one("refused")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(change: impl FnOnce(&mut MlpConfig)) -> Schedule {
        let mut config = MlpConfig { optimiser: Optimiser::Sgd, rate: 0.5, ..MlpConfig::default() };
        (config.warmup_steps, config.weight_decay, config.clip_norm) = (0, 0.0, 0.0);
        change(&mut config);
        Schedule::new(&config)
    }

    #[test]
    fn the_rate_rises_to_its_level_over_the_warm_up() {
        let schedule = schedule(|config| config.warmup_steps = 4);
        let rate = |steps| schedule.step(Counts { steps, refused: 0 }, 1.0).unwrap().rate;
        assert_eq!([0, 1, 2, 3, 4, u64::MAX].map(rate), [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn a_gradient_that_is_too_long_is_cut_and_one_that_is_not_finite_is_none() {
        let schedule = schedule(|config| config.clip_norm = 2.0);
        let clip = |square| schedule.step(Counts::default(), square).map(|step| step.clip);
        assert_eq!([1.0, 4.0, 16.0].map(clip), [Some(1.0), Some(1.0), Some(0.5)]);
        assert_eq!([f32::NAN, f32::INFINITY].map(clip), [None, None]);
    }

    #[test]
    fn decay_keeps_a_share_that_follows_the_rate_and_is_never_negative() {
        let kept =
            |decay| schedule(|config| config.weight_decay = decay).step(Counts::default(), 1.0).unwrap().keep;
        assert_eq!([0.0, 0.5, 4.0].map(kept), [1.0, 0.75, 0.0]);
    }
}
