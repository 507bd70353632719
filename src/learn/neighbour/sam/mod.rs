//! Self-adjusting memory (Losing, Hammer and Wersing, 2016).
//!
//! The newest rows are the short-term memory (`short`), as many as predict best; what leaves it goes to the long-term
//! memory (`long`), out of which is taken what the short-term memory contradicts, and which is halved by clustering
//! (`clusters`) where there is no room. Either of them or both together predict, whichever did best lately.

mod clusters;
mod learner;
mod long;
mod losses;
mod predictor;
mod short;

#[cfg(test)]
mod tests;

pub use learner::SamKnnLearner;
pub use predictor::SamKnnPredictor;
