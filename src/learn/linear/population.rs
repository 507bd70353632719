use std::sync::Arc;

use super::frame::Frame;
use super::learner::publish;
use super::weights::Weights;
use crate::config::LinearConfig;
use crate::learn::encode::read_under;
use crate::learn::{Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// Linear models of different settings over the same rows: a row is read and encoded once, and all of them step on it.
/// Each says and learns, bit for bit, what it would alone.
#[derive(Debug, Clone)]
pub struct LinearPopulation {
    frame: Frame,
    members: Vec<(LinearConfig, Weights)>,
    scores: Vec<f32>,
}

impl LinearPopulation {
    /// Models that have seen nothing, one for each configuration.
    pub fn new(configs: &[LinearConfig], categories_max: usize, shape: &Shape) -> Self {
        let frame = Frame::new(categories_max, shape);
        let untrained = |config: &LinearConfig| {
            Weights::new(config, shape.numeric, frame.one_hot.places(), frame.scores())
        };
        Self {
            members: configs.iter().map(|config| (config.clone(), untrained(config))).collect(),
            scores: vec![0.0; configs.len()],
            frame,
        }
    }

    /// Each model predicts row `row` into its own of `outs`, `[outputs]`; then all learn it, if it can be learned.
    pub fn learn(&mut self, rows: &Rows, row: usize, (target, weight): (f32, f32), outs: &mut [Predictions]) {
        let Self { frame, members, scores } = self;
        let importance = frame.shape.objective.importance(target, weight);
        frame.encode(rows.numeric_row(row), rows.categorical_row(row), importance.is_some());
        let places = frame.one_hot.places();
        for (((_, weights), score), out) in members.iter_mut().zip(scores.iter_mut()).zip(&mut *outs) {
            weights.make_room(places, frame.scores());
            *score = frame.respond(weights, out.row_mut(row));
        }
        let Some(importance) = importance else { return };
        frame.observe_target(target);
        for (((_, weights), score), out) in members.iter_mut().zip(scores.iter()).zip(outs) {
            frame.step(weights, target, importance, (out.row(row), *score));
        }
    }

    /// What one model predicts.
    pub fn predict(&self, member: usize, rows: &Rows, out: &mut Predictions) {
        self.frame.forward(&self.members[member].1).predict(rows, out);
    }

    pub fn publish(&mut self, member: usize) -> Arc<dyn Predictor> {
        Arc::new(publish(&self.frame, &mut self.members[member].1))
    }

    /// Model `to` goes on from what model `from` has learned, with another configuration, whose step is of the same kind.
    pub fn copy(&mut self, from: usize, to: usize, config: &LinearConfig) {
        let mut weights = self.members[from].1.clone();
        weights.set(config);
        self.members[to] = (config.clone(), weights);
    }

    /// `numeric/`, `categorical/`, of a regression `target/`, and of each model `model/NN/`.
    pub fn save(&self) -> TensorMap {
        let mut map = self.frame.save();
        for (index, (_, weights)) in self.members.iter().enumerate() {
            map.nest(&format!("model/{index:02}"), weights.save());
        }
        map
    }

    /// Models for the same rows with what [`LinearPopulation::save`] wrote, of these configurations.
    pub fn load(&self, configs: &[LinearConfig], state: &TensorMap) -> Result<Self, StateError> {
        let frame = self.frame.load(state)?;
        let (numeric, places) = (frame.shape.numeric, frame.one_hot.places());
        let read = |(index, config): (usize, &LinearConfig)| {
            let weights = read_under(state, &format!("model/{index:02}"), |state| {
                Weights::load(config, numeric, places, frame.scores(), state)
            })?;
            Ok((config.clone(), weights))
        };
        let members = configs.iter().enumerate().map(read).collect::<Result<Vec<_>, StateError>>()?;
        Ok(Self { scores: vec![0.0; members.len()], members, frame })
    }
}
