use crate::config::{LearnerKind, ModelConfig, NaiveBayesConfig};
use crate::learn::Objective;
use crate::learn::testing::{BINARY, Data, SplitMix, contract};

fn model(examples_max: u64, categories_max: usize) -> ModelConfig {
    ModelConfig {
        learner: LearnerKind::NaiveBayes,
        categories_max,
        naive_bayes: NaiveBayesConfig { examples_max },
        ..ModelConfig::default()
    }
}

/// Roughly normal: the sum of twelve uniform numbers.
fn normal(random: &mut SplitMix) -> f32 {
    (0..12).map(|_| random.unit_f32()).sum::<f32>() - 6.0
}

#[test]
fn it_does_what_every_learner_owes() {
    let configs = [model(0, 64), model(10, 64), model(1, 2)];
    contract(&configs, &[BINARY, Objective::Classify { classes: 3 }], 400);
}

#[test]
fn it_finds_the_probabilities_of_normal_classes() {
    let mut random = SplitMix(3);
    let mut data = Data::new(2, 0);
    for _ in 0..20_000 {
        let class = f32::from(random.unit_f32() < 0.3);
        data.push(&[normal(&mut random) + 2.0 * class, 1e4 * normal(&mut random)], &[], class, 1.0);
    }
    let learner = &mut *data.learner(&model(0, 64), BINARY);
    data.teach(learner);
    let mut asked = Data::new(2, 0);
    for step in 0..9 {
        asked.push(&[step as f32 / 2.0 - 1.0, 0.0], &[], 0.0, 1.0);
    }
    let out = asked.ask(learner);
    for row in 0..9 {
        let x = f64::from(asked.rows.numeric_row(row)[0]);
        // Bayes' rule by hand: the log odds are ln(.3 / .7) + 2x - 2.
        let expected = 1.0 / (1.0 + 0.7 / 0.3 * (2.0 - 2.0 * x).exp());
        assert!((f64::from(out.row(row)[1]) - expected).abs() < 0.03, "{x}: {:?}, {expected}", out.row(row));
    }
}

#[test]
fn categories_are_counted_with_one_more_for_each() {
    let mut data = Data::new(0, 1);
    for (category, class) in [(5, 0.0), (5, 0.0), (6, 0.0), (5, 1.0)] {
        data.push(&[], &[category], class, 1.0);
    }
    let learner = &mut *data.learner(&model(0, 64), BINARY);
    data.teach(learner);
    // Three kinds: 5, 6 and others. Class 0: 3/4 * (2+1)/(3+3), class 1: 1/4 * (1+1)/(1+3); then one example's worth of
    // each class alike.
    let (first, second) = (0.75 * 0.5, 0.25 * 0.5);
    let expected = (first / (first + second) * 4.0 + 0.5) / 5.0;
    assert!((data.ask(learner).row(0)[0] - expected).abs() < 1e-6);
}

#[test]
fn what_is_forgotten_gives_way_to_what_is_new() {
    let mut random = SplitMix(3);
    let mut data = Data::new(1, 1);
    for row in 0..6_000 {
        let class = random.below(2);
        let now = if row < 3_000 { class } else { 1 - class };
        data.push(&[normal(&mut random) + 3.0 * now as f32], &[now + 1], class as f32, 1.0);
    }
    let last = data.part(5_500..6_000);
    let [kept, forgot] = [0, 200].map(|examples_max| {
        let learner = &mut *data.learner(&model(examples_max, 64), BINARY);
        data.teach(learner);
        last.accuracy(&last.ask(learner))
    });
    assert!(forgot > 0.95 && kept < 0.9, "{forgot} and {kept}");
}

#[test]
fn a_class_that_was_never_seen_has_next_to_nothing() {
    let mut data = Data::new(1, 0);
    (0..100).for_each(|row| data.push(&[row as f32], &[], (row % 2) as f32, 1.0));
    let learner = &mut *data.learner(&model(0, 64), Objective::Classify { classes: 10 });
    data.teach(learner);
    assert!(data.ask(learner).row(50)[2..].iter().all(|p| *p > 0.0 && *p < 0.002));
}

#[test]
fn a_column_that_begins_to_vary_does_not_hand_all_rows_to_the_other_class() {
    let mut data = Data::new(1, 0);
    (0..100).for_each(|row| data.push(&[0.0], &[], f32::from(row == 0), 1.0));
    data.push(&[1.0], &[], 0.0, 1.0);
    let learner = &mut *data.learner(&model(0, 64), BINARY);
    data.teach(learner);
    // Class 1 was there once among 101: a row of the old value is still of class 0.
    assert!(data.ask(learner).row(50)[0] > 0.5);
}
