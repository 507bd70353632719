//! Learners that look at labels only: what any model has to beat. They follow the protocol of every other learner, so
//! that their labels are as late as everyone's.

mod common;
mod learner;
mod no_change;

#[cfg(test)]
mod tests;

pub use common::Common;
pub use learner::{Baseline, BaselineLearner};
pub use no_change::NoChange;

/// The learner of [`Common`].
pub type CommonLearner = BaselineLearner<Common>;

/// The learner of [`NoChange`].
pub type NoChangeLearner = BaselineLearner<NoChange>;
