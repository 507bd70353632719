//! Tests of the whole learner; each part has its own beside it.

mod golden;
mod learning;
mod reference;

use crate::config::{FtrlConfig, LearnerKind, ModelConfig, SparseScaling, SparseStep};
use crate::learn::testing::{BINARY, contract, mixed};
use crate::learn::{Learner, Objective};

const STEPS: [SparseStep; 3] = [SparseStep::Ftrl, SparseStep::Adaptive, SparseStep::PassiveAggressive];

fn model(ftrl: FtrlConfig) -> ModelConfig {
    ModelConfig { learner: LearnerKind::Ftrl, ftrl, ..ModelConfig::default() }
}

#[test]
fn it_does_what_every_learner_owes() {
    let mut configs = Vec::new();
    for step in STEPS {
        for scaling in [SparseScaling::Standardise, SparseScaling::Largest, SparseScaling::Raw] {
            for (rate, l1, l2) in [(0.1, 0.0, 0.0), (100.0, 0.0, 0.0), (1e-6, 0.0, 1.0), (0.5, 0.3, 0.01)] {
                let crosses = if l1 > 0.0 {
                    ["numeric0*numeric1", "numeric0*numeric2", "numeric0*categorical0"].map(Into::into).into()
                } else {
                    vec![]
                };
                let beta = if l2 == 0.0 { 0.0 } else { 1.0 };
                configs.push(model(FtrlConfig { step, scaling, rate, l1, l2, bits: 10, crosses, beta }));
            }
        }
    }
    // Eleven classes take two lines of the table.
    let classes = [3, 11].map(|classes| Objective::Classify { classes });
    contract(&configs, &[BINARY, classes[0], classes[1], Objective::Regress], 400);
}

#[test]
fn the_gate_sees_a_weight_that_is_not_finite() {
    let data = mixed(BINARY, 20);
    let mut learner = super::FtrlLearner::new(&FtrlConfig::default(), &data.shape(BINARY), &data.columns());
    data.teach(&mut learner);
    assert!(learner.publish().is_finite());
    learner.break_a_weight();
    assert!(!learner.publish().is_finite());
}

#[test]
fn a_state_of_another_table_is_refused() {
    let data = mixed(BINARY, 20);
    let mut learner = data.learner(&model(FtrlConfig::default()), BINARY);
    data.teach(learner.as_mut());
    let mut smaller = data.learner(&model(FtrlConfig { bits: 10, ..FtrlConfig::default() }), BINARY);
    let error = smaller.load(&learner.save()).unwrap_err().to_string();
    assert!(
        error.starts_with("tensor \"slot\" is ") && error.ends_with("expected numbers below 1024"),
        "{error}"
    );
    let mut state = learner.save();
    let slots = state.u32s("slot").unwrap();
    state.put_u32("slot", &slots.iter().rev().copied().collect::<Vec<_>>());
    assert!(learner.load(&state).unwrap_err().to_string().ends_with("expected ascending numbers"));
}
