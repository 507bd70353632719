use std::ops::Range;

use crate::learn::counter::Counter;
use crate::state::{Dtype, StateError, Tensor, TensorMap};

/// Outputs whose sums are kept in registers together.
const TILE: usize = 16;

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
///
/// Its forward pass sums in the order of the inputs, each product rounded before it is added, so that it gives the same
/// bits at every vector width and for every grouping of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub layers: Vec<Layer>,
}

/// An encoded row: dense values, then the places of the ones among the remaining inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub dense: &'a [f32],
    pub ones: &'a [usize],
}

impl Layer {
    /// `bias + input · weights`
    fn affine(&self, input: Input<'_>, out: &mut [f32]) {
        let mut start = 0;
        for tile in out.chunks_mut(TILE) {
            match <&mut [f32; TILE]>::try_from(&mut *tile) {
                Ok(tile) => self.affine_tile(input, start, tile),
                Err(_) => self.affine_rest(input, start, tile),
            }
            start += TILE;
        }
    }

    fn affine_tile(&self, input: Input<'_>, start: usize, out: &mut [f32; TILE]) {
        let tile = |from: usize, values: &[f32]| -> [f32; TILE] {
            *values[from..].first_chunk().expect("a whole tile lies within the layer's outputs")
        };
        let mut sums = tile(start, &self.bias);
        for (value, row) in input.dense.iter().zip(self.weights.chunks_exact(self.outputs)) {
            let weights = tile(start, row);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
        for row in input.ones {
            let weights = tile(row * self.outputs + start, &self.weights);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        *out = sums;
    }

    fn affine_rest(&self, input: Input<'_>, start: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.bias[start..]);
        for (value, row) in input.dense.iter().zip(self.weights.chunks_exact(self.outputs)) {
            for (sum, weight) in out.iter_mut().zip(&row[start..]) {
                *sum += value * weight;
            }
        }
        for row in input.ones {
            for (sum, weight) in out.iter_mut().zip(&self.weights[row * self.outputs + start..]) {
                *sum += weight;
            }
        }
    }
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

    /// Outputs of one row into `out`; `scratch` is reused from row to row.
    pub fn forward(&self, input: Input<'_>, scratch: &mut [Vec<f32>; 2], out: &mut [f32]) {
        let Some((last, hidden)) = self.layers.split_last() else { return };
        let [current, next] = scratch;
        for (index, layer) in hidden.iter().enumerate() {
            next.resize(layer.outputs, 0.0);
            layer.affine(if index == 0 { input } else { Input { dense: current, ones: &[] } }, next);
            for value in next.iter_mut() {
                // Not `max`, which would hide a NaN.
                *value = if *value < 0.0 { 0.0 } else { *value };
            }
            std::mem::swap(current, next);
        }
        last.affine(if hidden.is_empty() { input } else { Input { dense: current, ones: &[] } }, out);
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
        let mut sizes = vec![inputs];
        while let Ok(tensor) = state.get(&weights_path(sizes.len() - 1)) {
            sizes.push(tensor.shape.last().copied().unwrap_or(0));
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

    /// Row by row and place by place in `f64`, as the definition says.
    fn reference(network: &Network, input: &[f32]) -> Vec<f64> {
        let mut values: Vec<f64> = input.iter().map(|value| f64::from(*value)).collect();
        for (index, layer) in network.layers.iter().enumerate() {
            values = (0..layer.outputs)
                .map(|out| {
                    let sum: f64 = (0..layer.inputs)
                        .map(|at| values[at] * f64::from(layer.weights[at * layer.outputs + out]))
                        .sum();
                    let sum = sum + f64::from(layer.bias[out]);
                    if index + 1 < network.layers.len() { sum.max(0.0) } else { sum }
                })
                .collect();
        }
        values
    }

    fn sample(sizes: &[usize]) -> Network {
        let mut network = Network::initial(sizes, sizes[0], 1);
        for layer in &mut network.layers {
            layer.bias = (0..layer.outputs).map(|at| 0.1 * at as f32 - 0.2).collect();
        }
        network
    }

    #[test]
    fn the_forward_pass_is_the_definition_for_widths_around_the_tile() {
        for sizes in [vec![3, 2], vec![5, 16, 1], vec![4, 15, 17, 3], vec![2, 32, 33, 16]] {
            let network = sample(&sizes);
            let (numeric, place) = (sizes[0] - 1, sizes[0] - 1);
            let dense: Vec<f32> = (0..numeric).map(|at| 0.7 - 0.5 * at as f32).collect();
            let mut out = vec![0.0; sizes[sizes.len() - 1]];
            network.forward(Input { dense: &dense, ones: &[place] }, &mut Default::default(), &mut out);
            let encoded: Vec<f32> = dense.iter().copied().chain([1.0]).collect();
            for (value, expected) in out.iter().zip(reference(&network, &encoded)) {
                assert!((f64::from(*value) - expected).abs() < 1e-5, "{sizes:?}: {value} {expected}");
            }
        }
    }

    #[test]
    fn a_weight_that_is_not_a_number_shows_in_the_answer_and_the_gate() {
        let mut network = sample(&[2, 4, 2]);
        assert!(network.is_finite());
        network.layers[0].weights[0] = f32::NAN;
        let mut out = [0.0; 2];
        network.forward(Input { dense: &[1.0, 1.0], ones: &[] }, &mut Default::default(), &mut out);
        assert!(out.iter().all(|value| value.is_nan()));
        assert!(!network.is_finite());
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
