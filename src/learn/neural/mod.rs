//! Neural networks: trained by burn on a device, served by a forward pass of our own over plain weights.

mod inputs;
mod learner;
mod loss;
mod network;
mod optimiser;
mod predictor;
mod trainer;

#[cfg(test)]
mod tests;

pub use learner::MlpLearner;
pub use predictor::MlpPredictor;
