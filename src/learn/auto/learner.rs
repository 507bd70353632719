use std::sync::Arc;

use super::core::{Core, Given, Scratch, Training, forest_shape};
use super::moment::Past;
use super::predictor::AutoPredictor;
use crate::config::{BoostingConfig, ForestConfig, ModelConfig};
use crate::learn::encode::read_under;
use crate::learn::ensemble::{Asked, AskedBoosting, Boosting, Forest};
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// Experts of all families, over the row and what the stream tells of it, combined by online stacking.
///
/// **Order.** A row is given its context when it comes. It is predicted and learned with the state from after the row
/// learned before it; statistics take it in last. An example whose weight is not above zero is predicted, not learned, as
/// is one whose target is no class or not finite; it leaves no trace.
#[derive(Debug, Clone)]
pub struct AutoLearner {
    config: ModelConfig,
    core: Core,
    training: Training,
    past: Past,
    forest: Forest,
    boosting: Boosting,
    scratch: Scratch,
    context: Vec<f32>,
    asked: (Asked, AskedBoosting),
}

pub(super) fn forest_config(config: &ModelConfig) -> ForestConfig {
    ForestConfig {
        trees: config.auto.trees,
        memory_bytes_max: config.auto.memory_bytes_max,
        ..ForestConfig::default()
    }
}

/// Boosted trees that take about a quarter of `memory_bytes_max` for each of leaf values, growth and rows, also of
/// thousands of classes or columns.
pub(super) fn boosting_config(config: &ModelConfig, shape: &Shape) -> BoostingConfig {
    const BINS: usize = 64;
    let quarter = config.auto.memory_bytes_max / 4;
    let mut boosting = BoostingConfig::default();
    let margins = match shape.objective {
        Objective::Classify { classes } if classes > 2 => classes,
        _ => 1,
    };
    let width = margins * boosting.steps.len();
    let columns = (shape.numeric + shape.categorical).max(1);
    boosting.leaves = boosting.leaves.min(quarter / (columns * BINS * 8 * margins)).max(2);
    boosting.trees = boosting.trees.min(quarter / (4 * boosting.leaves * width)).max(1);
    let row = 2 * (4 * shape.numeric + 8 * shape.categorical + boosting.trees) + 8 * (width + margins);
    boosting.rows_max = boosting.rows_max.min(quarter / row).max(32);
    boosting
}

impl AutoLearner {
    /// A learner that has seen nothing.
    pub fn new(config: &ModelConfig, shape: &Shape) -> Self {
        let (core, training) = Core::new(config, shape);
        let forest_shape = forest_shape(shape);
        Self {
            config: config.clone(),
            past: Past::new(shape),
            forest: Forest::adaptive(&forest_config(config), config.seed, &forest_shape),
            boosting: Boosting::new(&boosting_config(config, shape), config.seed, shape),
            scratch: Scratch::default(),
            context: vec![0.0; core.context_width()],
            asked: (Asked::new(&forest_shape), AskedBoosting::new(shape)),
            core,
            training,
        }
    }

    fn learn_one(&mut self, numeric: &[f32], categorical: &[u64], target: f32, weight: f32, out: &mut [f32]) {
        let Self { core, training, past, forest, boosting, scratch, context, asked, .. } = self;
        let own = core.shape.numeric;
        let (numeric, given) = numeric.split_at(own);
        let importance = core.shape.objective.importance(target, weight);
        if given.is_empty() {
            core.moment.columns(numeric, categorical, context);
            if importance.is_some() {
                past.observe(numeric, &mut core.moment);
            }
        } else {
            context.copy_from_slice(given);
        }
        let given = Given { numeric, context, categorical };
        scratch.forest.resize(forest_shape(&core.shape).objective.outputs(), 0.0);
        let row = (numeric, categorical);
        let class = target as usize;
        match (importance, core.shape.objective) {
            (Some(weight), Objective::Classify { .. }) => {
                forest.learn_values(row, class as f32, weight, &mut scratch.forest)
            }
            _ => forest.ask(row, &mut asked.0, &mut scratch.forest),
        }
        scratch.boosted.resize(core.shape.objective.outputs(), 0.0);
        match importance {
            Some(weight) => boosting.learn_values(row, target, weight, &mut scratch.boosted),
            None => boosting.ask(row, &mut asked.1, &mut scratch.boosted),
        }
        core.forward(given, scratch);
        core.answer(scratch, out);
        let Some(importance) = importance else { return };
        let (class, scale) = core.learn(training, given, scratch, target, importance);
        if core.shape.objective == Objective::Regress {
            forest.learn_values(row, class as f32, importance, &mut scratch.forest);
        }
        past.learn(categorical, target, scale, &mut core.moment);
    }
}

impl Learner for AutoLearner {
    fn context_width(&self) -> usize {
        self.core.context_width()
    }

    fn observe(&mut self, rows: &mut Rows) {
        let own = self.core.shape.numeric;
        rows.widen(self.core.context_width());
        for row in 0..rows.len() {
            let (numeric, _) = rows.numeric_row(row).split_at(own);
            self.core.moment.columns(numeric, rows.categorical_row(row), &mut self.context);
            self.past.observe(numeric, &mut self.core.moment);
            rows.numeric_row_mut(row)[own..].copy_from_slice(&self.context);
        }
    }

    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let trees = |row: (&[f32], &[u64]), asked: &mut (Asked, AskedBoosting), scratch: &mut Scratch| {
            self.forest.ask(row, &mut asked.0, &mut scratch.forest);
            self.boosting.ask(row, &mut asked.1, &mut scratch.boosted);
        };
        predict(&self.core, trees, rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.core.shape.objective.outputs(), rows.len());
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            let (numeric, categorical) = (rows.numeric_row(row), rows.categorical_row(row));
            self.learn_one(numeric, categorical, *target, *weight, out.row_mut(row));
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        let (forest, boosting) = (self.forest.published(), self.boosting.published());
        Arc::new(AutoPredictor { core: self.core.clone(), forest, boosting })
    }

    fn save(&self) -> TensorMap {
        let mut map = self.core.save();
        map.nest("training", self.training.save());
        map.nest("past", self.past.save());
        map.nest("forest", self.forest.save());
        map.nest("boosting", self.boosting.save());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let shape = self.core.shape.clone();
        let mut loaded = Self::new(&self.config, &shape);
        loaded.core.load(state)?;
        read_under(state, "training", |state| loaded.training.load(&shape, state))?;
        loaded.past = read_under(state, "past", |state| Past::load(&shape, state))?;
        read_under(state, "forest", |state| loaded.forest.load(state))?;
        read_under(state, "boosting", |state| loaded.boosting.load(state))?;
        *self = loaded;
        Ok(())
    }
}

/// The forward pass, shared by learner and predictor so that they agree to the bit.
pub(super) fn predict(
    core: &Core,
    trees: impl Fn((&[f32], &[u64]), &mut (Asked, AskedBoosting), &mut Scratch),
    rows: &Rows,
    out: &mut Predictions,
) {
    let own = core.shape.numeric;
    let shape = forest_shape(&core.shape);
    let mut scratch = Scratch::default();
    let mut asked = (Asked::new(&shape), AskedBoosting::new(&core.shape));
    let mut moment = vec![0.0; core.context_width()];
    scratch.forest.resize(shape.objective.outputs(), 0.0);
    scratch.boosted.resize(core.shape.objective.outputs(), 0.0);
    out.reset(core.shape.objective.outputs(), rows.len());
    for row in 0..rows.len() {
        let (numeric, context) = rows.numeric_row(row).split_at(own);
        let categorical = rows.categorical_row(row);
        let context = if context.is_empty() {
            core.moment.columns(numeric, categorical, &mut moment);
            &moment
        } else {
            context
        };
        trees((numeric, categorical), &mut asked, &mut scratch);
        core.forward(Given { numeric, context, categorical }, &mut scratch);
        core.answer(&scratch, out.row_mut(row));
    }
}
