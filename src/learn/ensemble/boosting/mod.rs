//! Online gradient boosting: small trees, each grown on the loss's gradient over the last rows, with leaves that go on
//! learning.
//!
//! A row goes down every tree (`structure`); the values of the leaves that it reaches add up to margins (`ladder`), which
//! are probabilities or a value (`loss`). Every so many examples a tree is grown (`growth`, from `histograms`) on the
//! gradient and the Hessian of the rows that are remembered (`window`), and the oldest is dropped. `blend` weighs the
//! rungs of the ladder. `booster` puts them together, `learner` is what the service has.

mod blend;
mod booster;
mod growth;
mod histograms;
mod ladder;
mod learner;
mod loss;
mod saved;
mod structure;
mod window;

#[cfg(test)]
mod tests;

pub(in crate::learn) use learner::AskedBoosting;
pub use learner::{Boosting, BoostingPredictor};
