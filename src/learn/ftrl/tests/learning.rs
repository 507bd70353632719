use super::*;
use crate::learn::testing::{Data, SplitMix};

#[test]
fn categories_alone_can_decide() {
    let mut random = SplitMix(5);
    let mut data = Data::new(1, 2);
    for _ in 0..4_000 {
        let category = random.below(400) + 1;
        data.push(
            &[random.unit_f32()],
            &[category, random.below(50)],
            f32::from(category.is_multiple_of(2)),
            1.0,
        );
    }
    for step in STEPS {
        let mut learner =
            data.learner(&model(FtrlConfig { step, rate: 0.5, ..FtrlConfig::default() }), BINARY);
        data.teach(learner.as_mut());
        let accuracy = data.accuracy(&data.ask(learner.as_ref()));
        assert!(accuracy > 0.98, "{step:?}: {accuracy}");
    }
}

#[test]
fn a_cross_finds_what_no_single_feature_says() {
    let mut random = SplitMix(5);
    let mut data = Data::new(1, 2);
    for _ in 0..4_000 {
        let (a, b) = (random.below(10) + 1, random.below(10) + 1);
        data.push(&[random.unit_f32()], &[a, b], f32::from((a ^ b) & 1 == 1), 1.0);
    }
    for (crosses, expected) in [(vec![], 0.0..0.65), (vec!["categorical0*categorical1".into()], 0.98..1.1)] {
        let mut learner =
            data.learner(&model(FtrlConfig { crosses, rate: 0.5, ..FtrlConfig::default() }), BINARY);
        data.teach(learner.as_mut());
        let accuracy = data.accuracy(&data.ask(learner.as_ref()));
        assert!(expected.contains(&accuracy), "{accuracy}");
    }
}

#[test]
fn many_classes_are_told_apart_and_a_line_s_collision_is_survived() {
    let mut random = SplitMix(9);
    let mut data = Data::new(2, 1);
    for _ in 0..8_000 {
        let row = [random.unit_f32() * 11.0, random.unit_f32()];
        data.push(&row, &[row[0] as u64 + 1], row[0].floor(), 1.0);
    }
    for step in STEPS {
        let config = FtrlConfig { step, rate: 0.5, bits: 12, ..FtrlConfig::default() };
        let mut learner = data.learner(&model(config), Objective::Classify { classes: 11 });
        data.teach(learner.as_mut());
        let accuracy = data.accuracy(&data.ask(learner.as_ref()));
        assert!(accuracy > 0.95, "{step:?}: {accuracy}");
    }
}

#[test]
fn least_squares_finds_the_line_whatever_the_units() {
    for step in STEPS {
        for unit in [1e-6, 1.0, 1e6] {
            let mut random = SplitMix(3);
            let mut data = Data::new(2, 0);
            for _ in 0..20_000 {
                let row = [random.unit_f32() * 20.0, 1e6 + random.unit_f32() * 1e5];
                data.push(&row, &[], unit * (3.0 * row[0] - row[1] / 1e4 + 7.0), 1.0);
            }
            let config = FtrlConfig { step, rate: 0.5, ..FtrlConfig::default() };
            let out = data.teach(data.learner(&model(config), Objective::Regress).as_mut());
            let off = (19_000..20_000).map(|row| (out.row(row)[0] - data.targets[row]).abs() / unit);
            // The line spans about 70 units, and passive-aggressive steps stop 0.1 deviations (1.7 units) before it.
            let worst = off.fold(0.0, f32::max);
            assert!(worst < 2.5, "{step:?} in units of {unit}: off by {worst}");
        }
    }
}

#[test]
fn l1_leaves_weights_at_zero_that_say_nothing() {
    let mut random = SplitMix(3);
    let mut data = Data::new(0, 2);
    for _ in 0..5_000 {
        let category = random.below(2) + 1;
        data.push(&[], &[category, random.below(1_000) + 1], f32::from(category == 1), 1.0);
    }
    let [free, held] = [0.0, 3.0].map(|l1| {
        let mut learner = data.learner(&model(FtrlConfig { l1, ..FtrlConfig::default() }), BINARY);
        data.teach(learner.as_mut());
        assert!(data.accuracy(&data.ask(learner.as_ref())) > 0.99);
        learner.publish().save().f32s("weight").unwrap().len()
    });
    assert!(free > 950 && held < 10, "{free} and {held}");
}

#[test]
fn a_publish_after_one_example_shares_nearly_all_with_the_one_before() {
    let mut random = SplitMix(3);
    let mut data = Data::new(0, 3);
    for _ in 0..2_000 {
        data.push(
            &[],
            &[random.bits(), random.bits(), random.bits()],
            f32::from(random.unit_f32() < 0.5),
            1.0,
        );
    }
    let mut learner =
        super::super::FtrlLearner::new(&FtrlConfig::default(), &data.shape(BINARY), &data.columns());
    data.teach(&mut learner);
    learner.publish();
    data.part(0..1).teach(&mut learner);
    // Bias and three categories: four leaves of 64 weights at most, of 4,096.
    assert!(learner.changed_leaves() <= 4);
    learner.publish();
    assert_eq!(learner.changed_leaves(), 0);
}
