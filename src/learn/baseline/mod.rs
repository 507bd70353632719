//! Learners that look at labels only: what any model has to beat. They follow the protocol of every other learner, so
//! that their labels are as late as everyone's.

mod common;
mod no_change;

#[cfg(test)]
mod tests;

pub use common::{Common, CommonLearner};
pub use no_change::{NoChange, NoChangeLearner};

use super::Objective;

/// A heavier example counts as one of this importance.
const IMPORTANCE_MAX: f32 = 1e6;

/// Whether an example is learned: its weight is above zero and its target is a class, or finite.
fn is_learnable(objective: Objective, target: f32, weight: f32) -> bool {
    weight > 0.0
        && match objective {
            Objective::Classify { classes } => target >= 0.0 && (target as usize) < classes,
            Objective::Regress => target.is_finite(),
        }
}
