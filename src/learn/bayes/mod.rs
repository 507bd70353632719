//! Naive Bayes: columns that are independent of each other given the class.
//!
//! What a class's numbers are like is in `normal`, its categories in `counts`; `posterior` brings the two together.

mod counts;
mod learner;
mod normal;
mod posterior;
mod predictor;

#[cfg(test)]
mod tests;

pub use learner::NaiveBayesLearner;
pub use predictor::NaiveBayesPredictor;
