use super::Race;
use crate::config::{
    KnnConfig, LearnerKind, LinearConfig, MlpConfig, ModelConfig, RaceConfig, RaceKey, StepSize, TreeConfig,
};
use crate::learn::testing::{BINARY, Data, SplitMix, contract};
use crate::learn::{Learner, Objective};
use crate::state::TensorMap;

fn key(key: &str, min: f64, max: f64) -> RaceKey {
    RaceKey { key: key.into(), min, max, log: true }
}

/// Turns, winners and those that wait within some dozens of examples.
fn eager(learner: LearnerKind, space: Vec<RaceKey>) -> ModelConfig {
    let race = RaceConfig { learner, space, live: 3, challengers_max: 4, lease_rows: 16, delta: 0.999 };
    ModelConfig { learner: LearnerKind::Race, race, categories_max: 3, ..ModelConfig::default() }
}

#[test]
fn a_race_does_what_every_learner_owes() {
    let rates = vec![key("rate", 1e-3, 10.0), RaceKey { log: false, ..key("l2", 0.0, 0.1) }];
    let objectives = [BINARY, Objective::Classify { classes: 3 }, Objective::Regress];
    let adagrad = LinearConfig { step: StepSize::Adagrad, rate: 0.1, ..LinearConfig::default() };
    let knn = KnnConfig { window: 20, ..KnnConfig::default() };
    let mlp = MlpConfig { hidden: vec![4], ..MlpConfig::default() };
    let configs = [
        eager(LearnerKind::Linear, rates.clone()),
        ModelConfig { linear: adagrad, ..eager(LearnerKind::Linear, rates.clone()) },
        ModelConfig { knn, ..eager(LearnerKind::Knn, vec![key("k", 1.0, 9.0), key("window", 4.0, 40.0)]) },
        ModelConfig { mlp, ..eager(LearnerKind::Mlp, vec![key("rate", 1e-4, 0.1)]) },
    ];
    contract(&configs, &objectives, 100);
    let tree = TreeConfig { tie_threshold: 0.4, categories_max: 4, ..TreeConfig::default() };
    let trees = eager(LearnerKind::HoeffdingTree, vec![key("grace_period", 5.0, 1_000.0)]);
    contract(&[ModelConfig { tree, ..trees }], &[BINARY, Objective::Regress], 40);
}

/// A line in the plane that turns once in `period` rows, a part of the rows on its wrong side.
fn turning(rows: usize, period: f64, wrong: u64) -> Data {
    let mut random = SplitMix(2);
    let mut data = Data::new(2, 0);
    for row in 0..rows {
        let x = [random.unit_f32() - 0.5, random.unit_f32() - 0.5];
        let angle = row as f64 / period * std::f64::consts::TAU;
        let side = f64::from(x[0]) * libm::cos(angle) + f64::from(x[1]) * libm::sin(angle) > 0.0;
        data.push(&x, &[], f32::from(side != (random.below(100) < wrong)), 1.0);
    }
    data
}

fn logloss(data: &Data, config: &ModelConfig) -> f64 {
    let out = data.teach(data.learner(config, BINARY).as_mut());
    let likely = |row: usize| f64::from(out.row(row)[data.targets[row] as usize].max(1e-7));
    (0..out.len()).map(|row| -libm::log(likely(row))).sum::<f64>() / out.len() as f64
}

fn linear(rate: f32) -> ModelConfig {
    let linear = LinearConfig { rate, ..LinearConfig::default() };
    ModelConfig { learner: LearnerKind::Linear, linear, ..ModelConfig::default() }
}

/// A stream that turns fast wants a large rate, one that stands still a small one. The race begins at a rate that is poor
/// for it, and all of its rows count.
#[test]
fn it_finds_a_rate_nearly_as_good_as_the_best_of_a_grid() {
    for (data, poor) in [(turning(12_000, 1_500.0, 5), 0.001), (turning(12_000, 1e9, 30), 10.0)] {
        let grid = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
        let all = grid.map(|rate| logloss(&data, &linear(rate)));
        let best = all.iter().fold(f64::MAX, |a, b| a.min(*b));
        let start = logloss(&data, &linear(poor));
        let config = ModelConfig { learner: LearnerKind::Race, ..linear(poor) };
        let found = logloss(&data, &config);
        println!("{all:.4?}: {best:.4} {start:.4} {found:.4}");
        assert!(found < best + 0.15 * (start - best), "best {best}, start {start}, race {found}: {all:?}");
    }
}

/// The others only watch: a race whose champion stays says what its family says alone.
#[test]
fn the_first_champion_says_what_it_would_say_alone() {
    let data = turning(31, 1e9, 10);
    for learner in [LearnerKind::Linear, LearnerKind::Knn] {
        let alone = ModelConfig { learner, ..ModelConfig::default() };
        let space =
            vec![if learner == LearnerKind::Knn { key("k", 1.0, 9.0) } else { key("rate", 1e-3, 1.0) }];
        let race = RaceConfig { learner, space, ..RaceConfig::default() };
        let racing = ModelConfig { learner: LearnerKind::Race, race, ..alone.clone() };
        let said = data.teach(data.learner(&alone, BINARY).as_mut());
        assert_eq!(data.teach(data.learner(&racing, BINARY).as_mut()), said, "{learner:?}");
    }
}

#[test]
fn it_goes_on_from_a_saved_state_whoever_is_the_champion() {
    let data = turning(4_000, 1_000.0, 5);
    let config = ModelConfig { learner: LearnerKind::Race, ..linear(0.001) };
    let mut champions = std::collections::BTreeSet::new();
    for split in [200, 800, 1_500, 3_100] {
        let mut kept = Race::new(&config, &data.shape(BINARY), &data.columns());
        data.part(0..split).teach(&mut kept);
        champions.insert(kept.champion()[0].to_bits());
        let mut loaded = Race::new(&config, &data.shape(BINARY), &data.columns());
        loaded.load(&kept.save()).unwrap();
        assert_eq!(loaded.champion(), kept.champion());
        let rest = data.part(split..4_000);
        assert_eq!(rest.teach(&mut loaded), rest.teach(&mut kept), "{split}");
        assert_eq!(loaded.save().digest(), kept.save().digest());
    }
    assert!(champions.len() > 1, "the champion never changed");
}

#[test]
fn a_state_that_cannot_be_is_refused_and_changes_nothing() {
    let data = turning(100, 1e9, 10);
    let mut race = data.learner(&eager(LearnerKind::Linear, vec![key("rate", 0.1, 1.0)]), BINARY);
    data.teach(race.as_mut());
    let digest = race.save().digest();
    let mut refused = |path: &str, change: &dyn Fn(&mut TensorMap)| {
        let mut state = race.save();
        change(&mut state);
        let error = race.load(&state).unwrap_err().to_string();
        assert!(error.starts_with(&format!("tensor {path:?} is ")), "{error}");
        assert_eq!(race.save().digest(), digest);
    };
    refused("champion", &|state| state.put_u64_one("champion", 3));
    refused("until_check", &|state| state.put_u64_one("until_check", 0));
    refused("slot/01/places", &|state| state.put_f64("slot/01/places", &[1.5]));
    refused("slot/01/turn", &|state| state.put_u64("slot/01/turn", &[0, 3]));
    refused("slot/02/duel", &|state| state.put_f64("slot/02/duel", &[-1.0, 0.0, 0.0]));
    refused("stable/leases", &|state| state.put_u64("stable/leases", &[16; 9]));
}
