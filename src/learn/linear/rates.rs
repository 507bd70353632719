use crate::config::StepSize;

/// Gradients count as at least 1e-4, the square root of this: weights that saw none do not leap.
const SQUARE_MIN: f32 = 1e-8;

/// Sums of squares stop growing here.
const SQUARE_MAX: f32 = 1e30;

/// How long RMSProp remembers: a thousand examples.
const DECAY: f32 = 0.999;

/// How a weight's rate follows from the gradients it saw: `rate / sqrt(S / N)`.
///
/// `S` sums squared gradients and `N` counts examples, both losing the share `1 - decay` at each. AdaGrad has decay 1
/// and leaves `N` at 1. RMSProp starts with both at 0: from the first example, the quotient is a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Adaptive {
    rate: f32,
    decay: f32,
    counts: bool,
}

impl Adaptive {
    /// None where all weights have one constant rate.
    pub fn new(step: StepSize, rate: f32) -> Option<Self> {
        match step {
            StepSize::Constant => None,
            StepSize::Adagrad => Some(Self { rate, decay: 1.0, counts: false }),
            StepSize::Rmsprop => Some(Self { rate, decay: DECAY, counts: true }),
        }
    }

    /// The same at another level.
    pub fn with_rate(self, rate: f32) -> Self {
        Self { rate, ..self }
    }

    /// The rule at one more example than `count`.
    pub fn at(self, count: f32) -> Rule {
        let count = if self.counts { self.decay * count + 1.0 } else { 1.0 };
        Rule { rate: self.rate, decay: self.decay, count }
    }
}

/// What is the same for many weights at an example.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    rate: f32,
    decay: f32,
    /// `N`, the example included.
    pub count: f32,
}

impl Rule {
    /// The rate of a weight whose squares so far are `squares` and whose gradient now has the square `square`.
    #[inline(always)]
    pub fn rate(self, squares: f32, square: f32) -> f32 {
        self.rate / ((self.decay * squares + square) / self.count + SQUARE_MIN).sqrt()
    }

    /// The squares after the example.
    #[inline(always)]
    pub fn squares(self, squares: f32, square: f32) -> f32 {
        let sum = self.decay * squares + square;
        if sum > SQUARE_MAX { SQUARE_MAX } else { sum }
    }
}
