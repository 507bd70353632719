//! The learner that is right where nothing speaks for another: experts of all families over the row and its context, and
//! a combination that learns how much each is worth.
//!
//! A row is given its context when it comes (`moment`: moving `averages`, recent `labels`, means of the `targets` of its
//! categories). `inputs` are what the dense experts read of it: first-order linear models at many rates (`bank`) and
//! second-order ones (`newton`). Others read codes (`crosses`), distances (`memory`, `votes`), trees, or nothing but the
//! labels before (`chain`). `core` asks all that `roster` does not let rest, and `stack` combines what they
//! say; `asking` is the way from a row to a prediction, for learner and predictor.

mod asking;
mod averages;
mod bank;
mod chain;
mod core;
mod crosses;
mod inputs;
mod labels;
mod learner;
mod memory;
mod moment;
mod newton;
mod paged;
mod predictor;
mod ranges;
mod roster;
mod scores;
mod stack;
mod targets;
mod trees;
mod votes;

#[cfg(test)]
mod tests;

pub use learner::AutoLearner;
pub use predictor::AutoPredictor;
