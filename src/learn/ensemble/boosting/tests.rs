use super::Boosting;
use crate::config::{BoostingConfig, LearnerKind, ModelConfig};
use crate::learn::testing::{BINARY, SplitMix, contract, mixed};
use crate::learn::{Learner, Objective};

fn config(boosting: BoostingConfig) -> ModelConfig {
    ModelConfig { learner: LearnerKind::Boosting, boosting, ..ModelConfig::default() }
}

#[test]
fn it_keeps_the_contract_of_every_learner() {
    let small =
        BoostingConfig { trees: 5, leaves: 4, rows_max: 40, drift_delta: 0.9, ..BoostingConfig::default() };
    let one = BoostingConfig { steps: vec![2.0], trees: 2, ..BoostingConfig::default() };
    let objectives = [BINARY, Objective::Classify { classes: 3 }, Objective::Regress];
    contract(&[config(small), config(one)], &objectives, 100);
}

/// The state of one that has grown, dropped and forgotten goes on after save and load as if nothing had been.
#[test]
fn one_with_many_trees_and_a_full_window_goes_on_after_save_and_load() {
    for objective in [BINARY, Objective::Classify { classes: 3 }, Objective::Regress] {
        let data = mixed(objective, 3_000);
        let boosting = BoostingConfig { trees: 8, leaves: 6, rows_max: 256, ..BoostingConfig::default() };
        let shape = data.shape(objective);
        let [mut kept, mut loaded] = [(); 2].map(|()| Boosting::new(&boosting, 1, &shape));
        let (first, then) = (data.part(0..1_501), data.part(1_501..3_000));
        first.teach(&mut kept);
        assert_eq!(kept.booster().trees.len(), 8);
        loaded.load(&kept.save()).unwrap();
        assert_eq!(then.teach(&mut loaded), then.teach(&mut kept));
        assert_eq!(loaded.save().digest(), kept.save().digest());
        assert!(kept.booster().window.len() <= 512);
    }
}

/// Exclusive or of two columns among eight, and one of three categories that turns it round; turned round as a whole
/// half way.
#[test]
fn it_learns_what_columns_say_together_and_recovers_from_drift() {
    let (mut random, mut right) = (SplitMix(3), [0; 4]);
    let mut data = crate::learn::testing::Data::new(8, 1);
    for row in 0..12_000 {
        let x: [f32; 8] = std::array::from_fn(|_| random.unit_f32());
        let category = 1 + random.below(3);
        let class = ((x[2] > 0.4) ^ (x[5] > 0.6)) ^ (category == 2) ^ (row >= 6_000);
        data.push(&x, &[category * 77], f32::from(class), 1.0);
    }
    let mut learner = Boosting::new(&BoostingConfig::default(), 1, &data.shape(BINARY));
    let out = data.teach(&mut learner);
    for row in 0..12_000 {
        right[row / 3_000] += usize::from((out.row(row)[1] > 0.5) == (data.targets[row] > 0.5));
    }
    println!("{right:?}");
    assert!(right[1] > 2_850 && right[3] > 2_850, "{right:?}");
    assert!(right[2] > 2_400, "{right:?}");
}

#[test]
fn its_trees_are_no_trees_if_children_lead_back() {
    let data = mixed(BINARY, 1_000);
    let shape = data.shape(BINARY);
    let mut learner = Boosting::new(&BoostingConfig::default(), 1, &shape);
    data.teach(&mut learner);
    let good = learner.save();
    for (path, value) in [("first", 0), ("first", u32::MAX), ("test", 9)] {
        let (mut state, mut numbers) = (good.clone(), good.u32s(path).unwrap());
        numbers[0] = value;
        state.put_u32(path, &numbers);
        assert!(learner.load(&state).is_err(), "{path} {value}");
        assert_eq!(learner.save().digest(), good.digest());
    }
}
