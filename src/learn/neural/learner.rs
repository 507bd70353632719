use std::ops::Range;
use std::sync::Arc;

use super::engine::Engine;
use super::forward::{BLOCK, Pass};
use super::inputs::{Encoded, Inputs};
use super::loss;
use super::network::Network;
use super::predictor::{MlpPredictor, sizes};
use crate::config::MlpConfig;
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// A multi-layer perceptron with ReLU units: softmax and cross-entropy for classes, squared error of the standardised
/// target for a regression. It steps in mini-batches, in the order of the examples.
///
/// **Order.** A mini-batch is encoded once, predicted and learned by one forward pass, and then shown to the encoders: it
/// is learned with the statistics from before it. A call's examples are taken in mini-batches of `step_rows_max`, the last
/// one shorter; with a `step_rows_max` of 1, how examples come in calls makes no difference.
///
/// **Bits.** With the native engine, equal calls give equal bits on every machine. With burn, for layers, mini-batches and
/// encoded rows of up to 512 they do on every CPU with the same SIMD level (beyond, its matrix product splits its sums by
/// the size of the cache). A step that is not finite leaves weights and optimiser alone.
///
/// An example whose weight is not above zero is predicted, not learned, as is one whose target is no class or not
/// finite.
#[derive(Debug)]
pub struct MlpLearner {
    config: MlpConfig,
    shape: Shape,
    categories_max: usize,
    seed: u64,
    /// What would be published now: `predict` and the predictor are the same code over the same weights.
    present: MlpPredictor,
    engine: Engine,
    scratch: Scratch,
}

/// The block of rows in work; carries nothing from one to the next.
#[derive(Debug, Default)]
struct Scratch {
    encoded: Encoded,
    pass: Pass,
    slopes: Vec<f32>,
}

impl MlpLearner {
    /// A learner that has seen nothing; its initial weights depend on the seed and the sizes only.
    pub fn new(config: &MlpConfig, seed: u64, categories_max: usize, shape: &Shape) -> Self {
        let inputs = Inputs::new(shape, categories_max);
        let network = Network::initial(&sizes(&inputs, &config.hidden, shape), inputs.active(), seed);
        Self {
            config: config.clone(),
            shape: shape.clone(),
            categories_max,
            seed,
            engine: Engine::new(config, &network),
            present: MlpPredictor {
                objective: shape.objective,
                inputs,
                network: Arc::new(network),
                target: Standardiser::new(1),
            },
            scratch: Scratch::default(),
        }
    }

    /// Steps that met what is not finite, and changed nothing.
    pub fn steps_refused(&self) -> u64 {
        self.engine.counts().refused
    }

    /// Predicts a mini-batch, then learns it.
    fn step(&mut self, examples: Examples<'_>, range: Range<usize>, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        let objective = self.shape.objective;
        let importance = |row: usize| objective.importance(targets[row], weights[row]);
        let learned = range.clone().filter(|row| importance(*row).is_some()).count();
        let share = 1.0 / learned as f32;
        let Self { present, engine, scratch, .. } = self;
        if learned > 0 {
            engine.begin(&present.network);
        }
        for start in range.clone().step_by(BLOCK) {
            let block = start..range.end.min(start + BLOCK);
            let Scratch { encoded, pass, slopes } = scratch;
            present.predict_range(rows, block.clone(), encoded, pass, out);
            if learned == 0 {
                continue;
            }
            slopes.clear();
            slopes.extend_from_slice(pass.outputs());
            for (row, slopes) in block.zip(slopes.chunks_exact_mut(objective.outputs())) {
                match importance(row) {
                    None => slopes.fill(0.0),
                    Some(weight) => {
                        let target = present.target.scaling();
                        loss::slopes(objective, target, out.row(row), targets[row], weight * share, slopes);
                    }
                }
            }
            engine.accumulate(encoded.input(), pass, slopes);
        }
        if learned == 0 {
            return;
        }
        engine.finish(&mut present.network);
        for row in range.filter(|row| importance(*row).is_some()) {
            self.present.inputs.observe(rows, row);
            if objective == Objective::Regress {
                self.present.target.observe(&[targets[row]]);
            }
        }
        self.grow();
    }

    /// Makes room in the network for the categories that were new.
    fn grow(&mut self) {
        let present = &mut self.present;
        let width = present.inputs.width();
        if present.network.layers[0].inputs != width {
            let network = Arc::make_mut(&mut present.network);
            network.grow(width, present.inputs.active(), self.seed);
            self.engine.grow(network);
        }
    }
}

impl Learner for MlpLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.present.predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let rows = examples.rows.len();
        out.reset(self.shape.objective.outputs(), rows);
        let step = self.config.step_rows_max.max(1);
        for start in (0..rows).step_by(step) {
            self.step(examples, start..rows.min(start + step), out);
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(self.present.clone())
    }

    fn save(&self) -> TensorMap {
        let mut map = self.present.save();
        map.nest("optimiser", self.engine.save());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let present = MlpPredictor::load_exact(&self.shape, &self.config.hidden, self.categories_max, state)?;
        let engine =
            read_under(state, "optimiser", |state| Engine::load(&self.config, &present.network, state))?;
        (self.present, self.engine) = (present, engine);
        Ok(())
    }

    fn set_pace(&mut self, times: f64) {
        self.engine.set_rate(self.config.rate * times);
    }
}
