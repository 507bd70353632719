//! What a multi-layer perceptron promises as a learner.

use super::{MlpLearner, MlpPredictor};
use crate::config::{LearnerKind, MlpConfig, MlpEngine, ModelConfig, Optimiser};
use crate::learn::counter::Counter;
use crate::learn::testing::contract;
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::Tensor;

const CONTEXT: Context = Context { entry: 1, seed: 1, time_ms: 0 };
const BINARY: Objective = Objective::Classify { classes: 2 };

fn config(hidden: &[usize], optimiser: Optimiser, rate: f64) -> MlpConfig {
    MlpConfig {
        engine: MlpEngine::Native,
        hidden: hidden.to_vec(),
        optimiser,
        rate,
        step_rows_max: 256,
        clip_norm: 0.0,
        weight_decay: 0.0,
        warmup_steps: 0,
    }
}

fn adam() -> MlpConfig {
    config(&[16, 16], Optimiser::Adam, 0.01)
}

fn learner(config: &MlpConfig, seed: u64, shape: &Shape) -> MlpLearner {
    MlpLearner::new(config, seed, 4, shape)
}

/// Examples that are made, row by row, by a function of counted numbers on (-1, 1).
struct Stream {
    rows: Rows,
    targets: Vec<f32>,
    weights: Vec<f32>,
}

impl Stream {
    fn new(shape: &Shape, len: usize, seed: u64, make: impl Fn(&[f32]) -> (Vec<f32>, Vec<u64>, f32)) -> Self {
        let mut stream = Self {
            rows: Rows::new(shape.numeric, shape.categorical),
            targets: Vec::new(),
            weights: vec![1.0; len],
        };
        for row in 0..len as u64 {
            let numbers: Vec<f32> = (0..8).map(|at| Counter::new(seed, 99).symmetric(row * 8 + at)).collect();
            let (numeric, categorical, target) = make(&numbers);
            stream.rows.push(&numeric, &categorical);
            stream.targets.push(target);
        }
        stream
    }

    /// Learns everything in batches; the predictions from before each batch.
    fn teach(&self, learner: &mut MlpLearner, batch: usize) -> Predictions {
        let mut all = Predictions::default();
        for start in (0..self.rows.len()).step_by(batch) {
            let range = start..self.rows.len().min(start + batch);
            let mut rows = Rows::new(self.rows.numeric_width(), self.rows.categorical_width());
            range.clone().for_each(|row| rows.push_from(&self.rows, row));
            let mut out = Predictions::default();
            let examples = Examples {
                rows: &rows,
                targets: &self.targets[range.clone()],
                weights: &self.weights[range],
            };
            learner.learn(examples, &CONTEXT, &mut out);
            all.outputs = out.outputs;
            all.values.extend(out.values);
        }
        all
    }

    /// Share of rows whose most probable class is the target.
    fn accuracy(&self, predictor: &dyn Predictor) -> f64 {
        let mut out = Predictions::default();
        predictor.predict(&self.rows, &mut out);
        let best = |row: &[f32]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        let right = (0..out.len()).filter(|row| best(out.row(*row)) == self.targets[*row] as usize).count();
        right as f64 / out.len() as f64
    }
}

fn predictions(learner: &MlpLearner, rows: &Rows) -> Vec<u32> {
    let mut out = Predictions::default();
    learner.predict(rows, &mut out);
    out.values.iter().map(|value| value.to_bits()).collect()
}

fn shape(numeric: usize, categorical: usize, objective: Objective) -> Shape {
    Shape { numeric, categorical, objective }
}

/// Two numbers and a category; the class is an exclusive or of all three.
fn mixed(len: usize, seed: u64) -> (Shape, Stream) {
    let shape = shape(2, 1, BINARY);
    let stream = Stream::new(&shape, len, seed, |x| {
        let category = if x[2] < 0.0 { 11 } else { 12 };
        let class = (x[0] > 0.0) ^ (x[1] > 0.0) ^ (category == 11);
        (vec![x[0] * 3.0 + 100.0, x[1]], vec![category], f32::from(class))
    });
    (shape, stream)
}

#[test]
fn initial_weights_depend_on_the_seed_only() {
    let shape = shape(3, 1, BINARY);
    let digest = |seed| learner(&adam(), seed, &shape).save().digest();
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}

#[test]
fn learns_an_exclusive_or_of_numbers_and_a_category() {
    let (shape, stream) = mixed(12_000, 1);
    let mut learner = learner(&adam(), 1, &shape);
    stream.teach(&mut learner, 12);
    let (_, unseen) = mixed(2_000, 2);
    let accuracy = unseen.accuracy(learner.publish().as_ref());
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn plain_sgd_learns_a_circle() {
    let shape = shape(2, 0, BINARY);
    let make = |x: &[f32]| (vec![x[0], x[1]], vec![], f32::from(x[0] * x[0] + x[1] * x[1] < 0.64));
    let mut learner = learner(&config(&[16], Optimiser::Sgd, 0.3), 1, &shape);
    Stream::new(&shape, 20_000, 1, make).teach(&mut learner, 16);
    let accuracy = Stream::new(&shape, 2_000, 2, make).accuracy(learner.publish().as_ref());
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn learns_several_classes() {
    let shape = shape(2, 0, Objective::Classify { classes: 4 });
    let make = |x: &[f32]| {
        let class = usize::from(x[0] > 0.0) + 2 * usize::from(x[1] > x[0] * x[0]);
        (vec![x[0], x[1]], vec![], class as f32)
    };
    let mut learner = learner(&adam(), 1, &shape);
    let out = Stream::new(&shape, 10_000, 1, make).teach(&mut learner, 10);
    for row in 0..out.len() {
        assert!((out.row(row).iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let accuracy = Stream::new(&shape, 2_000, 2, make).accuracy(learner.publish().as_ref());
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn regression_answers_in_the_unit_of_the_label() {
    let shape = shape(2, 0, Objective::Regress);
    let truth = |x: &[f32]| 50_000.0 + 1_000.0 * (2.0 * x[0] * x[1] + x[0].abs());
    let make = |x: &[f32]| (vec![x[0], x[1]], vec![], truth(x));
    let mut learner = learner(&adam(), 1, &shape);
    Stream::new(&shape, 20_000, 1, make).teach(&mut learner, 16);
    let unseen = Stream::new(&shape, 1_000, 2, make);
    let mut out = Predictions::default();
    learner.predict(&unseen.rows, &mut out);
    let mean = unseen.targets.iter().sum::<f32>() / 1_000.0;
    let (mut rest, mut spread) = (0.0, 0.0);
    for (value, target) in out.values.iter().zip(&unseen.targets) {
        rest += f64::from(value - target).powi(2);
        spread += f64::from(target - mean).powi(2);
    }
    assert!(rest / spread < 0.02, "unexplained {}", rest / spread);
}

#[test]
fn equal_targets_are_predicted_and_one_outlier_does_not_spoil_them() {
    let shape = shape(1, 0, Objective::Regress);
    let mut learner = learner(&adam(), 1, &shape);
    let mut stream = Stream::new(&shape, 2_000, 1, |x| (vec![x[0]], vec![], 7.5));
    assert!(stream.teach(&mut learner, 10).values[10..].iter().all(|value| *value == 7.5));
    stream.targets = (0..2_000).map(|row| if row == 1_000 { f32::MAX } else { (row % 2) as f32 }).collect();
    stream.teach(&mut learner, 10);
    let mut out = Predictions::default();
    learner.predict(&stream.rows, &mut out);
    assert!(out.values.iter().all(|value| value.abs() < 5.0), "targets are 0 and 1 by turns");
}

#[test]
fn missing_values_count_as_the_mean_and_unknown_categories_do_no_harm() {
    let (shape, stream) = mixed(4_000, 1);
    let mut taught = learner(&adam(), 1, &shape);
    stream.teach(&mut taught, 12);
    let mut rows = Rows::new(2, 1);
    rows.push(&[f32::NAN, f32::NAN], &[0]);
    rows.push(&[100.0, f32::NAN], &[777]);
    let before = taught.publish();
    let examples = Examples { rows: &rows, targets: &[0.0, 1.0], weights: &[1.0, 1.0] };
    taught.learn(examples, &CONTEXT, &mut Predictions::default());
    let mut out = Predictions::default();
    taught.predict(&rows, &mut out);
    assert!(out.values.iter().all(|value| value.is_finite()));
    assert_ne!(
        before.save().digest(),
        taught.publish().save().digest(),
        "rows with missing values are learned"
    );
}

#[test]
fn the_network_grows_with_the_categories_seen_up_to_the_bound() {
    let shape = shape(1, 1, BINARY);
    let stream = |len, categories: u64| {
        Stream::new(&shape, len, 1, move |x| {
            let category = ((x[0] + 1.0) / 2.0 * categories as f32) as u64 + 1;
            (vec![x[1]], vec![category], f32::from(category > 1))
        })
    };
    let mut learner = learner(&adam(), 1, &shape);
    let inputs = |learner: &MlpLearner| learner.save().get("layers/0/weights").unwrap().shape[0];
    assert_eq!(inputs(&learner), 3, "a number, other, missing");
    stream(100, 2).teach(&mut learner, 10);
    assert_eq!(inputs(&learner), 5);
    let old = learner.publish();
    stream(100, 50).teach(&mut learner, 10);
    assert_eq!(inputs(&learner), 7, "four categories have a place, further ones share one");
    let mut out = Predictions::default();
    old.predict(&stream(100, 50).rows, &mut out);
    assert!(out.values.iter().all(|value| value.is_finite()), "the older predictor knows fewer");
    let saved = learner.save();
    learner.load(&saved).unwrap();
    assert_eq!(saved.get("optimiser/second/layers/0/weights").unwrap().shape, [7, 16]);
}

#[test]
fn equal_calls_give_equal_digests() {
    let (shape, stream) = mixed(1_000, 1);
    let run = |batch| {
        let mut learner = learner(&adam(), 3, &shape);
        let out = stream.teach(&mut learner, batch);
        (learner.save().digest(), out)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}

#[test]
fn batches_are_learned_in_steps_of_bounded_size() {
    let (shape, stream) = mixed(1_000, 1);
    let mut small = learner(&MlpConfig { step_rows_max: 10, ..adam() }, 3, &shape);
    let mut other = learner(&MlpConfig { step_rows_max: 10, ..adam() }, 3, &shape);
    let out = stream.teach(&mut small, 1_000);
    assert_eq!(out, stream.teach(&mut other, 10));
    assert_eq!(small.save().digest(), other.save().digest());
}

#[test]
fn predictor_learner_and_prequential_answers_are_the_same_bits() {
    let (shape, stream) = mixed(600, 1);
    let mut learner = learner(&MlpConfig { hidden: vec![21, 33], ..adam() }, 3, &shape);
    stream.teach(&mut learner, 12);
    let expected = predictions(&learner, &stream.rows);
    let published = learner.publish();
    let loaded = MlpPredictor::load(&shape, &published.save()).unwrap();
    let from_learner = MlpPredictor::load(&shape, &learner.save()).unwrap();
    let mut out = Predictions::default();
    for predictor in [published.as_ref(), &loaded, &from_learner] {
        predictor.predict(&stream.rows, &mut out);
        assert_eq!(out.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected);
        assert!(predictor.is_finite());
    }
    // One step of all 600 rows would be split: predict a part that is one mini-batch.
    let mut rows = Rows::new(2, 1);
    (0..200).for_each(|row| rows.push_from(&stream.rows, row));
    let examples = Examples { rows: &rows, targets: &stream.targets[..200], weights: &stream.weights[..200] };
    learner.learn(examples, &CONTEXT, &mut out);
    assert_eq!(out.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected[..400]);
    assert_ne!(
        predictions(&learner, &rows),
        expected[..400],
        "the published predictor stayed, the learner went on"
    );
    published.predict(&rows, &mut out);
    assert_eq!(out.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected[..400]);
}

#[test]
fn a_loaded_learner_goes_on_bit_for_bit_also_with_adams_moments() {
    for objective in [BINARY, Objective::Regress] {
        let (mut shape, stream) = mixed(600, 1);
        shape.objective = objective;
        let mut original = learner(&adam(), 3, &shape);
        stream.teach(&mut original, 12);
        let saved = original.save();
        let mut copy = learner(&adam(), 77, &shape);
        copy.load(&saved).unwrap();
        assert_eq!(copy.save().digest(), saved.digest());
        assert_eq!(predictions(&copy, &stream.rows), predictions(&original, &stream.rows));
        // A learner whose moments were dropped must be found out by the same comparison.
        let mut forgetful = learner(&adam(), 77, &shape);
        let mut without = saved.clone();
        for (path, tensor) in saved.iter().filter(|(path, _)| path.starts_with("optimiser/")) {
            without.put(path, Tensor { bytes: vec![0; tensor.bytes.len()], ..tensor.clone() });
        }
        forgetful.load(&without).unwrap();
        assert_eq!(predictions(&forgetful, &stream.rows), predictions(&original, &stream.rows));

        let (_, more) = mixed(300, 2);
        let expected = more.teach(&mut original, 12);
        assert_eq!(more.teach(&mut copy, 12), expected);
        assert_eq!(copy.save().digest(), original.save().digest());
        assert_ne!(more.teach(&mut forgetful, 12), expected);
    }
}

#[test]
fn states_that_do_not_fit_are_refused_by_name_and_change_nothing() {
    let (shape, stream) = mixed(100, 1);
    let mut taught = learner(&adam(), 3, &shape);
    stream.teach(&mut taught, 12);
    let before = taught.save();
    let mut refuse = |config: &MlpConfig, shape: &Shape, expected: &str| {
        let error = taught.load(&learner(config, 1, shape).save()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(taught.save().digest(), before.digest());
    };
    let wide = MlpConfig { hidden: vec![16, 17], ..adam() };
    refuse(&wide, &shape, "\"layers/1/weights\" is of shape [16, 17], expected shape [16, 16]");
    refuse(
        &MlpConfig { hidden: vec![16, 16, 2], ..adam() },
        &shape,
        "\"layers/3/weights\" is a further layer of shape [2, 2]",
    );
    refuse(
        &config(&[16, 16], Optimiser::Sgd, 0.1),
        &shape,
        "\"optimiser/first/layers/0/weights\" is missing",
    );
    let three = Shape { objective: Objective::Classify { classes: 3 }, ..shape.clone() };
    refuse(&adam(), &three, "\"layers/2/weights\" is of shape [16, 3], expected shape [16, 2]");
    let error = MlpPredictor::load(&three, &before).unwrap_err().to_string();
    assert_eq!(error, "tensor \"layers/2/weights\" is of shape [16, 2], expected shape [16, 3]");
    let deep = learner(&MlpConfig { hidden: vec![16], ..adam() }, 1, &shape).save();
    assert!(taught.load(&deep).unwrap_err().to_string().contains("\"layers/1/weights\""));
    let error = MlpPredictor::load(&shape, &Default::default()).unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn keeps_the_contract_of_learners() {
    let model = |mlp: MlpConfig| ModelConfig {
        learner: LearnerKind::Mlp,
        categories_max: 4,
        mlp: MlpConfig { step_rows_max: 1, ..mlp },
        ..ModelConfig::default()
    };
    let native = [
        MlpConfig::default(),
        adam(),
        config(&[5], Optimiser::Adagrad, 0.1),
        // As wild as the ranges allow, nothing cut.
        config(&[7, 3], Optimiser::Sgd, 10.0),
        config(&[7, 3], Optimiser::Adam, 10.0),
    ];
    let objectives = [BINARY, Objective::Classify { classes: 5 }, Objective::Regress];
    contract(&native.map(model), &objectives, 60);
    let burn = [
        MlpConfig { engine: MlpEngine::Burn, ..config(&[5], Optimiser::Adam, 0.01) },
        MlpConfig { engine: MlpEngine::Burn, ..config(&[4, 3], Optimiser::Sgd, 10.0) },
    ];
    contract(&burn.map(model), &objectives, 6);
}

#[test]
fn a_version_saved_by_one_engine_goes_on_in_the_other() {
    let (shape, stream) = mixed(2_000, 1);
    let burn = MlpConfig { engine: MlpEngine::Burn, ..adam() };
    let mut original = learner(&adam(), 3, &shape);
    stream.teach(&mut original, 20);
    let mut other = learner(&burn, 5, &shape);
    other.load(&original.save()).unwrap();
    assert_eq!(other.save().digest(), original.save().digest());
    assert_eq!(predictions(&other, &stream.rows), predictions(&original, &stream.rows));
    let (_, more) = mixed(400, 2);
    let (a, b) = (more.teach(&mut original, 20), more.teach(&mut other, 20));
    let off = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-4, "{off}");
}

#[test]
fn what_cannot_be_learned_is_predicted_only_also_inside_a_mini_batch() {
    let (shape, mut stream) = mixed(64, 1);
    let mut without = learner(&adam(), 1, &shape);
    let mut kept = Stream { rows: Rows::new(2, 1), targets: Vec::new(), weights: Vec::new() };
    for row in (0..64).filter(|row| row % 3 != 1) {
        kept.rows.push_from(&stream.rows, row);
        kept.targets.push(stream.targets[row]);
        kept.weights.push(1.0);
    }
    kept.teach(&mut without, 64);
    for row in (0..64).filter(|row| row % 3 == 1) {
        stream.weights[row] = [f32::NAN, 0.0][row % 2];
    }
    let mut with = learner(&adam(), 1, &shape);
    assert_eq!(stream.teach(&mut with, 64).len(), 64);
    assert_eq!(with.save().digest(), without.save().digest());
    assert_eq!(with.steps_refused(), 0);
}

#[test]
fn importance_weights_multiply_the_loss() {
    let shape = shape(1, 0, BINARY);
    let run = |weight: f32, rate: f64| {
        let mut stream = Stream::new(&shape, 64, 1, |x| (vec![x[0]], vec![], f32::from(x[0] > 0.0)));
        stream.weights = vec![weight; 64];
        let mut learner = learner(&config(&[4], Optimiser::Sgd, rate), 1, &shape);
        // The first step teaches the encoders what the second one needs.
        stream.teach(&mut learner, 32);
        learner.publish().save().f32s("layers/0/weights").unwrap()
    };
    assert_eq!(run(4.0, 0.125), run(1.0, 0.5));
    assert_ne!(run(4.0, 0.125), run(1.0, 0.125));
}

/// Resident pages of this process (proc(5)).
fn resident_pages() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Long training with burn was reported to keep memory (burn#4302); the graph of a step takes some 16 KiB, and burn
/// keeps those that saw no backward pass. In a process of its own: other tests take memory too.
#[test]
fn memory_does_not_grow_with_the_steps_learned_or_refused() {
    const ALONE: &str = "TIDEWHEEL_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = concat!(module_path!(), "::memory_does_not_grow_with_the_steps_learned_or_refused");
        let (_, name) = name.split_once("::").unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (shape, stream) = mixed(6_000, 1);
    let burn = MlpConfig { engine: MlpEngine::Burn, ..config(&[16, 16], Optimiser::Sgd, 0.01) };
    let mut learner = learner(&burn, 1, &shape);
    stream.teach(&mut learner, 6);
    let before = resident_pages();
    (0..4).for_each(|_| drop(stream.teach(&mut learner, 6)));
    // With a network whose gradient is not finite.
    let mut state = learner.save();
    let broken = state.f32s("layers/2/bias").unwrap().iter().map(|_| f32::NAN).collect::<Vec<_>>();
    state.put_f32("layers/2/bias", &broken);
    learner.load(&state).unwrap();
    let before_refused = learner.steps_refused();
    (0..4).for_each(|_| drop(stream.teach(&mut learner, 6)));
    assert_eq!(learner.steps_refused() - before_refused, 4_000);
    let grown = resident_pages().saturating_sub(before) * 4;
    assert!(grown < 32 * 1024, "{grown} KiB in 8,000 steps");
}
