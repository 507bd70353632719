use burn::tensor::Tensor;

use crate::config::Optimiser;

const BETA_FIRST: f64 = 0.9;
const BETA_SECOND: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// What an optimiser remembers from step to step; all parameters are one vector `[parameters]`.
///
/// Our own rather than burn's: its state is plain tensors without random ids, and steps are counted in a `u64` (burn
/// raises beta to an `i32`, which a learner that never stops would overflow).
#[derive(Debug, Clone)]
pub(super) enum OptimiserState {
    Sgd,
    Adam(Box<Moments>),
}

/// Adam's moving means of the gradient and of its square, not yet corrected for their start at zero.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pub steps: u64,
    pub first: Tensor<1>,
    pub second: Tensor<1>,
}

impl OptimiserState {
    /// The state before the first step of the given parameters.
    pub fn new(kind: Optimiser, parameters: &Tensor<1>) -> Self {
        match kind {
            Optimiser::Sgd => Self::Sgd,
            Optimiser::Adam => {
                let zeros = parameters.zeros_like();
                Self::Adam(Box::new(Moments { steps: 0, first: zeros.clone(), second: zeros }))
            }
        }
    }

    /// The parameters and the optimiser after one step; `self` stays as it was.
    pub fn step(&self, parameters: Tensor<1>, gradient: Tensor<1>, rate: f64) -> (Tensor<1>, Self) {
        match self {
            Self::Sgd => (parameters - gradient * rate, Self::Sgd),
            Self::Adam(moments) => {
                let (parameters, moments) = moments.step(parameters, gradient, rate);
                (parameters, Self::Adam(Box::new(moments)))
            }
        }
    }

    /// Whether what is remembered can take part in further steps.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Sgd => true,
            // Zero times an infinity or a NaN is NaN, and so is a sum with one in it. The first moment needs no look:
            // it is in the parameters.
            Self::Adam(moments) => (moments.second.clone() * 0.0).sum().into_scalar::<f32>() == 0.0,
        }
    }
}

impl Moments {
    /// Adam (Kingma and Ba, 2015), in the order of operations that section 2 of the paper gives as the faster one.
    fn step(&self, parameters: Tensor<1>, gradient: Tensor<1>, rate: f64) -> (Tensor<1>, Self) {
        let steps = self.steps + 1;
        let square = gradient.clone() * gradient.clone();
        let first = self.first.clone() * BETA_FIRST + gradient * (1.0 - BETA_FIRST);
        let second = self.second.clone() * BETA_SECOND + square * (1.0 - BETA_SECOND);
        let correction_first = 1.0 - libm::pow(BETA_FIRST, steps as f64);
        let correction_second = (1.0 - libm::pow(BETA_SECOND, steps as f64)).sqrt();
        let direction = first.clone() / (second.clone().sqrt() + EPSILON * correction_second);
        let parameters = parameters - direction * (rate * correction_second / correction_first);
        (parameters, Self { steps, first, second })
    }
}
