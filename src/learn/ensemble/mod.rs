//! Many trees as one learner.
//!
//! A `forest` is of `member`s that see each example with a weight drawn at random (`poisson`); `bagging` has the plans of
//! the adaptive random forest, streaming random patches, online and leveraging bagging.

mod bagging;
mod forest;
mod member;
mod poisson;

#[cfg(test)]
mod tests;

pub use forest::{Forest, ForestPredictor};
