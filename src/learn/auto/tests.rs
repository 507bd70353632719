//! Tests of the whole learner.

use crate::config::{AutoConfig, LearnerKind, ModelConfig};
use crate::learn::Objective;
use crate::learn::testing::{BINARY, contract};

fn model(auto: AutoConfig) -> ModelConfig {
    ModelConfig { learner: LearnerKind::Auto, auto, ..ModelConfig::default() }
}

#[test]
fn it_does_what_every_learner_owes() {
    let small = AutoConfig { trees: 2, window: 20, memory_rows_max: 300, bits: 8, ..AutoConfig::default() };
    let without =
        AutoConfig { matrix_inputs_max: 0, trees: 1, window: 5, memory_rows_max: 1, ..small.clone() };
    let objectives =
        [BINARY, Objective::Classify { classes: 3 }, Objective::Classify { classes: 40 }, Objective::Regress];
    contract(&[model(small), model(without)], &objectives, 40);
}
