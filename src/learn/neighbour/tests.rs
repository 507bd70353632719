//! Tests of the whole learner; each part has its own beside it.

use crate::config::{KnnConfig, LearnerKind, ModelConfig, Vote, Weighting};
use crate::learn::Objective;
use crate::learn::testing::{BINARY, Data, SplitMix, contract, mixed};

fn model(knn: KnnConfig) -> ModelConfig {
    ModelConfig { learner: LearnerKind::Knn, knn, ..ModelConfig::default() }
}

#[test]
fn it_does_what_every_learner_owes() {
    let mut configs = Vec::new();
    for vote in [Vote::Uniform, Vote::Distance] {
        for (window, k) in [(1, 1), (10, 3), (70, 5), (1_000, 100), (5_000, 5)] {
            for weighting in [Weighting::None, Weighting::Relevance] {
                configs.push(model(KnnConfig { window, k, vote, mismatch: 1.0, weighting }));
            }
        }
    }
    contract(&configs, &[BINARY, Objective::Classify { classes: 3 }, Objective::Regress], 200);
}

#[test]
fn the_nearest_row_decides_whatever_the_units_and_the_oldest_are_forgotten() {
    let mut random = SplitMix(3);
    let mut data = Data::new(2, 0);
    for row in 0..2_000 {
        let (x, y) = (random.unit_f32(), random.unit_f32());
        // A checkerboard, whose colours change half-way.
        let colour = (x * 4.0) as u32 + (y * 4.0) as u32 + row / 1_000;
        data.push(&[x * 1e6 - 5e5, y * 1e-3], &[], (colour % 2) as f32, 1.0);
    }
    let learner = &mut *data.learner(&model(KnnConfig { window: 500, k: 1, ..KnnConfig::default() }), BINARY);
    let out = data.teach(learner);
    let half = |start: usize| {
        let right =
            (start..start + 500).filter(|row| (out.row(*row)[1] > 0.5) == (data.targets[*row] == 1.0));
        right.count() as f64 / 500.0
    };
    assert!(
        half(500) > 0.8 && half(1_000) < 0.6 && half(1_500) > 0.8,
        "{} {} {}",
        half(500),
        half(1_000),
        half(1_500)
    );
}

#[test]
fn categories_count_and_a_missing_one_is_one() {
    let mut random = SplitMix(3);
    let mut data = Data::new(1, 1);
    for _ in 0..500 {
        let category = random.below(4);
        data.push(&[random.unit_f32()], &[category], f32::from(category == 0), 1.0);
    }
    let learner = &mut *data.learner(&model(KnnConfig { mismatch: 100.0, ..KnnConfig::default() }), BINARY);
    data.part(0..400).teach(learner);
    // Rows that are not in the window: none is its own neighbour.
    let unseen = data.part(400..500);
    assert!(unseen.accuracy(&unseen.ask(learner)) > 0.99);
}

#[test]
fn a_heavy_neighbour_outvotes_the_others() {
    let mut data = Data::new(1, 0);
    for (value, target, weight) in [(0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (2.0, 0.0, 5.0), (9.0, 1.0, 1.0)] {
        data.push(&[value], &[], target, weight);
    }
    let config = KnnConfig { k: 3, vote: Vote::Uniform, ..KnnConfig::default() };
    let learner = &mut *data.learner(&model(config), BINARY);
    data.teach(learner);
    // Votes 2 and 5, and a mean one of 7/3 spread over both.
    let expected = (5.0 + 7.0 / 6.0) / (7.0 + 7.0 / 3.0);
    assert!((data.ask(learner).row(1)[0] - expected).abs() < 1e-6);
}

#[test]
fn a_regression_is_the_mean_of_the_nearest() {
    let mut data = Data::new(1, 0);
    for value in 0..10 {
        data.push(&[value as f32], &[], (value * value) as f32, 1.0);
    }
    let config = KnnConfig { k: 3, vote: Vote::Uniform, ..KnnConfig::default() };
    let learner = &mut *data.learner(&model(config), Objective::Regress);
    data.teach(learner);
    let out = data.ask(learner);
    // The mean of v^2 and of its neighbours' squares.
    let expected = (1..9).map(|value| (f64::from(3 * value * value + 2) / 3.0) as f32);
    assert_eq!(out.values[1..9], expected.collect::<Vec<_>>());
}

#[test]
fn more_rows_than_the_window_has_are_refused() {
    let data = mixed(BINARY, 20);
    let mut learner = data.learner(&model(KnnConfig::default()), BINARY);
    data.teach(learner.as_mut());
    let mut small = data.learner(&model(KnnConfig { window: 10, ..KnnConfig::default() }), BINARY);
    let error = small.load(&learner.save()).unwrap_err().to_string();
    assert_eq!(error, "tensor \"row_targets\" is 20 rows, expected at most 10 rows");
}
