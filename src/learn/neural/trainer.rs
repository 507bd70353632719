use burn::tensor::{Device, Tensor, TensorData, activation::relu};

use super::network::Network;
use super::optimiser::{Moments, OptimiserState};
use crate::config::{MlpConfig, Optimiser};
use crate::learn::encode::read_under;
use crate::state::{StateError, TensorMap};

/// Where networks are trained; the one place that names a device.
fn device() -> Device {
    Device::flex()
}

/// The training side of a network: forward and backward passes and optimiser steps by burn, on [`device`].
///
/// All parameters are one vector on the device, so that a step is a few large operations and one read, whatever the
/// number of layers.
#[derive(Debug)]
pub(super) struct Trainer {
    sizes: Vec<usize>,
    rate: f64,
    parameters: Tensor<1>,
    optimiser: OptimiserState,
}

impl Trainer {
    /// Starts from a network whose optimiser has not stepped yet.
    pub fn new(config: &MlpConfig, network: &Network) -> Self {
        let parameters = upload(network.to_flat());
        let optimiser = OptimiserState::new(config.optimiser, &parameters);
        Self { sizes: network.sizes(), rate: config.rate, parameters, optimiser }
    }

    /// One optimiser step on encoded rows `[rows, inputs]`.
    ///
    /// `gradient` turns the outputs `[rows, outputs]` in place into the loss's gradient by them. Returns the
    /// network after the step; a step that would meet or leave anything but finite numbers changes nothing and returns
    /// none.
    pub fn step(
        &mut self,
        inputs: Vec<f32>,
        rows: usize,
        gradient: impl FnOnce(&mut [f32]),
    ) -> Option<Network> {
        let leaves: Vec<Tensor<2>> =
            self.matrices().into_iter().map(|leaf| leaf.autodiff().require_grad()).collect();
        let outputs =
            forward(Tensor::from_data(TensorData::new(inputs, [rows, self.sizes[0]]), &device()), &leaves);

        let mut slopes = outputs.clone().inner().into_data();
        gradient(slopes.as_mut_slice().expect("the device computes in f32"));
        // The gradient of this sum by the outputs is the loss's, whatever the loss is. It is taken even where it is not
        // finite, and then shows in the new biases: burn keeps the memory of a graph that no backward pass has used up.
        let mut gradients = (outputs * Tensor::from_data(slopes, &device())).sum().backward();
        let flat = leaves.iter().map(|leaf| {
            let gradient =
                leaf.grad_remove(&mut gradients).expect("every parameter is used by the forward pass");
            gradient.flatten::<1>(0, 1)
        });
        let gradient = Tensor::cat(flat.collect(), 0);

        let (parameters, optimiser) = self.optimiser.step(self.parameters.clone(), gradient, self.rate);
        let network = Network::from_flat(&self.sizes, &download(&parameters));
        if !network.is_finite() || !optimiser.is_finite() {
            return None;
        }
        (self.parameters, self.optimiser) = (parameters, optimiser);
        Some(network)
    }

    /// Takes over the inputs that `network` got in its first layer; its other weights are those that the trainer has.
    pub fn grow(&mut self, network: &Network) {
        let Some(first) = network.layers.first() else { return };
        let (start, end) = (self.sizes[0] * first.outputs, first.inputs * first.outputs);
        let insert = |values: &Tensor<1>, further: &[f32]| {
            let head = values.clone().slice(0..start);
            Tensor::cat(
                vec![head, upload(further.to_vec()), values.clone().slice(start..values.dims()[0])],
                0,
            )
        };
        self.parameters = insert(&self.parameters, &first.weights[start..end]);
        if let OptimiserState::Adam(moments) = &mut self.optimiser {
            let zeros = vec![0.0; end - start];
            moments.first = insert(&moments.first, &zeros);
            moments.second = insert(&moments.second, &zeros);
        }
        self.sizes[0] = first.inputs;
    }

    /// The parameters as matrices: of each layer the weights `[inputs, outputs]`, then the bias `[1, outputs]`.
    fn matrices(&self) -> Vec<Tensor<2>> {
        let mut start = 0;
        let mut take = |rows: usize, columns: usize| {
            let part = self.parameters.clone().slice(start..start + rows * columns);
            start += rows * columns;
            part.reshape([rows, columns])
        };
        self.sizes.windows(2).flat_map(|pair| [take(pair[0], pair[1]), take(1, pair[1])]).collect()
    }

    /// `steps`, and the moments `first` and `second` in the form of the network that they belong to.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        if let OptimiserState::Adam(moments) = &self.optimiser {
            let Moments { steps, first, second } = moments.as_ref();
            map.put_u64_one("steps", *steps);
            map.nest("first", Network::from_flat(&self.sizes, &download(first)).save());
            map.nest("second", Network::from_flat(&self.sizes, &download(second)).save());
        }
        map
    }

    /// Goes on from a network and what [`Self::save`] saved with it.
    pub fn load(config: &MlpConfig, network: &Network, state: &TensorMap) -> Result<Self, StateError> {
        let mut trainer = Self::new(config, network);
        if config.optimiser == Optimiser::Adam {
            let moment = |name| {
                let moment = read_under(state, name, |state| Network::load(&trainer.sizes, state))?;
                Ok::<_, StateError>(upload(moment.to_flat()))
            };
            let (first, second) = (moment("first")?, moment("second")?);
            trainer.optimiser =
                OptimiserState::Adam(Box::new(Moments { steps: state.u64_one("steps")?, first, second }));
        }
        Ok(trainer)
    }
}

fn forward(inputs: Tensor<2>, leaves: &[Tensor<2>]) -> Tensor<2> {
    let last = leaves.len() / 2 - 1;
    leaves.chunks_exact(2).enumerate().fold(inputs, |values, (index, layer)| {
        let sums = values.matmul(layer[0].clone()) + layer[1].clone();
        if index < last { relu(sums) } else { sums }
    })
}

fn upload(values: Vec<f32>) -> Tensor<1> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), &device())
}

fn download(values: &Tensor<1>) -> Vec<f32> {
    values.to_data().as_slice::<f32>().expect("the device computes in f32").to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 4] = [3, 5, 4, 2];
    const ROWS: usize = 6;

    fn config(optimiser: Optimiser) -> MlpConfig {
        MlpConfig { hidden: vec![5, 4], optimiser, rate: 0.05, step_rows_max: 256 }
    }

    fn inputs(step: usize) -> Vec<f32> {
        (0..ROWS * SIZES[0]).map(|at| ((at * 7 + step * 5) % 11) as f32 / 5.0 - 1.0).collect()
    }

    /// The gradient by the outputs, of half the squared distance from 1, mean over the rows.
    fn distance(outputs: &mut [f32]) {
        outputs.iter_mut().for_each(|value| *value = (*value - 1.0) / ROWS as f32);
    }

    /// The loss of [`distance`] in `f64`, by the definition.
    fn loss(flat: &[f64], inputs: &[f32]) -> f64 {
        let mut total = 0.0;
        for row in inputs.chunks_exact(SIZES[0]) {
            let mut values: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
            let mut start = 0;
            for (index, pair) in SIZES.windows(2).enumerate() {
                let bias = start + pair[0] * pair[1];
                values = (0..pair[1])
                    .map(|out| {
                        let products = (0..pair[0]).map(|at| values[at] * flat[start + at * pair[1] + out]);
                        let sum = products.sum::<f64>() + flat[bias + out];
                        if index < 2 { sum.max(0.0) } else { sum }
                    })
                    .collect();
                start = bias + pair[1];
            }
            total += values.iter().map(|value| (value - 1.0).powi(2) / 2.0).sum::<f64>() / ROWS as f64;
        }
        total
    }

    fn slopes(flat: &[f64], inputs: &[f32]) -> Vec<f64> {
        let nudged = |at: usize, by: f64| {
            let mut flat = flat.to_vec();
            flat[at] += by;
            loss(&flat, inputs)
        };
        (0..flat.len()).map(|at| (nudged(at, 1e-6) - nudged(at, -1e-6)) / 2e-6).collect()
    }

    /// Steps a trainer and, by the textbook in `f64`, a vector; compares them after each step.
    fn compare(optimiser: Optimiser, textbook: impl Fn(i32, &mut [f64; 2], f64) -> f64) {
        let network = Network::initial(&SIZES, SIZES[0], 4);
        let mut trainer = Trainer::new(&config(optimiser), &network);
        let mut expected: Vec<f64> = network.to_flat().into_iter().map(f64::from).collect();
        let mut memory = vec![[0.0; 2]; expected.len()];
        for step in 1..=4 {
            let gradient = slopes(&expected, &inputs(step));
            assert!(gradient.iter().filter(|slope| slope.abs() > 1e-3).count() > expected.len() / 2);
            for ((value, memory), slope) in expected.iter_mut().zip(&mut memory).zip(gradient) {
                *value -= 0.05 * textbook(step as i32, memory, slope);
            }
            let network = trainer.step(inputs(step), ROWS, distance).unwrap();
            for (value, expected) in network.to_flat().iter().zip(&expected) {
                assert!((f64::from(*value) - expected).abs() < 2e-5, "step {step}: {value} {expected}");
            }
        }
    }

    #[test]
    fn sgd_steps_are_the_textbooks() {
        compare(Optimiser::Sgd, |_, _, slope| slope);
    }

    #[test]
    fn adam_steps_are_the_papers() {
        // Algorithm 1 of Kingma and Ba (2015).
        compare(Optimiser::Adam, |step, [first, second], slope| {
            *first = 0.9 * *first + 0.1 * slope;
            *second = 0.999 * *second + 0.001 * slope * slope;
            let (first, second) =
                (*first / (1.0 - 0.9_f64.powi(step)), *second / (1.0 - 0.999_f64.powi(step)));
            first / (second.sqrt() + 1e-8)
        });
    }

    #[test]
    fn growing_keeps_weights_and_moments_of_the_inputs_that_were_there() {
        let mut network = Network::initial(&SIZES, 3, 4);
        let mut trainer = Trainer::new(&config(Optimiser::Adam), &network);
        network = trainer.step(inputs(0), ROWS, distance).unwrap();
        let before = trainer.save();
        network.grow(5, 3, 4);
        trainer.grow(&network);
        assert_eq!(download(&trainer.parameters), network.to_flat());
        let after = trainer.save();
        let path = "first/layers/0/weights";
        let (old, new) = (before.f32s(path).unwrap(), after.f32s(path).unwrap());
        assert_eq!((&new[..15], &new[15..]), (&old[..], &[0.0; 10][..]));
        assert_eq!(
            after.get("second/layers/1/weights").unwrap(),
            before.get("second/layers/1/weights").unwrap()
        );
    }
}
