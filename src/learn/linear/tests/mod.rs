//! Tests of the whole learner; each part has its own beside it.

mod golden;
mod learning;
mod reference;
mod robustness;
mod state;

use crate::config::{LinearConfig, StepSize};
use crate::learn::linear::LinearLearner;
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Shape};
use crate::schema::Rows;

const BINARY: Objective = Objective::Classify { classes: 2 };
const STEPS: [StepSize; 3] = [StepSize::Constant, StepSize::Adagrad, StepSize::Rmsprop];
const CONTEXT: Context = Context { entry: 1, seed: 1, time_ms: 0 };

fn config(step: StepSize, rate: f32) -> LinearConfig {
    LinearConfig { rate, step, l2: 0.0 }
}

/// Examples with the rows' columns all numeric, or the last ones categorical.
#[derive(Debug, Clone)]
struct Data {
    rows: Rows,
    targets: Vec<f32>,
    weights: Vec<f32>,
}

impl Data {
    fn new(numeric: usize, categorical: usize) -> Self {
        Self { rows: Rows::new(numeric, categorical), targets: Vec::new(), weights: Vec::new() }
    }

    fn push(&mut self, numeric: &[f32], categorical: &[u64], target: f32, weight: f32) {
        self.rows.push(numeric, categorical);
        self.targets.push(target);
        self.weights.push(weight);
    }

    fn shape(&self, objective: Objective) -> Shape {
        let (numeric, categorical) = (self.rows.numeric_width(), self.rows.categorical_width());
        Shape { numeric, categorical, objective }
    }

    fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self::new(self.rows.numeric_width(), self.rows.categorical_width());
        for row in range {
            let (numeric, categorical) = (self.rows.numeric_row(row), self.rows.categorical_row(row));
            part.push(numeric, categorical, self.targets[row], self.weights[row]);
        }
        part
    }

    /// Learns all and gives the predictions recorded.
    fn teach(&self, learner: &mut LinearLearner) -> Predictions {
        let mut out = Predictions::default();
        let examples = Examples { rows: &self.rows, targets: &self.targets, weights: &self.weights };
        learner.learn(examples, &CONTEXT, &mut out);
        out
    }

    fn ask(&self, learner: &LinearLearner) -> Predictions {
        let mut out = Predictions::default();
        learner.predict(&self.rows, &mut out);
        out
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on [0, 1).
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 24) as f32
    }

    fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }
}

/// The first 150 rows of Elec2, as MOA has it.
fn elec2() -> Data {
    let mut data = Data::new(8, 0);
    for line in include_str!("elec2_150.csv").lines() {
        let numbers: Vec<f32> = line.split(',').map(|number| number.parse().unwrap()).collect();
        data.push(&numbers[..8], &[], numbers[8], 1.0);
    }
    data
}

/// Three columns of different units, some values missing, and a column of categories, with targets that depend on all.
fn mixed(objective: Objective, rows: usize) -> Data {
    let mut random = Random(7);
    let mut data = Data::new(3, 1);
    for row in 0..rows {
        let mut numeric = [random.unit() * 1e3 + 5e3, random.unit() * 1e-3, random.unit() - 0.5];
        let category = random.below(5);
        let score =
            (numeric[0] - 5.5e3) / 250.0 - (numeric[1] - 5e-4) * 3e3 + numeric[2] + category as f32 / 2.0
                - 1.0
                + (random.unit() - 0.5);
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
