use std::ops::Range;

use crate::learn::counter::Counter;
use crate::state::{Dtype, StateError, Tensor, TensorMap};

/// A dense layer's plain weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    /// `[inputs, outputs]`, row by row.
    pub weights: Vec<f32>,
    /// `[outputs]`
    pub bias: Vec<f32>,
}

/// A multi-layer perceptron as plain data: dense layers with ReLU between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub layers: Vec<Layer>,
}

impl Network {
    /// Weights uniform with variance 2 / fan-in (He et al., 2015), zero biases: a function of seed and sizes only.
    ///
    /// `sizes` are inputs, hidden units, outputs. `active` is how many inputs are not zero in a row, which is the fan-in
    /// of the first layer: of a one-hot column only one is.
    pub fn initial(sizes: &[usize], active: usize, seed: u64) -> Self {
        let layer = |(index, pair): (usize, &[usize])| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let fan_in = if index == 0 { active } else { inputs };
            let weights = initial_weights(seed, index, fan_in, 0..inputs * outputs);
            Layer { inputs, outputs, weights, bias: vec![0.0; outputs] }
        };
        Self { layers: sizes.windows(2).enumerate().map(layer).collect() }
    }

    /// Gives the first layer further inputs, up to `inputs`, with the weights that they would have had from the start.
    pub fn grow(&mut self, inputs: usize, active: usize, seed: u64) {
        if let Some(first) = self.layers.first_mut() {
            first.weights.extend(initial_weights(
                seed,
                0,
                active,
                first.weights.len()..inputs * first.outputs,
            ));
            first.inputs = inputs;
        }
    }

    /// Inputs, hidden units, outputs.
    pub fn sizes(&self) -> Vec<usize> {
        let first = self.layers.first().map(|layer| layer.inputs);
        first.into_iter().chain(self.layers.iter().map(|layer| layer.outputs)).collect()
    }

    /// A network of the same sizes, all 0.
    pub fn zeros_like(&self) -> Self {
        let layer = |layer: &Layer| Layer {
            inputs: layer.inputs,
            outputs: layer.outputs,
            weights: vec![0.0; layer.weights.len()],
            bias: vec![0.0; layer.outputs],
        };
        Self { layers: self.layers.iter().map(layer).collect() }
    }

    /// Gives the first layer further inputs, up to `inputs`, all 0.
    pub fn grow_zeros(&mut self, inputs: usize) {
        if let Some(first) = self.layers.first_mut() {
            first.weights.resize(inputs * first.outputs, 0.0);
            first.inputs = inputs;
        }
    }

    pub fn is_finite(&self) -> bool {
        self.layers
            .iter()
            .all(|layer| layer.weights.iter().chain(&layer.bias).all(|weight| weight.is_finite()))
    }

    /// All weights in one vector: of each layer the weights, then the bias.
    pub fn to_flat(&self) -> Vec<f32> {
        self.layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.bias)).copied().collect()
    }

    /// The inverse of [`Self::to_flat`].
    pub fn from_flat(sizes: &[usize], mut flat: &[f32]) -> Self {
        let mut take = |len: usize| {
            let (head, tail) = flat.split_at(len);
            flat = tail;
            head.to_vec()
        };
        let layers = sizes.windows(2).map(|pair| {
            let (inputs, outputs) = (pair[0], pair[1]);
            Layer { inputs, outputs, weights: take(inputs * outputs), bias: take(outputs) }
        });
        Self { layers: layers.collect() }
    }

    /// `layers/N/weights` `[inputs, outputs]` and `layers/N/bias` `[outputs]`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let bytes = layer.weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
            let shape = vec![layer.inputs, layer.outputs];
            map.put(weights_path(index), Tensor { dtype: Dtype::F32, shape, bytes });
            map.put_f32(bias_path(index), &layer.bias);
        }
        map
    }

    /// A saved network of exactly these sizes.
    pub fn load(sizes: &[usize], state: &TensorMap) -> Result<Self, StateError> {
        let layers = sizes.windows(2).enumerate().map(|(index, pair)| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weights = shaped(state, &weights_path(index), &[inputs, outputs])?;
            let bias = shaped(state, &bias_path(index), &[outputs])?;
            Ok(Layer { inputs, outputs, weights, bias })
        });
        let layers: Vec<Layer> = layers.collect::<Result<_, StateError>>()?;
        match state.get(&weights_path(layers.len())) {
            Ok(further) => Err(StateError::Mismatch {
                path: weights_path(layers.len()),
                found: format!("a further layer of shape {:?}", further.shape),
                expected: format!("{} layers", layers.len()),
            }),
            Err(_) => Ok(Self { layers }),
        }
    }

    /// A saved network with so many inputs and outputs, its hidden layers as they were saved.
    pub fn load_any(inputs: usize, outputs: usize, state: &TensorMap) -> Result<Self, StateError> {
        let numbers = state
            .iter()
            .filter_map(|(path, _)| path.strip_prefix("layers/")?.split('/').next()?.parse().ok());
        let layers = numbers.max().map_or(0, |last: usize| last.saturating_add(1));
        let mut sizes = vec![inputs];
        for layer in 0..layers {
            sizes.push(state.get(&weights_path(layer))?.shape.last().copied().unwrap_or(0));
        }
        match sizes.len() {
            1 => sizes.push(outputs),
            layers => sizes[layers - 1] = outputs,
        }
        Self::load(&sizes, state)
    }
}

/// Initial weights at some places of a layer's `[inputs, outputs]`; each depends on its own place only.
fn initial_weights(seed: u64, layer: usize, fan_in: usize, places: Range<usize>) -> Vec<f32> {
    let bound = (6.0 / fan_in.max(1) as f32).sqrt();
    let stream = Counter::new(seed, layer as u64);
    places.map(|place| bound * stream.symmetric(place as u64)).collect()
}

fn weights_path(layer: usize) -> String {
    format!("layers/{layer}/weights")
}

fn bias_path(layer: usize) -> String {
    format!("layers/{layer}/bias")
}

fn shaped(state: &TensorMap, path: &str, shape: &[usize]) -> Result<Vec<f32>, StateError> {
    let found = &state.get(path)?.shape;
    if found != shape {
        return Err(StateError::Mismatch {
            path: path.into(),
            found: format!("of shape {found:?}"),
            expected: format!("shape {shape:?}"),
        });
    }
    state.f32s(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(sizes: &[usize]) -> Network {
        let mut network = Network::initial(sizes, sizes[0], 1);
        for layer in &mut network.layers {
            layer.bias = (0..layer.outputs).map(|at| 0.1 * at as f32 - 0.2).collect();
        }
        network
    }

    #[test]
    fn a_network_that_grew_is_the_one_that_was_always_as_large() {
        let mut network = Network::initial(&[3, 5, 2], 3, 9);
        network.grow(7, 3, 9);
        assert_eq!(network, Network::initial(&[7, 5, 2], 3, 9));
    }

    #[test]
    fn flat_and_back_is_the_same_network() {
        let network = sample(&[3, 5, 2]);
        assert_eq!(network.to_flat().len(), 3 * 5 + 5 + 5 * 2 + 2);
        assert_eq!(Network::from_flat(&network.sizes(), &network.to_flat()), network);
    }

    #[test]
    fn saved_hidden_layers_come_back_and_wrong_ends_are_named() {
        let network = sample(&[3, 5, 4, 2]);
        assert_eq!(Network::load_any(3, 2, &network.save()).unwrap(), network);
        let error =
            |inputs, outputs| Network::load_any(inputs, outputs, &network.save()).unwrap_err().to_string();
        assert_eq!(error(4, 2), "tensor \"layers/0/weights\" is of shape [3, 5], expected shape [4, 5]");
        assert_eq!(error(3, 3), "tensor \"layers/2/weights\" is of shape [4, 2], expected shape [4, 3]");
    }
}
