use super::*;
use crate::testing::SplitMix;

/// `rows` rows of two columns, with a target for each and weight 1.
fn data(rows: usize, mut target: impl FnMut(&[f32; 2], &mut SplitMix) -> f32) -> Data {
    let mut random = SplitMix(3);
    let mut data = Data::new(2, 0);
    for _ in 0..rows {
        let row = [random.unit_f32() * 20.0, 1e6 + random.unit_f32() * 1e5];
        let target = target(&row, &mut random);
        data.push(&row, &[], target, 1.0);
    }
    data
}

#[test]
fn least_squares_finds_the_line_whatever_the_units() {
    for step in STEPS {
        for unit in [1e-6, 1.0, 1e6] {
            let line = |row: &[f32; 2]| unit * (3.0 * row[0] - row[1] / 1e4 + 7.0);
            let data = data(20_000, |row, _| line(row));
            let rate = if step == StepSize::Constant { 0.05 } else { 0.01 };
            let out =
                data.teach(&mut LinearLearner::new(&config(step, rate), 0, &data.shape(Objective::Regress)));
            let off = (19_000..20_000).map(|row| (out.row(row)[0] - data.targets[row]).abs() / unit);
            // The line spans about 70 units.
            let worst = off.fold(0.0, f32::max);
            assert!(worst < 1.0, "{step:?} in units of {unit}: off by {worst}");
        }
    }
}

#[test]
fn the_logistic_model_finds_the_probabilities() {
    let truth = |row: &[f32; 2]| 1.0 / (1.0 + (-(row[0] - 10.0) / 3.0).exp());
    let data = data(30_000, |row, random| f32::from(random.unit_f32() < truth(row)));
    for (step, rate) in [(StepSize::Constant, 0.005), (StepSize::Adagrad, 0.3), (StepSize::Rmsprop, 0.002)] {
        let out = data.teach(&mut LinearLearner::new(&config(step, rate), 0, &data.shape(BINARY)));
        let off = (29_000..30_000).map(|row| {
            let numbers = data.rows.numeric_row(row);
            (out.row(row)[1] - truth(&[numbers[0], numbers[1]])).abs()
        });
        let mean = off.sum::<f32>() / 1000.0;
        assert!(mean < 0.04, "{step:?}: off by {mean}");
    }
}

#[test]
fn softmax_tells_the_classes_apart() {
    let objective = Objective::Classify { classes: 3 };
    let data = data(10_000, |row, _| if row[0] < 8.0 { 0.0 } else { f32::from(row[1] > 1.05e6) + 1.0 });
    for step in STEPS {
        let mut learner = LinearLearner::new(&config(step, 0.05), 0, &data.shape(objective));
        data.part(0..9_000).teach(&mut learner);
        let rest = data.part(9_000..10_000);
        let accuracy = rest.accuracy(&rest.ask(&learner));
        assert!(accuracy > 0.93, "{step:?}: {accuracy}");
    }
}

#[test]
fn a_category_alone_can_decide_and_the_missing_one_too() {
    let mut random = SplitMix(5);
    let mut data = Data::new(1, 2);
    for _ in 0..2_000 {
        let category = random.below(4);
        data.push(
            &[random.unit_f32()],
            &[category, random.below(50)],
            f32::from(category.is_multiple_of(2)),
            1.0,
        );
    }
    for step in STEPS {
        let mut learner = LinearLearner::new(&config(step, 0.1), 8, &data.shape(BINARY));
        data.teach(&mut learner);
        let accuracy = data.accuracy(&data.ask(&learner));
        assert!(accuracy > 0.99, "{step:?}: {accuracy}");
    }
}

#[test]
fn on_a_slice_of_elec2_it_follows_the_price() {
    let data = elec2();
    let out = data.teach(&mut LinearLearner::new(&config(StepSize::Constant, 0.3), 0, &data.shape(BINARY)));
    let majority = data.targets.iter().filter(|target| **target == 0.0).count() as f64 / 150.0;
    let accuracy = data.accuracy(&out);
    assert!(
        accuracy > 0.85 && accuracy > majority.max(1.0 - majority) + 0.2,
        "{accuracy}, majority {majority}"
    );
}

#[test]
fn an_importance_counts_as_so_many_examples() {
    let (mut heavy, mut many) = (Data::new(1, 0), Data::new(1, 0));
    for i in 0..200 {
        let (value, target) = ((i % 7) as f32, f32::from(i % 7 > 3));
        heavy.push(&[value], &[], target, 5.0);
        (0..5).for_each(|_| many.push(&[value], &[], target, 1.0));
    }
    for step in [StepSize::Constant, StepSize::Adagrad] {
        let [one, other] = [&heavy, &many].map(|data| {
            let mut learner = LinearLearner::new(&config(step, 0.02), 0, &heavy.shape(BINARY));
            data.teach(&mut learner);
            heavy.ask(&learner)
        });
        for (a, b) in one.values.iter().zip(&other.values) {
            assert!((a - b).abs() < 0.03, "{step:?}: {a} and {b}");
        }
    }
}

#[test]
fn l2_keeps_weights_small_and_leaves_the_bias() {
    let data = data(5_000, |row, _| f32::from(row[0] > 5.0));
    let [free, held] = [0.0, 0.5].map(|l2| {
        let config = LinearConfig { rate: 0.05, step: StepSize::Constant, l2 };
        let mut learner = LinearLearner::new(&config, 0, &data.shape(BINARY));
        data.teach(&mut learner);
        (learner.save().f32s("weights").unwrap()[0], learner.save().f32s("bias").unwrap()[0])
    });
    assert!(free.0 > 2.0 && held.0 < 0.6, "{free:?} and {held:?}");
    assert!(held.1 > 0.8, "{held:?}: the odds of 3 to 1 need a bias of 1.1");
}
