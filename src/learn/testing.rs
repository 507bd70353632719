//! What every learner owes, as tests that any family runs on its configurations: see [`contract`].

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Columns, Context, Examples, Learner, Objective, Predictions, Shape, build, load_predictor};
use crate::config::ModelConfig;
use crate::schema::Rows;
use crate::state::{Dtype, TensorMap};
pub use crate::testing::SplitMix;

pub const BINARY: Objective = Objective::Classify { classes: 2 };
const CONTEXT: Context = Context { entry: 1, seed: 1, time_ms: 0 };

/// Columns of the rows that [`any_data`] makes.
const NUMERIC: usize = 3;
const CATEGORICAL: usize = 2;

/// Labelled rows.
#[derive(Debug, Clone)]
pub struct Data {
    pub rows: Rows,
    pub targets: Vec<f32>,
    pub weights: Vec<f32>,
}

impl Data {
    pub fn new(numeric: usize, categorical: usize) -> Self {
        Self { rows: Rows::new(numeric, categorical), targets: Vec::new(), weights: Vec::new() }
    }

    pub fn push(&mut self, numeric: &[f32], categorical: &[u64], target: f32, weight: f32) {
        self.rows.push(numeric, categorical);
        self.targets.push(target);
        self.weights.push(weight);
    }

    pub fn shape(&self, objective: Objective) -> Shape {
        let (numeric, categorical) = (self.rows.numeric_width(), self.rows.categorical_width());
        Shape { numeric, categorical, objective }
    }

    pub fn learner(&self, config: &ModelConfig, objective: Objective) -> Box<dyn Learner> {
        build(config, &self.shape(objective), &self.columns())
    }

    pub fn columns(&self) -> Columns {
        Columns::numbered(self.rows.numeric_width(), self.rows.categorical_width())
    }

    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self::new(self.rows.numeric_width(), self.rows.categorical_width());
        for row in range {
            let (numeric, categorical) = (self.rows.numeric_row(row), self.rows.categorical_row(row));
            part.push(numeric, categorical, self.targets[row], self.weights[row]);
        }
        part
    }

    /// Learns all and gives the predictions recorded.
    pub fn teach(&self, learner: &mut dyn Learner) -> Predictions {
        let mut out = Predictions::default();
        let examples = Examples { rows: &self.rows, targets: &self.targets, weights: &self.weights };
        learner.learn(examples, &CONTEXT, &mut out);
        out
    }

    pub fn ask(&self, learner: &dyn Learner) -> Predictions {
        let mut out = Predictions::default();
        learner.predict(&self.rows, &mut out);
        out
    }

    /// Share of rows whose likeliest class is the target.
    pub fn accuracy(&self, out: &Predictions) -> f64 {
        let likeliest = |row: usize| {
            let all = out.row(row).iter().enumerate();
            all.fold((0, f32::MIN), |best, (class, p)| if *p > best.1 { (class, *p) } else { best }).0
        };
        let right = (0..out.len()).filter(|row| likeliest(*row) == self.targets[*row] as usize).count();
        right as f64 / out.len() as f64
    }
}

/// The first 150 rows of Elec2, as MOA has it.
pub fn elec2() -> Data {
    let mut data = Data::new(8, 0);
    for line in include_str!("linear/tests/elec2_150.csv").lines() {
        let numbers: Vec<f32> = line.split(',').map(|number| number.parse().unwrap()).collect();
        data.push(&numbers[..8], &[], numbers[8], 1.0);
    }
    data
}

/// Three columns of different units, some values missing, and a column of categories, one of them the missing one, with targets that depend on all.
pub fn mixed(objective: Objective, rows: usize) -> Data {
    let mut random = SplitMix(7);
    let mut data = Data::new(3, 1);
    for row in 0..rows {
        let mut numeric = [random.unit_f32() * 1e3 + 5e3, random.unit_f32() * 1e-3, random.unit_f32() - 0.5];
        let category = random.below(5);
        let score =
            (numeric[0] - 5.5e3) / 250.0 - (numeric[1] - 5e-4) * 3e3 + numeric[2] + category as f32 / 2.0
                - 1.0
                + (random.unit_f32() - 0.5);
        let target = match objective {
            Objective::Classify { classes: 2 } => f32::from(score > 0.0),
            Objective::Classify { classes } => {
                (score + classes as f32 / 2.0).clamp(0.0, classes as f32 - 0.5).floor()
            }
            Objective::Regress => 1e4 + 300.0 * score,
        };
        if row % 17 == 3 {
            numeric[row % 3] = f32::NAN;
        }
        let weight = [1.0, 1.0, 1.0, 0.25, 3.0, 40.0][row % 6];
        data.push(&numeric, &[category * 1_000_003], target, weight);
    }
    data
}

fn any_value() -> impl Strategy<Value = f32> {
    let nasty = vec![f32::NAN, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, 0.0, -0.0, 1e30, -1e-30];
    prop_oneof![2 => -5.0_f32..5.0, 1 => prop::sample::select(nasty)]
}

fn any_data(rows: std::ops::Range<usize>) -> impl Strategy<Value = Data> {
    let any_weight =
        prop_oneof![2 => Just(1.0_f32), 1 => prop::sample::select(vec![f32::MAX, 1e6, 1e-30, 1e-45, 7.5])];
    let row = (prop::array::uniform3(any_value()), prop::array::uniform2(0..6_u64), any_value(), any_weight);
    prop::collection::vec(row, rows).prop_map(|rows| {
        let mut data = Data::new(NUMERIC, CATEGORICAL);
        for (numeric, categories, target, weight) in &rows {
            data.push(numeric, categories, *target, *weight);
        }
        data
    })
}

/// Targets as the objective has them.
fn fit(data: &mut Data, objective: Objective) {
    for target in &mut data.targets {
        *target = match objective {
            Objective::Classify { classes } => (target.to_bits() % classes as u32) as f32,
            Objective::Regress if target.is_nan() => 0.5,
            Objective::Regress => *target,
        };
    }
}

/// Runs `cases` random examples of everything that a learner owes, whatever its family: its predictions are finite and
/// probabilities sum to one, whatever the input; what it recorded is what it predicted just before; how examples come in
/// calls makes no difference; it goes on after save and load as if nothing had been; saving, publishing and predicting
/// change nothing; what is published says, bit for bit and for ever, what the learner said; and what cannot be learned
/// is predicted only.
pub fn contract(configs: &[ModelConfig], objectives: &[Objective], cases: u32) {
    let strategy = (
        prop::sample::select(configs.to_vec()),
        prop::sample::select(objectives.to_vec()),
        any_data(3..60),
        0.0..1.0_f64,
    );
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let check = |(config, objective, mut data, split): (ModelConfig, Objective, Data, f64)| {
        fit(&mut data, objective);
        let split = (split * data.rows.len() as f64) as usize;
        finite(&config, objective, &data)?;
        recorded(&config, objective, &data)?;
        state(&config, objective, &data, split)?;
        quiet(&config, objective, &data)?;
        context(&config, objective, &data, split)?;
        published(&config, objective, &data, split)
    };
    if let Err(error) = TestRunner::new(config).run(&strategy, check) {
        panic!("{error}");
    }
    for (config, objective) in configs.iter().flat_map(|config| objectives.iter().map(move |o| (config, *o)))
    {
        odd(config, objective);
        broken(config, objective);
    }
}

fn finite(config: &ModelConfig, objective: Objective, data: &Data) -> Result<(), TestCaseError> {
    let mut learner = data.learner(config, objective);
    for _ in 0..3 {
        let out = data.teach(learner.as_mut());
        prop_assert!(out.values.iter().all(|value| value.is_finite()), "{out:?}");
    }
    prop_assert!(learner.publish().is_finite());
    for (path, tensor) in learner.save().iter().filter(|(_, tensor)| tensor.dtype == Dtype::F32) {
        let (numbers, _) = tensor.bytes.as_chunks::<4>();
        prop_assert!(numbers.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite()), "{path}");
    }
    let out = data.ask(learner.as_ref());
    if objective != Objective::Regress {
        for row in 0..out.len() {
            prop_assert!(out.row(row).iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", out.row(row));
            prop_assert!((out.row(row).iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", out.row(row));
        }
    }
    Ok(())
}

fn recorded(config: &ModelConfig, objective: Objective, data: &Data) -> Result<(), TestCaseError> {
    let mut single = data.learner(config, objective);
    for row in 0..data.rows.len() {
        let one = data.part(row..row + 1);
        let before = one.ask(single.as_ref());
        prop_assert_eq!(&one.teach(single.as_mut()), &before, "row {}", row);
    }
    let mut whole = data.learner(config, objective);
    data.teach(whole.as_mut());
    prop_assert_eq!(whole.save().digest(), single.save().digest());
    let all = data.ask(whole.as_ref());
    for row in 0..data.rows.len() {
        let alone = data.part(row..row + 1).ask(whole.as_ref());
        prop_assert_eq!(alone.row(0), all.row(row));
    }
    Ok(())
}

fn state(config: &ModelConfig, objective: Objective, data: &Data, split: usize) -> Result<(), TestCaseError> {
    let (first, then) = (data.part(0..split), data.part(split..data.rows.len()));
    let mut kept = data.learner(config, objective);
    first.teach(kept.as_mut());
    let file = kept.save().to_safetensors().unwrap();
    let mut loaded = data.learner(config, objective);
    then.teach(loaded.as_mut());
    loaded.publish();
    loaded.load(&TensorMap::from_safetensors(&file).unwrap()).unwrap();
    prop_assert_eq!(data.ask(loaded.as_ref()), data.ask(kept.as_ref()));
    prop_assert_eq!(loaded.save().digest(), kept.save().digest());
    prop_assert_eq!(loaded.publish().save().digest(), kept.publish().save().digest());
    prop_assert_eq!(then.teach(loaded.as_mut()), then.teach(kept.as_mut()));
    prop_assert_eq!(loaded.save().digest(), kept.save().digest());
    Ok(())
}

fn quiet(config: &ModelConfig, objective: Objective, data: &Data) -> Result<(), TestCaseError> {
    let (mut quiet, mut asked) = (data.learner(config, objective), data.learner(config, objective));
    for row in 0..data.rows.len() {
        let one = data.part(row..row + 1);
        one.teach(quiet.as_mut());
        one.teach(asked.as_mut());
        let digest = asked.save().digest();
        data.ask(asked.as_ref());
        asked.publish();
        prop_assert_eq!(asked.save().digest(), digest);
    }
    prop_assert_eq!(asked.save().digest(), quiet.save().digest());
    Ok(())
}

/// A row's context is of the moment at which it is observed and stays with it; a row without one is taken as one that
/// comes at that moment; and what was observed is part of the state.
fn context(
    config: &ModelConfig,
    objective: Objective,
    data: &Data,
    split: usize,
) -> Result<(), TestCaseError> {
    let (mut bare, mut given) = (data.learner(config, objective), data.learner(config, objective));
    let width = data.rows.numeric_width() + given.context_width();
    for row in 0..data.rows.len() {
        let mut one = data.part(row..row + 1);
        let before = one.ask(given.as_ref());
        let taught = one.teach(bare.as_mut());
        given.observe(&mut one.rows);
        prop_assert_eq!(one.rows.numeric_width(), width);
        let bits = |rows: &Rows| rows.numeric.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let narrowed = one.rows.narrowed(data.rows.numeric_width());
        prop_assert_eq!(bits(&narrowed), bits(&data.part(row..row + 1).rows));
        prop_assert_eq!(&one.ask(given.as_ref()), &before);
        prop_assert_eq!(&one.teach(given.as_mut()), &taught);
    }
    prop_assert_eq!(given.save().digest(), bare.save().digest());

    // Labels that come late: all rows are observed before the first is learned.
    let mut late = data.clone();
    given.observe(&mut late.rows);
    let (first, then) = (late.part(0..split), late.part(split..late.rows.len()));
    first.teach(given.as_mut());
    let mut loaded = data.learner(config, objective);
    loaded.load(&given.save()).unwrap();
    prop_assert_eq!(then.teach(loaded.as_mut()), then.teach(given.as_mut()));
    prop_assert_eq!(loaded.save().digest(), given.save().digest());
    Ok(())
}

fn published(
    config: &ModelConfig,
    objective: Objective,
    data: &Data,
    split: usize,
) -> Result<(), TestCaseError> {
    let (shape, columns) = (data.shape(objective), data.columns());
    let mut learner = data.learner(config, objective);
    let mut earlier = Vec::new();
    for range in [0..split, split..data.rows.len(), 0..split] {
        data.part(range).teach(learner.as_mut());
        let published = learner.publish();
        let said = data.ask(learner.as_ref());
        let mut out = Predictions::default();
        published.predict(&data.rows, &mut out);
        prop_assert_eq!(&out, &said);
        let loaded = load_predictor(config, &shape, &columns, &published.save()).unwrap();
        loaded.predict(&data.rows, &mut out);
        prop_assert_eq!(&out, &said);
        prop_assert_eq!(loaded.save().digest(), published.save().digest());
        earlier.push((published, said));
    }
    for (published, said) in earlier {
        let mut out = Predictions::default();
        published.predict(&data.rows, &mut out);
        prop_assert_eq!(&out, &said, "what was published has changed");
    }
    Ok(())
}

fn odd(config: &ModelConfig, objective: Objective) {
    let data = mixed(objective, 50);
    let mut learner = data.learner(config, objective);
    data.teach(learner.as_mut());
    let digest = learner.save().digest();
    let targets = match objective {
        Objective::Classify { classes } => [f32::NAN, -1.0, classes as f32],
        Objective::Regress => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY],
    };
    let cases =
        targets.map(|target| (target, 1.0)).into_iter().chain([0.0, -1.0, f32::NAN].map(|w| (1.0, w)));
    for (target, weight) in cases {
        let mut odd = Data::new(3, 1);
        odd.push(&[1.0, 2.0, 3.0], &[987_654], target, weight);
        let out = odd.teach(learner.as_mut());
        assert_eq!(out, odd.ask(learner.as_ref()));
        assert_eq!(learner.save().digest(), digest, "{config:?} {objective:?} {target} {weight}");
    }
}

/// Every tensor is needed, and one of another type is refused by name; on an error nothing has changed.
fn broken(config: &ModelConfig, objective: Objective) {
    let data = mixed(objective, 50);
    let mut learner = data.learner(config, objective);
    data.teach(learner.as_mut());
    let (state, predictor) = (learner.save(), learner.publish().save());
    let without = |state: &TensorMap, path: &str| {
        let mut rest = TensorMap::new();
        for (kept, tensor) in state.iter().filter(|(kept, _)| *kept != path) {
            rest.put(kept, tensor.clone());
        }
        rest
    };
    let mut other = data.learner(config, objective);
    let digest = other.save().digest();
    for (path, _) in state.iter() {
        let mut broken = without(&state, path);
        let Err(error) = other.load(&broken) else { panic!("{path} is not needed") };
        assert_eq!(error.to_string(), format!("tensor {path:?} is missing"));
        broken.put_bytes(path, vec![1, 2, 3]);
        let Err(error) = other.load(&broken) else { panic!("{path} may be anything") };
        let error = error.to_string();
        assert!(error.starts_with(&format!("tensor {path:?} is ")), "{error}");
        assert_eq!(other.save().digest(), digest);
    }
    for (path, _) in predictor.iter() {
        let broken = without(&predictor, path);
        let Err(error) = load_predictor(config, &data.shape(objective), &data.columns(), &broken) else {
            panic!("{path} is not needed");
        };
        assert_eq!(error.to_string(), format!("tensor {path:?} is missing"));
    }
}
