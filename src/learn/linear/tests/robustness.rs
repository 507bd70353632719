use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = f32> {
    let nasty = vec![f32::NAN, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, 0.0, -0.0, 1e30, -1e-30];
    prop_oneof![2 => -5.0_f32..5.0, 1 => prop::sample::select(nasty)]
}

fn any_weight() -> impl Strategy<Value = f32> {
    prop_oneof![2 => Just(1.0_f32), 1 => prop::sample::select(vec![f32::MAX, 1e6, 1e-30, 1e-45, 7.5])]
}

pub(super) fn any_objective() -> impl Strategy<Value = Objective> {
    prop::sample::select(vec![BINARY, Objective::Classify { classes: 3 }, Objective::Regress])
}

pub(super) fn any_config() -> impl Strategy<Value = LinearConfig> {
    let rates = prop::sample::select(vec![1e-6_f32, 0.01, 0.3, 5.0, 100.0]);
    let penalties = prop::sample::select(vec![0.0_f32, 1e-3, 1.0]);
    (rates, prop::sample::select(STEPS.to_vec()), penalties).prop_map(|(rate, step, l2)| LinearConfig {
        rate,
        step,
        l2,
    })
}

pub(super) fn any_data(rows: std::ops::Range<usize>) -> impl Strategy<Value = Data> {
    let row =
        (prop::array::uniform3(any_value()), prop::array::uniform2(0..6_u64), any_value(), any_weight());
    prop::collection::vec(row, rows).prop_map(|rows| {
        let mut data = Data::new(3, 2);
        rows.iter().for_each(|(numeric, categories, target, weight)| {
            data.push(numeric, categories, *target, *weight)
        });
        data
    })
}

/// Targets as the objective has them.
pub(super) fn fit(data: &mut Data, objective: Objective) {
    for target in &mut data.targets {
        *target = match objective {
            Objective::Classify { classes } => (target.to_bits() % classes as u32) as f32,
            Objective::Regress if target.is_nan() => 0.5,
            Objective::Regress => *target,
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_input_makes_a_weight_or_a_prediction_infinite(
        objective in any_objective(),
        config in any_config(),
        mut data in any_data(1..60),
    ) {
        fit(&mut data, objective);
        let mut learner = LinearLearner::new(&config, 3, &data.shape(objective));
        for _ in 0..5 {
            let out = data.teach(&mut learner);
            prop_assert!(out.values.iter().all(|value| value.is_finite()));
        }
        prop_assert!(learner.publish().is_finite());
        for (path, tensor) in learner.save().iter().filter(|(_, tensor)| tensor.dtype == crate::state::Dtype::F32) {
            let (numbers, _) = tensor.bytes.as_chunks::<4>();
            prop_assert!(numbers.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite()), "{path}");
        }
        let out = data.ask(&learner);
        if objective != Objective::Regress {
            for row in 0..out.len() {
                prop_assert!((out.row(row).iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_recorded_prediction_is_what_was_predicted_just_before(
        objective in any_objective(),
        config in any_config(),
        mut data in any_data(1..30),
    ) {
        fit(&mut data, objective);
        let mut learner = LinearLearner::new(&config, 3, &data.shape(objective));
        for row in 0..data.rows.len() {
            let one = data.part(row..row + 1);
            let before = one.ask(&learner);
            prop_assert_eq!(one.teach(&mut learner), before);
        }
    }

    #[test]
    fn how_examples_are_split_into_calls_makes_no_difference(
        objective in any_objective(),
        config in any_config(),
        mut data in any_data(1..30),
        split in any::<prop::sample::Index>(),
    ) {
        fit(&mut data, objective);
        let split = split.index(data.rows.len());
        let mut whole = LinearLearner::new(&config, 3, &data.shape(objective));
        let mut parts = whole.clone();
        data.teach(&mut whole);
        data.part(0..split).teach(&mut parts);
        data.part(split..data.rows.len()).teach(&mut parts);
        prop_assert_eq!(whole.save().digest(), parts.save().digest());
    }
}

#[test]
fn what_cannot_be_learned_is_predicted_and_changes_nothing() {
    for (objective, target, weight) in [
        (BINARY, 1.0, 0.0),
        (BINARY, 1.0, -1.0),
        (BINARY, 1.0, f32::NAN),
        (BINARY, 2.0, 1.0),
        (BINARY, -1.0, 1.0),
        (BINARY, f32::NAN, 1.0),
        (Objective::Regress, f32::INFINITY, 1.0),
        (Objective::Regress, f32::NAN, 1.0),
    ] {
        let data = mixed(objective, 50);
        let mut learner = LinearLearner::new(&config(StepSize::Rmsprop, 0.1), 8, &data.shape(objective));
        data.teach(&mut learner);
        let digest = learner.save().digest();
        let mut odd = Data::new(3, 1);
        odd.push(&[1.0, 2.0, 3.0], &[987_654], target, weight);
        let out = odd.teach(&mut learner);
        assert_eq!(out, odd.ask(&learner));
        assert_eq!(learner.save().digest(), digest, "{objective:?} {target} {weight}");
    }
}

#[test]
fn one_outlier_of_any_size_does_not_undo_what_was_learned() {
    for step in STEPS {
        let mut data = mixed(BINARY, 2_000);
        data.weights.fill(1.0);
        let mut learner = LinearLearner::new(&config(step, 0.01), 8, &data.shape(BINARY));
        data.teach(&mut learner);
        let before = data.ask(&learner);
        let mut outlier = Data::new(3, 1);
        outlier.push(&[f32::MAX, f32::MIN, 1e30], &[0], 1.0, 1.0);
        outlier.teach(&mut learner);
        let after = data.ask(&learner);
        let off = before.values.iter().zip(&after.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 0.25, "{step:?}: {off}");
    }
}
