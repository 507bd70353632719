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

use crate::learn::encode::refuse;
use crate::state::{StateError, TensorMap};

/// `expected` finite numbers, none below `lowest`.
fn numbers(state: &TensorMap, path: &str, expected: usize, lowest: f64) -> Result<Vec<f64>, StateError> {
    let numbers = state.f64s(path)?;
    if numbers.len() != expected {
        return Err(refuse(path, format_args!("{} numbers", numbers.len()), format!("{expected} numbers")));
    }
    match numbers.iter().find(|number| !number.is_finite() || **number < lowest) {
        Some(number) => Err(refuse(path, number, "finite numbers in their range")),
        None => Ok(numbers),
    }
}
