//! The boosted trees, and how they learn.

use std::sync::Arc;

use super::blend::{self, Blend};
use super::growth::{self, Soil};
use super::histograms::Bounds;
use super::ladder::{self, Tree};
use super::loss;
use super::structure::Structure;
use super::window::Window;
use crate::config::BoostingConfig;
use crate::detect::{Adwin, AdwinConfig};
use crate::learn::counter::Counter;
use crate::learn::tree::lines::Moments;
use crate::learn::tree::row::{Row, VALUE_MAX};
use crate::learn::tree::vote::highest;
use crate::learn::{Objective, Shape};

/// Fewest rows from which a tree is grown, and fewest examples between two trees.
const ROWS_MIN: usize = 32;

/// Rows from which a tree is grown, at least, once there are so many.
const WINDOW_MIN: usize = 256;

/// Between two trees come this share of the rows from which they are grown.
const PERIODS: usize = 32;

/// Trees grown at once while there is less than a quarter of them.
const BURST: usize = 4;

/// Step of the constant.
const BASE_STEP: f32 = 0.02;

/// The steps that an example may take at once, whatever its weight.
const STEP_MAX: f32 = 8.0;

/// Leaf values stop here.
const VALUE_OF_LEAF_MAX: f32 = 1e3;

/// Standardised targets beyond count as these.
const DEVIATIONS_MAX: f64 = 10.0;

/// What does not change.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub shape: Shape,
    /// Margins of a rung.
    pub margins: usize,
    pub config: BoostingConfig,
    pub seed: u64,
    pub adwin: AdwinConfig,
}

impl Plan {
    pub fn new(config: &BoostingConfig, seed: u64, shape: &Shape) -> Self {
        Self {
            shape: shape.clone(),
            margins: loss::margins(shape.objective),
            config: config.clone(),
            seed,
            adwin: AdwinConfig { delta: config.drift_delta, ..AdwinConfig::default() },
        }
    }

    /// Margins of all rungs.
    pub fn width(&self) -> usize {
        self.margins * self.config.steps.len()
    }

    pub fn window(&self) -> Window {
        let slots = self.config.trees + 1;
        Window::new(self.shape.numeric, self.shape.categorical, slots, self.config.rows_max)
    }
}

/// What a prediction needs beside the trees; small.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Crown {
    /// `[rungs, margins]`: the constants.
    pub base: Vec<f32>,
    pub blend: Blend,
    /// Of the targets of a regression.
    pub target: Moments,
}

/// Room for one row in work.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    pub margins: Vec<f32>,
    /// `[rungs, outputs]`.
    responses: Vec<f32>,
    /// `[outputs]`: before a value is told in its own unit.
    said: Vec<f32>,
}

impl Crown {
    /// From the margins to the prediction.
    pub fn answer(&self, plan: &Plan, scratch: &mut Scratch, out: &mut [f32]) {
        let objective = plan.shape.objective;
        let Scratch { margins, responses, said } = scratch;
        responses.resize(plan.config.steps.len() * out.len(), 0.0);
        said.resize(out.len(), 0.0);
        for (margins, response) in
            margins.chunks_exact(plan.margins).zip(responses.chunks_exact_mut(out.len()))
        {
            loss::respond(objective, margins, response);
        }
        blend::mean(self.blend.weights(), responses, objective, said);
        out.copy_from_slice(said);
        if objective == Objective::Regress {
            let value = self.target.mean + f64::from(said[0]) * self.target.deviation();
            out[0] = value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        }
    }

    /// The target as the loss has it: a value in deviations from the mean.
    fn told(&self, objective: Objective, target: f32) -> f32 {
        if objective != Objective::Regress {
            return target;
        }
        let deviation = self.target.deviation();
        let distance = f64::from(target) - self.target.mean;
        if deviation > 0.0 {
            (distance / deviation).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX) as f32
        } else {
            0.0
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Booster {
    pub plan: Plan,
    /// Oldest first.
    pub trees: Vec<Tree>,
    pub crown: Crown,
    pub window: Window,
    /// Of the errors.
    pub adwin: Adwin,
    /// Examples learned, and since the last tree.
    pub learned: u64,
    pub waited: u64,
    /// Trees grown.
    pub grown: u64,
    scratch: Scratch,
    leaves: Vec<usize>,
}

impl Booster {
    pub fn new(plan: Plan) -> Self {
        let rungs = plan.config.steps.len();
        let crown =
            Crown { base: vec![0.0; plan.width()], blend: Blend::new(rungs), target: Moments::default() };
        Self {
            trees: Vec::new(),
            crown,
            window: plan.window(),
            adwin: Adwin::new(plan.adwin.clone()),
            learned: 0,
            waited: 0,
            grown: 0,
            scratch: Scratch::default(),
            leaves: Vec::new(),
            plan,
        }
    }

    pub fn predict(&self, row: &Row, scratch: &mut Scratch, out: &mut [f32]) {
        let trees = self.trees.iter().map(|tree| (&*tree.structure, &*tree.values));
        ladder::climb(trees, &self.crown.base, row, &mut scratch.margins);
        self.crown.answer(&self.plan, scratch, out);
    }

    /// Predicts into `out`, then learns.
    pub fn learn(&mut self, row: &Row, target: f32, weight: f32, out: &mut [f32]) {
        let Self { plan, trees, crown, window, scratch, leaves, .. } = self;
        let objective = plan.shape.objective;
        scratch.margins.clear();
        scratch.margins.extend_from_slice(&crown.base);
        leaves.clear();
        leaves.extend(trees.iter().map(|tree| tree.structure.place(row)));
        let values = trees.iter().map(|tree| &*tree.values);
        ladder::add(values.zip(leaves.iter().copied()), &mut scratch.margins);
        crown.answer(plan, scratch, out);

        let target = target.clamp(-VALUE_MAX, VALUE_MAX);
        if objective == Objective::Regress {
            // One that is far off must not be what all others are measured by.
            let (mean, far) = (crown.target.mean, DEVIATIONS_MAX * crown.target.deviation());
            let near = f64::from(target);
            let near = if far > 0.0 { near.clamp(mean - far, mean + far) } else { near };
            crown.target.add(near, f64::from(weight));
        }
        let error = match objective {
            Objective::Classify { .. } => f64::from(u8::from(highest(out) != target as usize)),
            Objective::Regress => {
                let distance = (f64::from(out[0]) - f64::from(target)).abs();
                distance / (distance + crown.target.deviation()).max(f64::MIN_POSITIVE)
            }
        };
        let told = crown.told(objective, target);
        let outputs = objective.outputs();
        let steps = plan.config.steps.iter().zip(scratch.responses.chunks_exact(outputs)).enumerate();
        for (rung, (step, response)) in steps {
            let step = (step * weight).min(STEP_MAX) * loss::pace(objective);
            let base_step = (BASE_STEP * weight).min(1.0) * loss::pace(objective);
            loss::derive(objective, response, told, |margin, gradient, _| {
                let margin = rung * plan.margins + margin;
                crown.base[margin] -= base_step * gradient;
                // Now the steps wait in the margins' place.
                scratch.margins[margin] = step * gradient;
            });
        }
        let share = 1.0 / trees.len().max(1) as f32;
        let width = plan.width();
        for (tree, leaf) in trees.iter_mut().zip(&*leaves) {
            let values = &mut tree.values[leaf * width..(leaf + 1) * width];
            for (value, step) in values.iter_mut().zip(&scratch.margins) {
                *value = (*value - share * step).clamp(-VALUE_OF_LEAF_MAX, VALUE_OF_LEAF_MAX);
            }
        }
        crown.blend.learn(objective, &scratch.responses, &scratch.said, told, f64::from(weight));

        window.push(row, target, weight);
        let places = window.places_mut(window.len() - 1);
        trees.iter().zip(&*leaves).for_each(|(tree, leaf)| places[tree.slot] = *leaf as u8);
        self.learned += 1;
        self.waited = self.waited.saturating_add(1);
        if self.adwin.update(error).is_some_and(|change| change.is_rise()) {
            let change = self.learned - self.adwin.width();
            self.trees.retain(|tree| tree.born > change);
            self.waited = u64::MAX;
        }
        self.grow_if_due();
    }

    fn grow_if_due(&mut self) {
        let rows_max = self.plan.config.rows_max;
        let rows = (self.adwin.width() as usize).clamp(WINDOW_MIN.min(rows_max), rows_max);
        let rows = rows.min(self.window.len());
        if rows < ROWS_MIN || self.waited < (rows / PERIODS).max(ROWS_MIN) as u64 {
            return;
        }
        self.waited = 0;
        let few = self.trees.len() < self.plan.config.trees / 4;
        (0..if few { BURST } else { 1 }).for_each(|_| self.grow(rows));
    }

    /// Grows a tree from the last `rows` rows; the oldest tree goes if there are too many.
    fn grow(&mut self, rows: usize) {
        let random = Counter::new(self.plan.seed, self.grown);
        self.grown += 1;
        let Plan { config, shape, margins, .. } = &self.plan;
        let columns = shape.numeric + shape.categorical;
        let soil = Soil {
            window: &self.window,
            start: self.window.len() - rows,
            slopes: self.slopes(rows),
            width: 2 * margins,
            leaves_max: config.leaves,
            columns: (libm::ceil(columns as f64 * config.columns) as usize).min(columns),
            bounds: Bounds { l2: config.l2, hessian_min: 1.0 / loss::pace(shape.objective) },
        };
        let Some((structure, sums)) = growth::grow(&soil, random) else { return };
        let most =
            config.rate * if shape.objective == Objective::Regress { DEVIATIONS_MAX as f32 } else { 4.0 };
        let pairs = sums.as_chunks::<2>().0.iter();
        let values = pairs
            .map(|[gradient, hessian]| (-config.rate * gradient / (hessian + config.l2)).clamp(-most, most));
        let tree = (Arc::new(structure), values.collect());
        let born = self.learned;
        self.plant(tree.0, tree.1, born);
        if self.trees.len() > self.plan.config.trees {
            self.trees.remove(0);
        }
    }

    /// Puts a tree behind the others, with its places in the window.
    pub fn plant(&mut self, structure: Arc<Structure>, values: Vec<f32>, born: u64) {
        let taken = |slot: &usize| self.trees.iter().any(|tree| tree.slot == *slot);
        let slot = (0..self.window.slots).find(|slot| !taken(slot)).expect("there is a slot more than trees");
        let mut row = Row::new(self.plan.shape.numeric, self.plan.shape.categorical);
        for index in 0..self.window.len() {
            self.window.read(index, &mut row);
            self.window.places_mut(index)[slot] = structure.place(&row) as u8;
        }
        self.trees.push(Tree { structure, values, born, slot });
    }

    /// Gradients and Hessians of the last `rows` rows: `[rows, rungs, margins]` pairs.
    fn slopes(&self, rows: usize) -> Vec<f32> {
        let objective = self.plan.shape.objective;
        let (width, margins) = (self.plan.width(), self.plan.margins);
        let mut slopes = vec![0.0; rows * width * 2];
        let mut all = vec![0.0; width];
        let mut response = vec![0.0; objective.outputs()];
        for (row, slopes) in (self.window.len() - rows..).zip(slopes.chunks_exact_mut(2 * width)) {
            all.copy_from_slice(&self.crown.base);
            let places = self.window.places(row);
            let leaves = self.trees.iter().map(|tree| (&*tree.values, usize::from(places[tree.slot])));
            ladder::add(leaves, &mut all);
            let target = self.crown.told(objective, self.window.targets[row]);
            let weight = self.window.weights[row];
            for (margins, slopes) in all.chunks_exact(margins).zip(slopes.chunks_exact_mut(2 * margins)) {
                loss::respond(objective, margins, &mut response);
                loss::derive(objective, &response, target, |margin, gradient, hessian| {
                    slopes[2 * margin] = weight * gradient;
                    slopes[2 * margin + 1] = weight * hessian;
                });
            }
        }
        slopes
    }
}
