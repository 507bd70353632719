//! Many trees as one learner.
//!
//! A `forest` is of `member`s that see each example with a weight drawn at random (`poisson`); `bagging` has the plans of
//! the adaptive random forest, streaming random patches, online and leveraging bagging. `boosting` adds trees up instead.

mod bagging;
mod boosting;
mod forest;
mod member;
mod poisson;

#[cfg(test)]
mod tests;

pub(in crate::learn) use boosting::AskedBoosting;
pub use boosting::{Boosting, BoostingPredictor};
pub(in crate::learn) use forest::Asked;
pub use forest::{Forest, ForestPredictor};
