use std::sync::Arc;

use crate::config::{LearnerKind, LinearConfig, ModelConfig};
use crate::learn::encode::read_under;
use crate::learn::linear::LinearPopulation;
use crate::learn::{
    Columns, Context, Examples, Learner, Objective, Predictions, Predictor, Shape, build_bare,
};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// The learners that race, each in a slot.
pub(super) enum Field {
    /// Each on its own.
    Apart(Vec<Box<dyn Learner>>),
    /// Linear models step together over one reading of the row.
    Together(Box<LinearPopulation>),
}

/// What all learners of a race are made for.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub config: ModelConfig,
    pub shape: Shape,
    pub columns: Columns,
}

impl Track {
    fn linear(&self, places: &[f64]) -> LinearConfig {
        self.config.racer(places).linear
    }

    fn learner(&self, places: &[f64]) -> Box<dyn Learner> {
        build_bare(&self.config.racer(places), &self.shape, &self.columns)
    }
}

impl Field {
    /// Untrained learners with these settings.
    pub fn new(track: &Track, settings: &[&[f64]]) -> Self {
        if track.config.race.learner == LearnerKind::Linear {
            let configs: Vec<LinearConfig> = settings.iter().map(|places| track.linear(places)).collect();
            let categories_max = track.config.categories_max;
            let population = LinearPopulation::new(&configs, categories_max, &track.shape);
            return Self::Together(Box::new(population));
        }
        Self::Apart(settings.iter().map(|places| track.learner(places)).collect())
    }

    /// Each learner predicts the examples into its own of `outs`, and learns them.
    pub fn learn(
        &mut self,
        examples: Examples<'_>,
        objective: Objective,
        context: &Context,
        outs: &mut [Predictions],
    ) {
        match self {
            Self::Apart(learners) => {
                for (learner, out) in learners.iter_mut().zip(outs) {
                    learner.learn(examples, context, out);
                }
            }
            Self::Together(population) => {
                let Examples { rows, targets, weights } = examples;
                outs.iter_mut().for_each(|out| out.reset(objective.outputs(), rows.len()));
                for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
                    population.learn(rows, row, (*target, *weight), outs);
                }
            }
        }
    }

    pub fn predict(&self, slot: usize, rows: &Rows, out: &mut Predictions) {
        match self {
            Self::Apart(learners) => learners[slot].predict(rows, out),
            Self::Together(population) => population.predict(slot, rows, out),
        }
    }

    pub fn publish(&mut self, slot: usize) -> Arc<dyn Predictor> {
        match self {
            Self::Apart(learners) => learners[slot].publish(),
            Self::Together(population) => population.publish(slot),
        }
    }

    /// A learner with new settings in slot `to`. It goes on from what the one in slot `from` has learned, where its
    /// settings allow that, and begins anew where they make it another model.
    pub fn enter(&mut self, track: &Track, from: usize, to: usize, places: &[f64]) {
        match self {
            Self::Apart(learners) => {
                let mut learner = track.learner(places);
                // On an error it is as untrained as before.
                let _begins_anew = learner.load(&learners[from].save()).is_err();
                learners[to] = learner;
            }
            Self::Together(population) => population.copy(from, to, &track.linear(places)),
        }
    }

    /// Of each learner `NN/`, or what the population has.
    pub fn save(&self) -> TensorMap {
        match self {
            Self::Apart(learners) => {
                let mut map = TensorMap::new();
                for (slot, learner) in learners.iter().enumerate() {
                    map.nest(&format!("{slot:02}"), learner.save());
                }
                map
            }
            Self::Together(population) => population.save(),
        }
    }

    /// Learners of these settings with what [`Field::save`] wrote.
    pub fn load(track: &Track, settings: &[&[f64]], state: &TensorMap) -> Result<Self, StateError> {
        match Self::new(track, settings) {
            Self::Apart(mut learners) => {
                for (slot, learner) in learners.iter_mut().enumerate() {
                    read_under(state, &format!("{slot:02}"), |state| learner.load(state))?;
                }
                Ok(Self::Apart(learners))
            }
            Self::Together(population) => {
                let configs: Vec<LinearConfig> = settings.iter().map(|places| track.linear(places)).collect();
                Ok(Self::Together(Box::new(population.load(&configs, state)?)))
            }
        }
    }
}
