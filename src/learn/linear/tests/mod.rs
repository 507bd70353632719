//! Tests of the whole learner; each part has its own beside it.

mod golden;
mod learning;
mod reference;
mod robustness;
mod state;

use crate::config::{LinearConfig, StepSize};
use crate::learn::linear::LinearLearner;
use crate::learn::testing::{BINARY, Data, elec2, mixed};
use crate::learn::{Learner, Objective, Predictions, Shape};

const STEPS: [StepSize; 3] = [StepSize::Constant, StepSize::Adagrad, StepSize::Rmsprop];

fn config(step: StepSize, rate: f32) -> LinearConfig {
    LinearConfig { rate, step, l2: 0.0 }
}
