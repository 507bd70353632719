use std::ops::Range;
use std::sync::Arc;

use super::forward::{BLOCK, Pass};
use super::inputs::{Encoded, Inputs};
use super::loss;
use super::network::Network;
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// What serving needs of a multi-layer perceptron: encoders, weights and the scale of the target, all plain data.
#[derive(Debug, Clone)]
pub struct MlpPredictor {
    pub(super) objective: Objective,
    pub(super) inputs: Inputs,
    pub(super) network: Arc<Network>,
    /// Statistics of a regression's target, as one column: the network learns targets of about unit size, whatever the
    /// unit of the label is.
    pub(super) target: Standardiser,
}

impl MlpPredictor {
    /// Reads what [`Predictor::save`] or the learner's `save` wrote, for a learner of that shape; hidden layers and
    /// categories are as many as were saved.
    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let inputs = read_under(state, "inputs", |state| {
            Inputs::load(shape, state.u32s("one_hot/column")?.len(), state)
        })?;
        let network = Network::load_any(inputs.width(), shape.objective.outputs(), state)?;
        Self::assemble(shape, inputs, network, state)
    }

    /// As [`Self::load`], for these hidden layers and so many categories a column at most.
    pub(super) fn load_exact(
        shape: &Shape,
        hidden: &[usize],
        categories_max: usize,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let inputs = read_under(state, "inputs", |state| Inputs::load(shape, categories_max, state))?;
        let network = Network::load(&sizes(&inputs, hidden, shape), state)?;
        Self::assemble(shape, inputs, network, state)
    }

    fn assemble(
        shape: &Shape,
        inputs: Inputs,
        network: Network,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let target = match shape.objective {
            Objective::Classify { .. } => Standardiser::new(1),
            Objective::Regress => read_under(state, "target", |state| Standardiser::load(1, state))?,
        };
        Ok(Self { objective: shape.objective, inputs, network: Arc::new(network), target })
    }

    /// Encodes some of the rows, passes them through the network and writes their predictions to their places in `out`.
    pub(super) fn predict_range(
        &self,
        rows: &Rows,
        range: Range<usize>,
        encoded: &mut Encoded,
        pass: &mut Pass,
        out: &mut Predictions,
    ) {
        self.inputs.encode(rows, range.clone(), encoded);
        self.network.forward(encoded.input(), pass);
        let outputs = out.outputs;
        for (row, values) in range.zip(pass.outputs().chunks_exact(outputs)) {
            let row = out.row_mut(row);
            row.copy_from_slice(values);
            loss::respond(self.objective, self.target.scaling(), row);
        }
    }
}

/// Inputs, hidden units, outputs.
pub(super) fn sizes(inputs: &Inputs, hidden: &[usize], shape: &Shape) -> Vec<usize> {
    [&[inputs.width()], hidden, &[shape.objective.outputs()]].concat()
}

impl Predictor for MlpPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.objective.outputs(), rows.len());
        let (mut encoded, mut pass) = (Encoded::default(), Pass::default());
        for start in (0..rows.len()).step_by(BLOCK) {
            let range = start..rows.len().min(start + BLOCK);
            self.predict_range(rows, range, &mut encoded, &mut pass, out);
        }
    }

    fn is_finite(&self) -> bool {
        self.network.is_finite() && self.inputs.is_finite() && self.target.scaling().is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = self.network.save();
        map.nest("inputs", self.inputs.save());
        if self.objective == Objective::Regress {
            map.nest("target", self.target.save());
        }
        map
    }
}
