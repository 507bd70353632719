use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData, activation::relu};

use super::forward::Input;
use super::native::memories;
use super::network::Network;
use super::optimiser::{Counts, SQUARES_MAX, Schedule, Step, WEIGHT_MAX};
use crate::config::{MlpConfig, Optimiser};
use crate::state::{StateError, TensorMap};

/// Where networks are trained; the one place that names a device.
fn device() -> Device {
    Device::flex()
}

/// The training side of a network by burn, on [`device`]: forward and backward passes and optimiser steps.
///
/// All parameters are one vector on the device, so that a step is a few large operations and one read, whatever the
/// number of layers.
#[derive(Debug)]
pub(super) struct TensorTrainer {
    sizes: Vec<usize>,
    schedule: Schedule,
    counts: Counts,
    parameters: Tensor<1>,
    first: Option<Tensor<1>>,
    second: Option<Tensor<1>>,
    batch: Batch,
}

/// The rows of the step that has begun: `[rows, inputs]` and `[rows, outputs]`.
#[derive(Debug, Default)]
struct Batch {
    rows: usize,
    inputs: Vec<f32>,
    slopes: Vec<f32>,
}

impl TensorTrainer {
    /// Starts from a network whose optimiser has not stepped yet.
    pub fn new(config: &MlpConfig, network: &Network) -> Self {
        let (schedule, parameters) = (Schedule::new(config), upload(network.to_flat()));
        Self {
            sizes: network.sizes(),
            first: schedule.keeps_first().then(|| parameters.zeros_like()),
            second: schedule.keeps_second().then(|| parameters.zeros_like()),
            counts: Counts::default(),
            batch: Batch::default(),
            schedule,
            parameters,
        }
    }

    pub fn begin(&mut self) {
        self.batch = Batch::default();
    }

    /// Adds rows to the step, with the slopes of the loss by their outputs, `[rows, outputs]`.
    pub fn accumulate(&mut self, input: Input<'_>, slopes: &[f32]) {
        let (width, numeric) = (self.sizes[0], input.numeric());
        let Batch { rows, inputs, slopes: all } = &mut self.batch;
        for (row, ones) in input.ones_by_row().enumerate() {
            let start = inputs.len();
            inputs.extend_from_slice(&input.dense[row * numeric..][..numeric]);
            inputs.resize(start + width, 0.0);
            for place in ones {
                inputs[start + place] = 1.0;
            }
        }
        *rows += input.rows;
        all.extend_from_slice(slopes);
    }

    /// Takes the step, and gives whether there was one: a gradient that is not finite changes nothing.
    pub fn finish(&mut self, network: &mut Arc<Network>) -> bool {
        let Batch { rows, inputs, slopes } = std::mem::take(&mut self.batch);
        let leaves: Vec<Tensor<2>> =
            self.matrices().into_iter().map(|leaf| leaf.autodiff().require_grad()).collect();
        let outputs =
            forward(Tensor::from_data(TensorData::new(inputs, [rows, self.sizes[0]]), &device()), &leaves);
        // The gradient of this sum by the outputs is the loss's, whatever the loss is. It is taken even where it is not
        // finite: burn keeps the memory of a graph that no backward pass has used up.
        let slopes = TensorData::new(slopes, [rows, self.sizes[self.sizes.len() - 1]]);
        let mut gradients = (outputs * Tensor::from_data(slopes, &device())).sum().backward();
        let flat = leaves.iter().map(|leaf| {
            let gradient =
                leaf.grad_remove(&mut gradients).expect("every parameter is used by the forward pass");
            gradient.flatten::<1>(0, 1)
        });
        let gradient = Tensor::cat(flat.collect(), 0);
        let square = (gradient.clone() * gradient.clone()).sum().into_scalar::<f32>();
        let Some(step) = self.schedule.step(self.counts, square) else {
            self.counts.refused += 1;
            return false;
        };
        self.counts.steps += 1;
        self.update(step, gradient);
        *network = Arc::new(Network::from_flat(&self.sizes, &download(&self.parameters)));
        true
    }

    fn update(&mut self, step: Step, gradient: Tensor<1>) {
        let gradient = gradient * step.clip;
        let direction = match self.schedule.optimiser {
            Optimiser::Sgd => gradient,
            Optimiser::Adagrad => {
                let second =
                    (take(&mut self.second) + gradient.clone() * gradient.clone()).clamp_max(SQUARES_MAX);
                self.second = Some(second.clone());
                gradient / (second.sqrt() + step.epsilon)
            }
            Optimiser::Adam => {
                let square = gradient.clone() * gradient.clone();
                let first = take(&mut self.first) * step.decay.0 + gradient * step.gain.0;
                let second = take(&mut self.second) * step.decay.1 + square * step.gain.1;
                (self.first, self.second) = (Some(first.clone()), Some(second.clone()));
                first / (second.sqrt() + step.epsilon)
            }
        };
        let moved = self.parameters.clone() * step.keep - direction * step.rate;
        self.parameters = moved.clamp(-WEIGHT_MAX, WEIGHT_MAX);
    }

    pub fn set_rate(&mut self, rate: f64) {
        self.schedule.set_rate(rate);
    }

    pub fn counts(&self) -> Counts {
        self.counts
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
        for memory in [&mut self.first, &mut self.second].into_iter().flatten() {
            *memory = insert(memory, &vec![0.0; end - start]);
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

    /// As the native trainer's.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        self.counts.save(&mut map);
        for (name, memory) in [("first", &self.first), ("second", &self.second)] {
            if let Some(memory) = memory {
                map.nest(name, Network::from_flat(&self.sizes, &download(memory)).save());
            }
        }
        map
    }

    /// Goes on from a network and what [`Self::save`], or the native trainer's, saved with it.
    pub fn load(config: &MlpConfig, network: &Network, state: &TensorMap) -> Result<Self, StateError> {
        let mut trainer = Self::new(config, network);
        trainer.counts = Counts::load(state)?;
        let (first, second) = memories(&trainer.schedule, &trainer.sizes, state)?;
        (trainer.first, trainer.second) =
            (first.map(|memory| upload(memory.to_flat())), second.map(|memory| upload(memory.to_flat())));
        Ok(trainer)
    }
}

fn take(memory: &mut Option<Tensor<1>>) -> Tensor<1> {
    memory.take().expect("what the optimiser keeps was made with the trainer")
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
