//! Tests of the whole learners; each part has its own beside it.

mod bounds;
mod golden;
mod learning;
mod state;

use std::io::Read;

use crate::config::{ForestConfig, TreeConfig};
use crate::learn::ensemble::Forest;
use crate::learn::tree::{HoeffdingAdaptiveTree, HoeffdingTree};
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Shape};
use crate::schema::Rows;
use crate::testing::SplitMix;

const CONTEXT: Context = Context { entry: 1, seed: 1, time_ms: 0 };

/// The families, with settings under which they grow, warn and replace within some hundred examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Tree,
    Adaptive,
    Forest,
}

const FAMILIES: [Family; 3] = [Family::Tree, Family::Adaptive, Family::Forest];

fn eager() -> TreeConfig {
    TreeConfig {
        grace_period: 10,
        tie_threshold: 0.4,
        categories_max: 4,
        drift_delta: 0.5,
        ..TreeConfig::default()
    }
}

fn eager_forest() -> ForestConfig {
    ForestConfig {
        trees: 3,
        grace_period: 10,
        tie_threshold: 0.4,
        categories_max: 4,
        warning_delta: 0.9,
        drift_delta: 0.7,
        ..ForestConfig::default()
    }
}

fn new(family: Family, tree: &TreeConfig, forest: &ForestConfig, shape: &Shape) -> Box<dyn Learner> {
    match family {
        Family::Tree => Box::new(HoeffdingTree::new(tree, shape)),
        Family::Adaptive => Box::new(HoeffdingAdaptiveTree::new(tree, shape)),
        Family::Forest => Box::new(Forest::adaptive(forest, 7, shape)),
    }
}

/// Labelled rows.
#[derive(Debug, Clone)]
struct Data {
    rows: Rows,
    targets: Vec<f32>,
    weights: Vec<f32>,
    classes: usize,
}

impl Data {
    fn new(numeric: usize, categorical: usize, classes: usize) -> Self {
        Self { rows: Rows::new(numeric, categorical), targets: Vec::new(), weights: Vec::new(), classes }
    }

    fn push(&mut self, numeric: &[f32], categorical: &[u64], target: f32, weight: f32) {
        self.rows.push(numeric, categorical);
        self.targets.push(target);
        self.weights.push(weight);
    }

    fn shape(&self) -> Shape {
        Shape {
            numeric: self.rows.numeric_width(),
            categorical: self.rows.categorical_width(),
            objective: Objective::Classify { classes: self.classes },
        }
    }

    fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self::new(self.rows.numeric_width(), self.rows.categorical_width(), self.classes);
        for row in range {
            let (numeric, categorical) = (self.rows.numeric_row(row), self.rows.categorical_row(row));
            part.push(numeric, categorical, self.targets[row], self.weights[row]);
        }
        part
    }

    /// Learns all and gives the predictions recorded.
    fn teach(&self, learner: &mut dyn Learner) -> Predictions {
        let mut out = Predictions::default();
        let examples = Examples { rows: &self.rows, targets: &self.targets, weights: &self.weights };
        learner.learn(examples, &CONTEXT, &mut out);
        out
    }

    fn ask(&self, learner: &dyn Learner) -> Predictions {
        let mut out = Predictions::default();
        learner.predict(&self.rows, &mut out);
        out
    }

    /// How many predictions name the target, the first of the most likely classes counting.
    fn right(&self, out: &Predictions) -> usize {
        let named = |row: usize| super::vote::highest(out.row(row)) as f32;
        self.targets.iter().enumerate().filter(|(row, target)| named(*row) == **target).count()
    }
}

/// Three classes by two numeric columns and one of two categorical ones, which change their meaning every `period`
/// rows; some values are missing.
fn drifting(rows: usize, period: usize) -> Data {
    let mut random = SplitMix(5);
    let mut data = Data::new(3, 2, 3);
    for row in 0..rows {
        let mut numeric = [random.unit_f32(), random.unit_f32() * 1e4, random.unit_f32() - 0.5];
        let categorical = [1 + random.bits() % 6, random.bits() % 30];
        let turn = (row / period) as u64;
        let target = if (categorical[0] + turn).is_multiple_of(3) {
            2.0
        } else {
            f32::from((numeric[0] < 0.5) == (turn.is_multiple_of(2)))
        };
        if row % 17 == 3 {
            numeric[row % 3] = f32::NAN;
        }
        data.push(&numeric, &categorical, target, [1.0, 1.0, 0.5, 3.0][row % 4]);
    }
    data
}

/// All of Elec2, as MOA has it.
fn elec2() -> Data {
    let mut text = String::new();
    let file = include_bytes!("../../../../loadgen/data/elec2.csv.gz");
    flate2::read::GzDecoder::new(&file[..]).read_to_string(&mut text).unwrap();
    let mut data = Data::new(8, 0, 2);
    for line in text.lines().skip(1) {
        let numbers: Vec<f32> = line.split(',').map(|number| number.parse().unwrap()).collect();
        data.push(&numbers[..8], &[], numbers[8], 1.0);
    }
    data
}
