use std::collections::VecDeque;

use crate::learn::Objective;

/// What a loss of 1 counts: a wrong class, or a value that is a deviation off.
const ONE: f64 = 65_536.0;

/// A value that is farther off counts as if it were there.
const DEVIATIONS_MAX: f64 = 16.0;

/// The loss of an answer, in whole numbers, so that sums are exact in any order. `scale`: one over the deviation of the
/// targets.
pub(super) fn loss(objective: Objective, scale: f32, answer: Option<f32>, target: f32) -> u32 {
    match (objective, answer) {
        (Objective::Classify { .. }, Some(class)) if class == target => 0,
        (Objective::Classify { .. }, _) | (Objective::Regress, None) => ONE as u32,
        (Objective::Regress, Some(value)) => {
            let off = (f64::from(value) - f64::from(target)).abs() * f64::from(scale);
            (off.min(DEVIATIONS_MAX) * ONE) as u32
        }
    }
}

/// The last losses of something that predicts, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Losses {
    last: VecDeque<u32>,
    sum: u64,
}

impl Losses {
    pub const fn new() -> Self {
        Self { last: VecDeque::new(), sum: 0 }
    }

    pub fn push(&mut self, loss: u32) {
        self.last.push_back(loss);
        self.sum += u64::from(loss);
    }

    /// Forgets all but the last `count`.
    pub fn keep(&mut self, count: usize) {
        while self.last.len() > count {
            self.sum -= self.last.pop_front().map_or(0, u64::from);
        }
    }

    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether its mean is lower than that of another; that of no losses is the highest.
    pub fn beats(&self, other: &Self) -> bool {
        match (self.len() as u128, other.len() as u128) {
            (0, _) => false,
            (_, 0) => true,
            (own, others) => u128::from(self.sum) * others < u128::from(other.sum) * own,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.last.iter().copied()
    }
}

impl FromIterator<u32> for Losses {
    fn from_iter<I: IntoIterator<Item = u32>>(losses: I) -> Self {
        let mut all = Self::default();
        losses.into_iter().for_each(|loss| all.push(loss));
        all
    }
}
