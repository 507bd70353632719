use proptest::prelude::*;

use super::robustness::{any_config, any_data, any_objective, fit};
use super::*;
use crate::learn::linear::LinearPredictor;
use crate::learn::{Learner, Predictor};
use crate::state::TensorMap;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_loaded_learner_predicts_and_goes_on_learning_as_the_saved_one(
        objective in any_objective(),
        config in any_config(),
        mut data in any_data(2..40),
    ) {
        fit(&mut data, objective);
        let (first, then) = (data.part(0..data.rows.len() / 2), data.part(data.rows.len() / 2..data.rows.len()));
        let shape = data.shape(objective);
        let mut kept = LinearLearner::new(&config, 3, &shape);
        first.teach(&mut kept);
        let file = kept.save().to_safetensors().unwrap();
        let mut loaded = LinearLearner::new(&config, 3, &shape);
        then.teach(&mut loaded);
        loaded.load(&TensorMap::from_safetensors(&file).unwrap()).unwrap();
        prop_assert_eq!(data.ask(&loaded), data.ask(&kept));
        prop_assert_eq!(then.teach(&mut loaded), then.teach(&mut kept));
        prop_assert_eq!(loaded.save().digest(), kept.save().digest());
    }

    #[test]
    fn a_predictor_says_what_the_learner_said_when_it_was_published(
        objective in any_objective(),
        config in any_config(),
        mut data in any_data(3..40),
    ) {
        fit(&mut data, objective);
        let shape = data.shape(objective);
        let third = data.rows.len() / 3;
        let mut learner = LinearLearner::new(&config, 3, &shape);
        for range in [0..third, third..2 * third, 2 * third..data.rows.len()] {
            data.part(range).teach(&mut learner);
            let published = learner.publish();
            let said = data.ask(&learner);
            let mut out = Predictions::default();
            published.predict(&data.rows, &mut out);
            prop_assert_eq!(&out, &said);
            let loaded = LinearPredictor::load(&shape, &published.save()).unwrap();
            loaded.predict(&data.rows, &mut out);
            prop_assert_eq!(&out, &said);
            prop_assert_eq!(loaded.save().digest(), published.save().digest());
            data.teach(&mut learner.clone());
            published.predict(&data.rows, &mut out);
            prop_assert_eq!(&out, &said);
        }
    }

    #[test]
    fn saving_publishing_and_predicting_change_nothing(
        objective in any_objective(),
        config in any_config(),
        mut data in any_data(2..40),
    ) {
        fit(&mut data, objective);
        let mut quiet = LinearLearner::new(&config, 3, &data.shape(objective));
        let mut asked = quiet.clone();
        for row in 0..data.rows.len() {
            let one = data.part(row..row + 1);
            one.teach(&mut quiet);
            one.teach(&mut asked);
            let digest = asked.save().digest();
            data.ask(&asked);
            asked.publish();
            prop_assert_eq!(asked.save().digest(), digest);
        }
        prop_assert_eq!(asked.save().digest(), quiet.save().digest());
    }
}

#[test]
fn rows_do_not_influence_each_others_predictions() {
    let data = mixed(Objective::Classify { classes: 4 }, 100);
    let shape = data.shape(Objective::Classify { classes: 4 });
    let mut learner = LinearLearner::new(&config(StepSize::Adagrad, 0.1), 3, &shape);
    data.teach(&mut learner);
    let all = data.ask(&learner);
    for row in 0..100 {
        assert_eq!(data.part(row..row + 1).ask(&learner).row(0), all.row(row));
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let data = mixed(Objective::Regress, 50);
    let shape = data.shape(Objective::Regress);
    let config = config(StepSize::Rmsprop, 0.1);
    let mut learner = LinearLearner::new(&config, 8, &shape);
    data.teach(&mut learner);
    let (state, predictor) = (learner.save(), learner.publish().save());
    let mut other = LinearLearner::new(&config, 8, &shape);
    let digest = other.save().digest();
    for (path, _) in state.iter() {
        let mut broken = TensorMap::new();
        state
            .iter()
            .filter(|(kept, _)| *kept != path)
            .for_each(|(kept, tensor)| broken.put(kept, tensor.clone()));
        let error = other.load(&broken).unwrap_err().to_string();
        assert_eq!(error, format!("tensor {path:?} is missing"));
        broken.put_bytes(path, vec![1, 2, 3]);
        let error = other.load(&broken).unwrap_err().to_string();
        assert!(error.starts_with(&format!("tensor {path:?} is u8")), "{error}");
        assert_eq!(other.save().digest(), digest);
    }
    for (path, _) in predictor.iter() {
        let mut broken = TensorMap::new();
        predictor
            .iter()
            .filter(|(kept, _)| *kept != path)
            .for_each(|(kept, tensor)| broken.put(kept, tensor.clone()));
        let error = LinearPredictor::load(&shape, &broken).unwrap_err().to_string();
        assert_eq!(error, format!("tensor {path:?} is missing"));
    }
}

#[test]
fn weights_of_another_shape_or_not_finite_are_refused() {
    let data = mixed(BINARY, 20);
    let mut learner = LinearLearner::new(&config(StepSize::Constant, 0.1), 8, &data.shape(BINARY));
    data.teach(&mut learner);
    let mut state = learner.save();
    state.put_f32("weights", &[0.0; 4]);
    let error = learner.load(&state).unwrap_err().to_string();
    assert_eq!(error, "tensor \"weights\" is 4 numbers, expected 3 numbers");
    state.put_f32("weights", &[0.0, f32::INFINITY, 0.0]);
    let error = learner.load(&state).unwrap_err().to_string();
    assert_eq!(error, "tensor \"weights\" is inf, expected finite numbers");
    let mut other = LinearLearner::new(&config(StepSize::Constant, 0.1), 2, &data.shape(BINARY));
    let error = other.load(&learner.save()).unwrap_err().to_string();
    assert!(error.starts_with("tensor \"categorical/category\" is 0x"), "{error}");
}

#[test]
fn the_gate_sees_a_weight_that_is_not_finite() {
    let data = mixed(BINARY, 20);
    let mut learner = LinearLearner::new(&config(StepSize::Constant, 0.1), 8, &data.shape(BINARY));
    assert!(learner.publish().is_finite());
    learner.break_a_weight();
    assert!(!learner.publish().is_finite());
}
