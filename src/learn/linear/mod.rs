//! Linear models, stepped example by example: logistic for two classes, softmax for more, least squares for a value.
//!
//! One example takes this way: its row is encoded with the statistics from before it and then goes into them
//! (`encode`), is scored (`forward`), the scores become the prediction (`response`), the length of the step is found
//! (`step`), and the weights move (`weights`, with `memory` and `rates` where rates adapt). What has no weights is the
//! `frame`, which a `population` of models with different settings shares.

mod chunks;
pub(super) mod forward;
mod frame;
mod learner;
mod memory;
mod population;
mod predictor;
mod rates;
pub(super) mod response;
mod saved;
pub(super) mod step;
mod weights;

#[cfg(test)]
mod tests;

pub use learner::LinearLearner;
pub use population::LinearPopulation;
pub use predictor::LinearPredictor;
