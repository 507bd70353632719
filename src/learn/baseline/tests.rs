use crate::config::{LearnerKind, ModelConfig};
use crate::learn::Objective;
use crate::learn::testing::{BINARY, Data, contract};

fn model(learner: LearnerKind) -> ModelConfig {
    ModelConfig { learner, ..ModelConfig::default() }
}

fn labels(targets: &[f32]) -> Data {
    let mut data = Data::new(0, 0);
    targets.iter().for_each(|target| data.push(&[], &[], *target, 1.0));
    data
}

#[test]
fn they_do_what_every_learner_owes() {
    let configs = [LearnerKind::Majority, LearnerKind::Mean, LearnerKind::NoChange].map(model);
    contract(&configs, &[BINARY, Objective::Classify { classes: 3 }, Objective::Regress], 300);
}

#[test]
fn majority_has_the_shares_of_the_classes_learned() {
    let data = labels(&[2.0, 1.0, 1.0, 0.0, 1.0]);
    let mut learner = data.learner(&model(LearnerKind::Majority), Objective::Classify { classes: 3 });
    let out = data.teach(learner.as_mut());
    assert_eq!(out.row(0), [1.0_f32 / 3.0; 3]);
    let third = 1.0 / 3.0;
    for (found, count) in data.ask(learner.as_ref()).row(0).iter().zip([1.0, 3.0, 1.0]) {
        assert!((found - (count + third) / 6.0).abs() < 1e-6);
    }
}

#[test]
fn no_change_predicts_the_label_learned_last_even_where_labels_alternate() {
    let targets: Vec<f32> = (0..100).map(|row| (row % 3) as f32).collect();
    let data = labels(&targets);
    let mut learner = data.learner(&model(LearnerKind::NoChange), Objective::Classify { classes: 3 });
    let out = data.teach(learner.as_mut());
    for row in 1..100 {
        let last = targets[row - 1] as usize;
        assert!((0..3).all(|class| class == last || out.row(row)[class] < out.row(row)[last]), "row {row}");
    }
    let mut learner = data.learner(&model(LearnerKind::NoChange), Objective::Regress);
    assert_eq!(data.teach(learner.as_mut()).values[1..], targets[..99]);
}

#[test]
fn no_change_says_how_often_labels_last() {
    let data = labels(&[0.0, 0.0, 0.0, 0.0, 1.0]);
    let mut learner = data.learner(&model(LearnerKind::NoChange), BINARY);
    data.teach(learner.as_mut());
    // Three of four were the same as before: (3 + 1) / (4 + 2).
    assert_eq!(data.ask(learner.as_ref()).row(0), [(1.0_f64 - 4.0 / 6.0) as f32, 4.0 / 6.0]);
}

#[test]
fn mean_is_that_of_the_values_by_their_importance() {
    let mut data = labels(&[1.0, 2.0, 6.0]);
    data.weights = vec![1.0, 2.0, 1.0];
    let mut learner = data.learner(&model(LearnerKind::Mean), Objective::Regress);
    assert_eq!(data.teach(learner.as_mut()).values, [0.0, 1.0, 5.0 / 3.0]);
    assert_eq!(data.ask(learner.as_ref()).values, [2.75; 3]);
}
