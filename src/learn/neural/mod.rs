//! Neural networks: trained in mini-batches by hand-written passes over flat arrays, or by burn on a device; served by the
//! same forward pass over plain weights.

mod engine;
mod forward;
mod inputs;
mod kernels;
mod learner;
mod loss;
mod native;
mod network;
mod optimiser;
mod predictor;
mod tensors;

#[cfg(test)]
mod tests;

pub use learner::MlpLearner;
pub use predictor::MlpPredictor;
