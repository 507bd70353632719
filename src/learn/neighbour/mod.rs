//! Nearest neighbours among the rows learned last.
//!
//! A row goes into a window of blocks (`window`); a prediction scans all of them (`scan`), newest first, and the nearest
//! ones vote (`vote`). The scan is exact: no index pays for a few thousand rows that change all the time, and one that
//! goes through 16 rows at once does.

mod learner;
mod predictor;
mod saved;
mod scan;
mod vote;
mod window;

#[cfg(test)]
mod tests;

pub use learner::KnnLearner;
pub use predictor::KnnPredictor;
pub(in crate::learn) use predictor::{encode, fill};
pub(in crate::learn) use saved::{put_window, window as load_window};
pub(in crate::learn) use scan::{Nearest, Query};
pub(in crate::learn) use window::Window;
