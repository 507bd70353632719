use super::Adapting;
use crate::config::{
    AdaptConfig, DriftResponse, EncoderConfig, EncoderKind, KnnConfig, LearnerKind, LinearConfig, MlpConfig,
    ModelConfig, StepSize,
};
use crate::learn::testing::{BINARY, Data, SplitMix, contract};
use crate::learn::{Learner, Objective};
use crate::state::TensorMap;

fn model(learner: LearnerKind, response: DriftResponse) -> ModelConfig {
    let adapt = AdaptConfig { response, ..AdaptConfig::default() };
    let linear = LinearConfig { rate: 0.005, ..LinearConfig::default() };
    let mlp = MlpConfig { rate: 0.0003, ..MlpConfig::default() };
    ModelConfig { learner, adapt, linear, mlp, ..ModelConfig::default() }
}

/// Alarms and second learners within some dozens of examples.
fn eager(learner: LearnerKind, response: DriftResponse) -> ModelConfig {
    let adapt = AdaptConfig {
        response,
        warning_delta: 0.999,
        drift_delta: 0.99,
        background_rows_max: 60,
        rate_half_life: 8,
        ..AdaptConfig::default()
    };
    let mlp = MlpConfig { hidden: vec![4], ..MlpConfig::default() };
    let knn = KnnConfig { window: 20, ..KnnConfig::default() };
    ModelConfig { adapt, mlp, knn, categories_max: 3, ..model(learner, response) }
}

#[test]
fn with_any_response_a_learner_does_what_every_learner_owes() {
    use DriftResponse::{Background, RaiseRate, Reset};
    let objectives = [BINARY, Objective::Classify { classes: 3 }, Objective::Regress];
    let means = vec![EncoderConfig::of(EncoderKind::TargetMean), EncoderConfig::of(EncoderKind::Missing)];
    let mut configs = Vec::new();
    for response in [Background, Reset, RaiseRate] {
        let linear = eager(LearnerKind::Linear, response);
        configs.push(ModelConfig { encode: means.clone(), ..linear.clone() });
        configs.push(linear);
    }
    configs.push(eager(LearnerKind::Mlp, RaiseRate));
    configs.push(eager(LearnerKind::Knn, Background));
    contract(&configs, &objectives, 120);
}

/// Two classes apart by a line in two numbers, some of them wrong; from row `turn` on the classes are the other way round.
fn turning(rows: usize, turn: usize) -> Data {
    let mut random = SplitMix(5);
    let mut data = Data::new(2, 0);
    for row in 0..rows {
        let x = [random.unit_f32() - 0.5, random.unit_f32() - 0.5];
        let flipped = (random.below(20) == 0) != (row >= turn);
        data.push(&x, &[], f32::from((x[0] + 0.5 * x[1] > 0.0) != flipped), 1.0);
    }
    data
}

const TURN: usize = 3_000;

/// Accuracy before the change, and over the 1,500 rows after it.
fn around(config: &ModelConfig) -> (f64, f64) {
    let data = turning(TURN + 1_500, TURN);
    let learner = &mut *data.learner(config, BINARY);
    let of = |part: Data, learner: &mut dyn Learner| part.accuracy(&part.teach(learner));
    data.part(0..TURN - 1_000).teach(learner);
    let before = of(data.part(TURN - 1_000..TURN), learner);
    (before, of(data.part(TURN..TURN + 1_500), learner))
}

/// Naive Bayes, a tree and adagrad hardly recover by themselves within half as many rows as they have learned.
#[test]
fn every_response_recovers_from_an_abrupt_change_faster_than_none() {
    use DriftResponse::{Background, None, RaiseRate, Reset};
    for (learner, responses) in [
        (LearnerKind::NaiveBayes, &[Background, Reset][..]),
        (LearnerKind::HoeffdingTree, &[Background, Reset]),
        (LearnerKind::Linear, &[Background, Reset, RaiseRate]),
        (LearnerKind::Mlp, &[RaiseRate]),
    ] {
        let (before, none) = around(&model(learner, None));
        for response in responses {
            let (same, after) = around(&model(learner, *response));
            println!("{learner:?} {response:?}: {before:.3} {same:.3}, after {none:.3} {after:.3}");
            assert!((same - before).abs() < 0.01, "{learner:?} {response:?}: {before} {same}");
            assert!(after > none + 0.02 && after > 0.8, "{learner:?} {response:?}: {none} {after}");
        }
    }
}

#[test]
fn it_is_the_bare_learner_while_nothing_changes() {
    let data = turning(2_000, usize::MAX);
    let linear = |response| data.learner(&model(LearnerKind::Linear, response), BINARY);
    let said = data.teach(linear(DriftResponse::None).as_mut());
    for response in [DriftResponse::Background, DriftResponse::Reset, DriftResponse::RaiseRate] {
        assert_eq!(data.teach(linear(response).as_mut()), said, "{response:?}");
    }
}

/// Saved while a second learner grows, after it took over, and while the rate is raised.
#[test]
fn it_goes_on_from_a_saved_state_at_any_moment_of_a_change() {
    let data = turning(2_000, 1_000);
    let adagrad = LinearConfig { step: StepSize::Adagrad, ..LinearConfig::default() };
    let mut grew = 0;
    for response in [DriftResponse::Background, DriftResponse::Reset, DriftResponse::RaiseRate] {
        let config = ModelConfig { linear: adagrad.clone(), ..model(LearnerKind::Linear, response) };
        for split in [1_000, 1_040, 1_072, 1_104, 1_150, 1_200, 1_400] {
            let mut kept = data.learner(&config, BINARY);
            data.part(0..split).teach(kept.as_mut());
            let state = kept.save();
            grew += usize::from(state.bytes("grows").unwrap() == [1]);
            let mut loaded = data.learner(&config, BINARY);
            loaded.load(&state).unwrap();
            let rest = data.part(split..2_000);
            assert_eq!(rest.teach(loaded.as_mut()), rest.teach(kept.as_mut()), "{response:?} {split}");
            assert_eq!(loaded.save().digest(), kept.save().digest());
        }
    }
    assert!(grew > 1, "{grew}");
}

/// Sixty rows in which the classes have changed places are a first sign; a second learner gets too few to take over.
#[test]
fn a_second_learner_that_has_not_taken_over_in_time_is_dropped() {
    let mut data = turning(3_000, usize::MAX);
    data.targets[2_000..2_060].iter_mut().for_each(|target| *target = 1.0 - *target);
    let adapt = AdaptConfig {
        response: DriftResponse::Background,
        warning_delta: 0.5,
        background_rows_max: 30,
        ..AdaptConfig::default()
    };
    let config = ModelConfig { adapt, ..model(LearnerKind::Linear, DriftResponse::Background) };
    let mut learner = Adapting::new(&config, &data.shape(BINARY), &data.columns());
    let mut grown = 0;
    for row in 0..3_000 {
        data.part(row..row + 1).teach(&mut learner);
        grown += usize::from(learner.save().bytes("grows").unwrap() == [1]);
    }
    let begun = learner.save().u64s("begun").unwrap();
    assert!((20..900).contains(&grown), "{grown}");
    assert!(begun[0] == 0 && begun[1] > 1, "the first one is still in charge: {begun:?}");
}

#[test]
fn a_state_that_cannot_be_is_refused_and_changes_nothing() {
    let data = turning(1_200, 1_000);
    let config = model(LearnerKind::NaiveBayes, DriftResponse::Background);
    let mut kept = data.learner(&config, BINARY);
    data.teach(kept.as_mut());
    let digest = kept.save().digest();
    let mut refused = |change: &dyn Fn(&mut TensorMap)| {
        let mut state = kept.save();
        change(&mut state);
        let error = kept.load(&state).unwrap_err().to_string();
        assert_eq!(kept.save().digest(), digest);
        error
    };
    let error = refused(&|state| state.put_bytes("grows", vec![2]));
    assert_eq!(error, "tensor \"grows\" is [2], expected [0] or [1]");
    let error = refused(&|state| state.put_f64("raised", &[-1.0]));
    assert_eq!(error, "tensor \"raised\" is -1, expected finite numbers from 0");
    refused(&|state| state.put_u64("begun", &[1]));
    refused(&|state| state.put_u64("watch/drift/lens", &[99]));
}
