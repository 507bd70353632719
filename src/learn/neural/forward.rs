use macerator::{AutoArch, Simd, WithSimd};

use super::kernels;
use super::network::{Layer, Network};

/// A unit says at most this, so that no input and no weights make a sum infinite.
const UNIT_MAX: f32 = 1e6;

/// Rows that are worked on together; more make nothing faster, and take memory.
pub(super) const BLOCK: usize = 256;

/// Encoded rows: dense values, then the places of the ones among the remaining inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub rows: usize,
    /// `[rows, numeric]`
    pub dense: &'a [f32],
    /// `[rows, columns]`
    pub ones: &'a [usize],
}

impl Input<'_> {
    /// Dense values of a row.
    pub fn numeric(&self) -> usize {
        self.dense.len() / self.rows.max(1)
    }

    /// The places of the ones of each row.
    pub fn ones_by_row(&self) -> impl Iterator<Item = &[usize]> {
        let columns = self.ones.len() / self.rows.max(1);
        (0..self.rows).map(move |row| &self.ones[row * columns..][..columns])
    }
}

/// What every layer says of some rows, `[rows, outputs]` each; reused from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub layers: Vec<Vec<f32>>,
}

impl Pass {
    /// The network's outputs, `[rows, outputs]`.
    pub fn outputs(&self) -> &[f32] {
        self.layers.last().map_or(&[], Vec::as_slice)
    }
}

impl Network {
    /// The forward pass. A row's outputs do not depend on the rows beside it: each sum is the bias, the weights of the
    /// ones, then a chain of fused multiply-adds in the order of the inputs.
    pub fn forward(&self, input: Input<'_>, pass: &mut Pass) {
        pass.layers.resize_with(self.layers.len(), Vec::new);
        AutoArch::new().dispatch(Forward { network: self, input, pass });
    }
}

struct Forward<'a> {
    network: &'a Network,
    input: Input<'a>,
    pass: &'a mut Pass,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { network, input, pass } = self;
        let last = network.layers.len().saturating_sub(1);
        for (index, layer) in network.layers.iter().enumerate() {
            let (before, rest) = pass.layers.split_at_mut(index);
            let out = &mut rest[0];
            out.resize(input.rows * layer.outputs, 0.0);
            match before.last() {
                None => affine(layer, input, out),
                Some(values) => affine(layer, Input { rows: input.rows, dense: values, ones: &[] }, out),
            }
            if index < last {
                rectify(out);
            }
        }
    }
}

#[inline(always)]
fn affine(layer: &Layer, input: Input<'_>, out: &mut [f32]) {
    let (width, numeric) = (layer.outputs, input.numeric());
    for (out, ones) in out.chunks_exact_mut(width).zip(input.ones_by_row()) {
        out.copy_from_slice(&layer.bias);
        for place in ones {
            for (sum, weight) in out.iter_mut().zip(&layer.weights[place * width..][..width]) {
                *sum += weight;
            }
        }
    }
    kernels::multiply(input.dense, &layer.weights[..numeric * width], numeric, width, out);
}

/// ReLU, bounded above; not by `max`, which would hide a NaN.
#[inline(always)]
fn rectify(values: &mut [f32]) {
    for value in values {
        let positive = if *value < 0.0 { 0.0 } else { *value };
        *value = if positive > UNIT_MAX { UNIT_MAX } else { positive };
    }
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
    fn the_forward_pass_is_the_definition_alone_and_among_other_rows() {
        for sizes in [vec![3, 2], vec![5, 16, 1], vec![4, 15, 17, 3], vec![2, 32, 33, 16], vec![7, 130, 5]] {
            let network = sample(&sizes);
            let (numeric, place, outputs) = (sizes[0] - 1, sizes[0] - 1, sizes[sizes.len() - 1]);
            let rows = 13;
            let dense: Vec<f32> = (0..rows * numeric).map(|at| 0.7 - 0.5 * (at % 9) as f32).collect();
            let ones = vec![place; rows];
            let mut pass = Pass::default();
            network.forward(Input { rows, dense: &dense, ones: &ones }, &mut pass);
            for (row, out) in pass.outputs().chunks_exact(outputs).enumerate() {
                let dense = &dense[row * numeric..][..numeric];
                let mut alone = Pass::default();
                network.forward(Input { rows: 1, dense, ones: &[place] }, &mut alone);
                assert_eq!(alone.outputs(), out);
                let encoded: Vec<f32> = dense.iter().copied().chain([1.0]).collect();
                for (value, expected) in out.iter().zip(reference(&network, &encoded)) {
                    assert!((f64::from(*value) - expected).abs() < 1e-4, "{sizes:?}: {value} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_weight_that_is_not_a_number_shows_in_the_answer_and_the_gate() {
        let mut network = sample(&[2, 4, 2]);
        assert!(network.is_finite());
        network.layers[0].weights[0] = f32::NAN;
        let mut pass = Pass::default();
        network.forward(Input { rows: 1, dense: &[1.0, 1.0], ones: &[] }, &mut pass);
        assert!(pass.outputs().iter().all(|value| value.is_nan()));
        assert!(!network.is_finite());
    }

    #[test]
    fn weights_of_any_size_that_training_can_reach_leave_the_outputs_finite() {
        let mut network = sample(&[2, 8, 8, 8, 2]);
        for layer in &mut network.layers {
            layer.weights.fill(1e6);
        }
        let mut pass = Pass::default();
        network.forward(Input { rows: 1, dense: &[8.0, 8.0], ones: &[] }, &mut pass);
        assert!(pass.outputs().iter().all(|value| value.is_finite()));
    }
}
