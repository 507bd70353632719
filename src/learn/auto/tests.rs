//! Tests of the whole learner.

use super::AutoLearner;
use super::roster::Part;
use super::trees::boosting_config;
use crate::config::{AutoConfig, LearnerKind, ModelConfig};
use crate::learn::testing::{BINARY, Data, SplitMix, contract, elec2, mixed};
use crate::learn::{Objective, Predictions, Shape};

fn model(auto: AutoConfig) -> ModelConfig {
    ModelConfig { learner: LearnerKind::Auto, auto, ..ModelConfig::default() }
}

#[test]
fn it_does_what_every_learner_owes() {
    let small = AutoConfig { trees: 2, window: 20, memory_rows_max: 300, bits: 8, ..AutoConfig::default() };
    let without =
        AutoConfig { matrix_inputs_max: 0, trees: 1, window: 5, memory_rows_max: 1, ..small.clone() };
    let objectives =
        [BINARY, Objective::Classify { classes: 3 }, Objective::Classify { classes: 40 }, Objective::Regress];
    contract(&[model(small), model(without)], &objectives, 24);
}

/// On the same 150 rows the linear learner has 0.8 or less.
#[test]
fn it_learns_from_the_first_rows_on() {
    let data = elec2();
    let learner = &mut *data.learner(&model(AutoConfig::default()), BINARY);
    let accuracy = data.accuracy(&data.teach(learner));
    assert!(accuracy > 0.85, "{accuracy}");
}

#[test]
fn labels_with_a_period_are_foretold_from_columns_that_tell_nothing() {
    let mut random = SplitMix(3);
    let mut data = Data::new(1, 0);
    for row in 0..3_000 {
        data.push(&[random.unit_f32()], &[], f32::from([1, 0, 0, 1, 1, 0, 1][row % 7] == 1), 1.0);
    }
    let learner = &mut *data.learner(&model(AutoConfig::default()), BINARY);
    data.part(0..2_000).teach(learner);
    let then = data.part(2_000..3_000);
    let accuracy = then.accuracy(&then.teach(learner));
    assert!(accuracy > 0.99, "{accuracy}");
}

#[test]
fn after_an_abrupt_drift_it_is_soon_as_good_as_before() {
    let mut random = SplitMix(5);
    let mut data = Data::new(2, 0);
    for row in 0..4_000 {
        let (x, y) = (random.unit_f32(), random.unit_f32());
        data.push(&[x, y], &[], f32::from((x > y) == (row < 2_000)), 1.0);
    }
    let learner = &mut *data.learner(&model(AutoConfig::default()), BINARY);
    data.part(0..2_300).teach(learner);
    let then = data.part(2_300..4_000);
    let accuracy = then.accuracy(&then.teach(learner));
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn labels_that_are_flipped_do_not_move_the_border() {
    let mut random = SplitMix(9);
    let (mut noisy, mut clean) = (Data::new(2, 0), Data::new(2, 0));
    for row in 0..4_000 {
        let (x, y) = (random.unit_f32(), random.unit_f32());
        let class = f32::from(x + y > 1.0);
        if row < 3_000 {
            noisy.push(&[x, y], &[], if random.unit_f32() < 0.2 { 1.0 - class } else { class }, 1.0);
        } else {
            clean.push(&[x, y], &[], class, 1.0);
        }
    }
    let learner = &mut *noisy.learner(&model(AutoConfig::default()), BINARY);
    noisy.teach(learner);
    let accuracy = clean.accuracy(&clean.ask(learner));
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn a_curved_value_is_learned_to_a_small_part_of_its_variance() {
    let mut random = SplitMix(7);
    let mut data = Data::new(3, 0);
    for _ in 0..4_000 {
        let (x, y) = (random.unit_f32() * 2.0 - 1.0, random.unit_f32() * 2.0 - 1.0);
        data.push(&[x, y, random.unit_f32()], &[], 1e4 + 500.0 * (x * y + x), 1.0);
    }
    let learner = &mut *data.learner(&model(AutoConfig::default()), Objective::Regress);
    data.part(0..3_000).teach(learner);
    let then = data.part(3_000..4_000);
    let out = then.teach(learner);
    let squares = |value: &dyn Fn(usize) -> f32| -> f32 {
        (0..1_000).map(|row| (value(row) - then.targets[row]).powi(2)).sum()
    };
    let (missed, spread) = (squares(&|row| out.row(row)[0]), squares(&|_| 1e4));
    assert!(missed < 0.02 * spread, "{missed} of {spread}");
}

#[test]
fn one_whose_memories_have_split_and_wrapped_goes_on_after_save_and_load() {
    for objective in [BINARY, Objective::Classify { classes: 3 }, Objective::Regress] {
        let data = mixed(objective, 2_400);
        let (first, then) = (data.part(0..1_501), data.part(1_501..2_400));
        let [mut kept, mut loaded] = [(); 2].map(|()| data.learner(&model(AutoConfig::default()), objective));
        first.teach(kept.as_mut());
        loaded.load(&kept.save()).unwrap();
        assert_eq!(then.teach(loaded.as_mut()), then.teach(kept.as_mut()));
        assert_eq!(loaded.save().digest(), kept.save().digest());
        let mut said = Default::default();
        kept.publish().predict(&data.rows, &mut said);
        assert_eq!(said, data.ask(kept.as_ref()));
    }
}

/// Labels come in runs, so that the newest tell nearly all of the next; the row tells most of it too. Labels that are
/// 60 rows late tell nothing, and it must not learn to follow them from what it would say when they are there.
#[test]
fn late_labels_do_not_teach_to_trust_the_newest() {
    const DELAY: usize = 60;
    let mut random = SplitMix(13);
    let (mut data, mut class) = (Data::new(2, 0), 0.0);
    for _ in 0..4_000 {
        if random.below(15) == 0 {
            class = 1.0 - class;
        }
        let told = if random.unit_f32() < 0.85 { class } else { 1.0 - class };
        data.push(&[told + 0.1 * random.unit_f32(), random.unit_f32()], &[], class, 1.0);
    }
    let learner = &mut *data.learner(&model(AutoConfig::default()), BINARY);
    let (mut waiting, mut out) = (std::collections::VecDeque::new(), Predictions::default());
    let mut loss = 0.0;
    for row in 0..data.rows.len() {
        if row > DELAY {
            let late: Data = waiting.pop_front().unwrap();
            late.teach(learner);
        }
        let mut one = data.part(row..row + 1);
        learner.observe(&mut one.rows);
        learner.predict(&one.rows, &mut out);
        if row >= 1_000 {
            loss -= f64::from(out.row(0)[data.targets[row] as usize]).ln() / 3_000.0;
        }
        waiting.push_back(one);
    }
    // Measured: 0.301; with opinions of when the label comes in the place of those of when the row came: 0.315.
    assert!(loss < 0.308, "{loss}");
}

/// Where a line tells all, neighbours and trees do not earn what they cost; it is as good without.
#[test]
fn experts_that_tell_nothing_new_rest() {
    let mut random = SplitMix(17);
    let mut data = Data::new(4, 0);
    for _ in 0..6_000 {
        let x = [(); 4].map(|()| random.unit_f32() - 0.5);
        let class = f32::from(x[0] + 0.5 * x[1] - x[2] + 0.3 * (random.unit_f32() - 0.5) > 0.0);
        data.push(&x, &[], class, 1.0);
    }
    let config = model(AutoConfig::default());
    let mut learner = AutoLearner::new(&config, &data.shape(BINARY));
    let early = data.part(0..1_900);
    early.teach(&mut learner);
    let speaking =
        |learner: &AutoLearner| PARTS.iter().filter(|part| learner.core().roster.speaks(**part)).count();
    assert_eq!(speaking(&learner), PARTS.len());
    let then = data.part(1_900..5_000);
    then.teach(&mut learner);
    assert!(speaking(&learner) <= 1, "{}", speaking(&learner));
    let last = data.part(5_000..6_000);
    let accuracy = last.accuracy(&last.teach(&mut learner));
    assert!(accuracy > 0.9, "{accuracy}");
}

const PARTS: [Part; 4] = [Part::Window, Part::Memory, Part::Forest, Part::Boosting];

/// A thousand classes and hundreds of columns take no more than the configuration says, by some: the parts that grow with
/// both are made smaller.
#[test]
fn many_classes_and_columns_make_the_parts_smaller() {
    let config = model(AutoConfig { memory_bytes_max: 64 << 20, ..AutoConfig::default() });
    let shape = |classes| Shape { numeric: 300, categorical: 3, objective: Objective::Classify { classes } };
    let (few, many) = (boosting_config(&config, &shape(2)), boosting_config(&config, &shape(1_000)));
    assert!(many.trees * many.leaves * 3 * 1_000 * 4 <= 16 << 20, "{many:?}");
    assert!(many.rows_max * 1_000 * 4 * 8 <= 16 << 20, "{many:?}");
    assert!(few.rows_max > many.rows_max && few.leaves >= many.leaves, "{few:?}");
}
