use std::sync::Arc;

use super::asking::{Own, Room, answer, ask, predict};
use super::core::{Core, Given, Training};
use super::moment::Past;
use super::predictor::AutoPredictor;
use super::roster::Part;
use super::trees::{boosting_config, forest_config, forest_shape};
use crate::config::ModelConfig;
use crate::learn::encode::read_under;
use crate::learn::ensemble::{Boosting, Forest};
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
    room: Room,
    /// Columns of the moment of the row in work.
    moment: Vec<f32>,
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
            room: Room::new(&core),
            moment: vec![0.0; core.moment_width()],
            core,
            training,
        }
    }

    #[cfg(test)]
    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    fn learn_one(&mut self, row: Own<'_>, target: f32, weight: f32, out: &mut [f32]) {
        let Self { core, training, past, forest, boosting, room, moment, .. } = self;
        let objective = core.shape.objective;
        let Some(importance) = objective.importance(target, weight) else {
            return answer(core, &(&*forest, &*boosting), row, room, out);
        };
        let (numeric, categorical) = row;
        let (numeric, context) = numeric.split_at(core.shape.numeric);
        let (moment, pinned) = if context.is_empty() {
            // It comes and is learned at once.
            core.moment.columns(numeric, categorical, moment);
            past.observe_labelled(numeric, &mut core.moment);
            (&moment[..], context)
        } else {
            context.split_at(core.moment_width())
        };
        let given = Given { numeric, moment, categorical };
        let row = (numeric, categorical);
        let Room { scratch, forest: asked, .. } = room;
        core.read(given, scratch);
        let (class, classes) = (target as usize, objective != Objective::Regress);
        let forest_learns = core.roster.learns(Part::Forest);
        if classes && forest_learns {
            forest.learn_values(row, class as f32, importance, &mut scratch.forest);
        } else if forest_learns && pinned.is_empty() {
            forest.ask(row, asked, &mut scratch.forest);
        }
        if core.roster.learns(Part::Boosting) {
            boosting.learn_values(row, target, importance, &mut scratch.boosted);
        }
        if pinned.is_empty() {
            core.ask(given, scratch);
        } else {
            core.take(pinned, scratch);
        }
        core.answer(scratch, out);
        let (class, scale) = core.learn(training, given, scratch, target, importance);
        if !classes && forest_learns {
            forest.learn_values(row, class as f32, importance, &mut scratch.forest);
        }
        past.learn(categorical, (target, importance), scale, &mut core.moment);
    }
}

impl Learner for AutoLearner {
    fn context_width(&self) -> usize {
        self.core.context_width()
    }

    fn observe(&mut self, rows: &mut Rows) {
        let Self { core, past, forest, boosting, room, moment, .. } = self;
        let own = core.shape.numeric;
        let pins = core.pinned() > 0;
        rows.widen(core.context_width());
        for row in 0..rows.len() {
            let (numeric, categorical) = (&rows.numeric_row(row)[..own], rows.categorical_row(row));
            core.moment.columns(numeric, categorical, moment);
            past.observe(numeric, &mut core.moment);
            if pins {
                let given = Given { numeric, moment, categorical };
                ask(core, &(&*forest, &*boosting), given, room);
            }
            let (_, context) = rows.numeric_row_mut(row).split_at_mut(own);
            let (columns, pinned) = context.split_at_mut(moment.len());
            columns.copy_from_slice(moment);
            if pins {
                pinned.copy_from_slice(room.scratch.opinions());
            }
        }
    }

    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        predict(&self.core, &(&self.forest, &self.boosting), rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.core.shape.objective.outputs(), rows.len());
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            let own = (rows.numeric_row(row), rows.categorical_row(row));
            self.learn_one(own, *target, *weight, out.row_mut(row));
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
