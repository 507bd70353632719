//! Encoders before a learner; each encoder has its own tests beside it.

use crate::config::{EncoderConfig, EncoderKind, LearnerKind, ModelConfig, TreeConfig};
use crate::learn::Objective;
use crate::learn::testing::{BINARY, Data, SplitMix, contract};

fn encoder(kind: EncoderKind) -> EncoderConfig {
    EncoderConfig { categories_max: 3, buckets: 5, window: 9, ..EncoderConfig::of(kind) }
}

fn model(learner: LearnerKind, encode: Vec<EncoderConfig>) -> ModelConfig {
    ModelConfig { learner, encode, ..ModelConfig::default() }
}

#[test]
fn before_a_learner_they_do_what_every_learner_owes() {
    use EncoderKind::*;
    let named = |kind, column: &str| EncoderConfig { columns: vec![column.into()], ..encoder(kind) };
    let chains = [
        vec![encoder(Missing), encoder(Standardise), encoder(OneHot)],
        vec![encoder(Clip), encoder(Quantile), encoder(TargetMean), encoder(Hash)],
        vec![
            encoder(Cross),
            named(Cycle, "numeric1"),
            EncoderConfig { examples_max: 7, smoothing: 0.0, ..encoder(TargetMean) },
            named(OneHot, "categorical0"),
            EncoderConfig { examples_max: 5, ..encoder(Standardise) },
        ],
    ];
    let of = |learner: LearnerKind| chains.iter().map(move |chain| model(learner, chain.clone()));
    let linear: Vec<ModelConfig> = of(LearnerKind::Linear).collect();
    contract(&linear, &[BINARY, Objective::Classify { classes: 3 }, Objective::Regress], 100);
    // No split in the few rows of a state that is broken on purpose.
    let tree = TreeConfig { grace_period: 1_000, ..TreeConfig::default() };
    let trees: Vec<ModelConfig> =
        of(LearnerKind::HoeffdingTree).map(|model| ModelConfig { tree: tree.clone(), ..model }).collect();
    contract(&trees, &[BINARY, Objective::Classify { classes: 3 }], 60);
}

/// A class that a category decides, of many.
fn by_category(rows: usize, categories: u64) -> Data {
    let mut random = SplitMix(8);
    let mut data = Data::new(1, 1);
    for _ in 0..rows {
        let category = random.below(categories);
        let odd = random.below(20) == 0;
        data.push(&[random.unit_f32()], &[category + 1], f32::from((category % 2 == 1) != odd), 1.0);
    }
    data
}

#[test]
fn target_means_tell_many_categories_apart_that_a_linear_model_has_no_places_for() {
    let data = by_category(6_000, 500);
    let score = |encode: Vec<EncoderConfig>| {
        let config = ModelConfig { categories_max: 4, ..model(LearnerKind::Linear, encode) };
        let learner = &mut *data.learner(&config, BINARY);
        data.part(0..5_000).teach(learner);
        let rest = data.part(5_000..6_000);
        rest.accuracy(&rest.teach(learner))
    };
    let means = EncoderConfig { categories_max: 1_000, ..EncoderConfig::of(EncoderKind::TargetMean) };
    let (bare, encoded) = (score(vec![]), score(vec![means]));
    assert!(bare < 0.6 && encoded > 0.85, "{bare} {encoded}");
}

#[test]
fn a_target_mean_is_that_of_the_moment_at_which_the_row_came() {
    let config = model(LearnerKind::Linear, vec![EncoderConfig::of(EncoderKind::TargetMean)]);
    let data = by_category(200, 2);
    let mut learner = data.learner(&config, BINARY);
    assert_eq!(learner.context_width(), 1);
    let mut early = data.part(0..1);
    learner.observe(&mut early.rows);
    data.part(1..200).teach(learner.as_mut());
    let mut late = data.part(0..1);
    learner.observe(&mut late.rows);
    assert_eq!(early.rows.numeric_row(0)[1], 0.5, "nothing was known then");
    assert_ne!(late.rows.numeric_row(0)[1], 0.5);
    assert_ne!(early.ask(learner.as_ref()), late.ask(learner.as_ref()));
}

#[test]
fn a_state_of_other_encoders_is_refused_and_changes_nothing() {
    let data = by_category(50, 3);
    let learner = |kind| data.learner(&model(LearnerKind::Linear, vec![encoder(kind)]), BINARY);
    let mut saved = learner(EncoderKind::Clip);
    data.teach(saved.as_mut());
    let mut other = learner(EncoderKind::Standardise);
    data.teach(other.as_mut());
    let digest = other.save().digest();
    let error = other.load(&saved.save()).unwrap_err().to_string();
    assert_eq!(error, "tensor \"encoders/0/count\" is missing");
    assert_eq!(other.save().digest(), digest);
}
