use std::ops::Range;
use std::sync::Arc;

use super::inputs::Inputs;
use super::loss;
use super::network::Network;
use super::predictor::{MlpPredictor, sizes};
use super::trainer::Trainer;
use crate::config::MlpConfig;
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// A multi-layer perceptron with ReLU units: softmax and cross-entropy for classes, squared error of the standardised
/// target for a regression. It steps in mini-batches, in the order of the examples.
///
/// A mini-batch is first predicted, then shown to the encoders, then learned. Equal calls give equal bits; for layers,
/// mini-batches and encoded rows of up to 512 that holds on every CPU with the same SIMD level (beyond, burn's matrix
/// product splits its sums by the size of the cache). A step that is not finite leaves weights and optimiser alone.
#[derive(Debug)]
pub struct MlpLearner {
    config: MlpConfig,
    shape: Shape,
    categories_max: usize,
    seed: u64,
    /// What would be published now: `predict` and the predictor are the same code over the same weights.
    present: MlpPredictor,
    trainer: Trainer,
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
            trainer: Trainer::new(config, &network),
            present: MlpPredictor {
                objective: shape.objective,
                inputs,
                network: Arc::new(network),
                target: Standardiser::new(1),
            },
        }
    }

    /// Shows a mini-batch to the encoders, and makes room in the network for the categories that are new in it.
    fn observe(&mut self, rows: &Rows, range: Range<usize>, targets: &[f32]) {
        let present = &mut self.present;
        present.inputs.observe(rows, range);
        if self.shape.objective == Objective::Regress {
            targets.chunks_exact(1).for_each(|target| present.target.observe(target));
        }
        if present.network.sizes()[0] != present.inputs.width() {
            let network = Arc::make_mut(&mut present.network);
            network.grow(present.inputs.width(), present.inputs.active(), self.seed);
            self.trainer.grow(network);
        }
    }
}

impl Learner for MlpLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.present.predict(rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        let objective = self.shape.objective;
        out.reset(objective.outputs(), rows.len());
        let mut start = 0;
        while start < rows.len() {
            let range = start..rows.len().min(start + self.config.step_rows_max.max(1));
            start = range.end;
            let (targets, weights) = (&targets[range.clone()], &weights[range.clone()]);
            self.present.predict_range(rows, range.clone(), out);
            self.observe(rows, range.clone(), targets);
            let inputs = self.present.inputs.encode_matrix(rows, range.clone());
            let target = self.present.target.scaling();
            let stepped = self.trainer.step(inputs, range.len(), |outputs| {
                loss::gradient(objective, target, outputs, targets, weights);
            });
            if let Some(network) = stepped {
                self.present.network = Arc::new(network);
            }
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(self.present.clone())
    }

    fn save(&self) -> TensorMap {
        let mut map = self.present.save();
        map.nest("optimiser", self.trainer.save());
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let present = MlpPredictor::load_exact(&self.shape, &self.config.hidden, self.categories_max, state)?;
        let trainer =
            read_under(state, "optimiser", |state| Trainer::load(&self.config, &present.network, state))?;
        (self.present, self.trainer) = (present, trainer);
        Ok(())
    }
}
