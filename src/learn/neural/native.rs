use std::sync::Arc;

use macerator::{AutoArch, Simd, WithSimd};

use super::forward::{Input, Pass};
use super::kernels;
use super::network::Network;
use super::optimiser::{Counts, SQUARES_MAX, Schedule, Step, WEIGHT_MAX};
use crate::config::{MlpConfig, Optimiser};
use crate::learn::encode::read_under;
use crate::state::{StateError, TensorMap, at_least};

/// Numbers of which a running sum is kept each.
const LANES: usize = 16;

/// The training side of a network by hand: batched backward passes over flat arrays, optimiser steps in place.
///
/// Gradients are summed over blocks of rows, so that the memory of a step is bounded whatever its rows. What is
/// remembered from step to step has the form of the network that it belongs to.
#[derive(Debug)]
pub(super) struct NativeTrainer {
    schedule: Schedule,
    counts: Counts,
    first: Option<Network>,
    second: Option<Network>,
    scratch: Scratch,
}

/// Carries nothing from step to step.
#[derive(Debug)]
struct Scratch {
    gradient: Network,
    /// Of each layer but the first, its weights `[outputs, inputs]`.
    transposed: Vec<Vec<f32>>,
    /// Slopes of the loss by what a layer says, and by what it is told.
    slopes: Vec<f32>,
    before: Vec<f32>,
}

impl NativeTrainer {
    /// Starts from a network whose optimiser has not stepped yet.
    pub fn new(config: &MlpConfig, network: &Network) -> Self {
        let schedule = Schedule::new(config);
        Self {
            first: schedule.keeps_first().then(|| network.zeros_like()),
            second: schedule.keeps_second().then(|| network.zeros_like()),
            counts: Counts::default(),
            scratch: Scratch {
                gradient: network.zeros_like(),
                transposed: vec![Vec::new(); network.layers.len()],
                slopes: Vec::new(),
                before: Vec::new(),
            },
            schedule,
        }
    }

    /// Begins a step of `network`.
    pub fn begin(&mut self, network: &Network) {
        let Scratch { gradient, transposed, .. } = &mut self.scratch;
        for layer in &mut gradient.layers {
            layer.weights.fill(0.0);
            layer.bias.fill(0.0);
        }
        for (layer, out) in network.layers.iter().zip(transposed).skip(1) {
            out.resize(layer.weights.len(), 0.0);
            kernels::transpose(&layer.weights, layer.outputs, out);
        }
    }

    /// Adds the gradient of some rows: `pass` is what the network said of them, `slopes` are those of the loss by its
    /// outputs, `[rows, outputs]`.
    pub fn accumulate(&mut self, input: Input<'_>, pass: &Pass, slopes: &[f32]) {
        self.scratch.slopes.clear();
        self.scratch.slopes.extend_from_slice(slopes);
        AutoArch::new().dispatch(Backward { input, pass, scratch: &mut self.scratch });
    }

    /// Takes the step, and gives whether there was one: a gradient that is not finite changes nothing.
    pub fn finish(&mut self, network: &mut Arc<Network>) -> bool {
        let gradient = &self.scratch.gradient;
        let square = AutoArch::new().dispatch(SquareSum(gradient));
        let Some(step) = self.schedule.step(self.counts, square) else {
            self.counts.refused += 1;
            return false;
        };
        self.counts.steps += 1;
        AutoArch::new().dispatch(Update {
            optimiser: self.schedule.optimiser,
            step,
            network: Arc::make_mut(network),
            gradient,
            first: self.first.as_mut(),
            second: self.second.as_mut(),
        });
        true
    }

    pub fn set_rate(&mut self, rate: f64) {
        self.schedule.set_rate(rate);
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Makes room for the inputs that `network` got in its first layer.
    pub fn grow(&mut self, network: &Network) {
        let Some(layer) = network.layers.first() else { return };
        for other in [Some(&mut self.scratch.gradient), self.first.as_mut(), self.second.as_mut()] {
            other.into_iter().for_each(|other| other.grow_zeros(layer.inputs));
        }
    }

    /// `steps`, `refused`, and what is remembered, `first` and `second`, in the form of the network.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        self.counts.save(&mut map);
        for (name, memory) in [("first", &self.first), ("second", &self.second)] {
            memory.iter().for_each(|memory| map.nest(name, memory.save()));
        }
        map
    }

    /// Goes on from a network and what [`Self::save`] saved with it.
    pub fn load(config: &MlpConfig, network: &Network, state: &TensorMap) -> Result<Self, StateError> {
        let mut trainer = Self::new(config, network);
        trainer.counts = Counts::load(state)?;
        (trainer.first, trainer.second) = memories(&trainer.schedule, &network.sizes(), state)?;
        Ok(trainer)
    }
}

/// What a schedule remembers, `first` and `second`, as it was saved for a network of these sizes.
pub(super) fn memories(
    schedule: &Schedule,
    sizes: &[usize],
    state: &TensorMap,
) -> Result<(Option<Network>, Option<Network>), StateError> {
    let read = |name, wanted: bool, lowest: f64| {
        let read = || {
            read_under(state, name, |state| {
                let memory = Network::load(sizes, state)?;
                for (index, layer) in memory.layers.iter().enumerate() {
                    at_least(layer.weights.clone(), lowest, &format!("layers/{index}/weights"))?;
                    at_least(layer.bias.clone(), lowest, &format!("layers/{index}/bias"))?;
                }
                Ok(memory)
            })
        };
        wanted.then(read).transpose()
    };
    Ok((read("first", schedule.keeps_first(), f64::MIN)?, read("second", schedule.keeps_second(), 0.0)?))
}

struct Backward<'a> {
    input: Input<'a>,
    pass: &'a Pass,
    scratch: &'a mut Scratch,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { input, pass, scratch: Scratch { gradient, transposed, slopes, before } } = self;
        for (index, layer) in gradient.layers.iter_mut().enumerate().rev() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            for slopes in slopes.chunks_exact(outputs) {
                add(slopes, &mut layer.bias);
            }
            if index == 0 {
                let numeric = input.numeric();
                let dense = &mut layer.weights[..numeric * outputs];
                kernels::multiply_transposed(input.dense, slopes, outputs, dense);
                for (slopes, ones) in slopes.chunks_exact(outputs).zip(input.ones_by_row()) {
                    for place in ones {
                        add(slopes, &mut layer.weights[place * outputs..][..outputs]);
                    }
                }
                return;
            }
            let said = &pass.layers[index - 1];
            kernels::multiply_transposed(said, slopes, outputs, &mut layer.weights);
            before.clear();
            before.resize(said.len(), 0.0);
            kernels::multiply(slopes, &transposed[index], outputs, inputs, before);
            stop(before, said);
            std::mem::swap(slopes, before);
        }
    }
}

/// What a unit of ReLU hands on: nothing where it said nothing. Both sides are read whatever they are, so that the compiler
/// takes several at a time.
#[inline(always)]
fn stop(slopes: &mut [f32], said: &[f32]) {
    let (whole, rest) = slopes.as_chunks_mut::<LANES>();
    let (said, said_rest) = said.as_chunks::<LANES>();
    for (slopes, said) in whole.iter_mut().zip(said) {
        *slopes = std::array::from_fn(|lane| passed(slopes[lane], said[lane]));
    }
    for (slope, said) in rest.iter_mut().zip(said_rest) {
        *slope = passed(*slope, *said);
    }
}

#[inline(always)]
fn passed(slope: f32, said: f32) -> f32 {
    if said > 0.0 { slope } else { 0.0 }
}

#[inline(always)]
fn add(values: &[f32], sums: &mut [f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// The squared norm of a gradient.
struct SquareSum<'a>(&'a Network);

impl WithSimd for SquareSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self) -> f32 {
        let mut sums = [0.0; LANES];
        for values in self.0.layers.iter().flat_map(|layer| [&layer.weights, &layer.bias]) {
            let (whole, rest) = values.as_chunks::<LANES>();
            for values in whole {
                for lane in 0..LANES {
                    sums[lane] += values[lane] * values[lane];
                }
            }
            for (sum, value) in sums.iter_mut().zip(rest) {
                *sum += value * value;
            }
        }
        sums.iter().sum()
    }
}

struct Update<'a> {
    optimiser: Optimiser,
    step: Step,
    network: &'a mut Network,
    gradient: &'a Network,
    first: Option<&'a mut Network>,
    second: Option<&'a mut Network>,
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { optimiser, step, network, gradient, mut first, mut second } = self;
        for (index, (layer, gradient)) in network.layers.iter_mut().zip(&gradient.layers).enumerate() {
            for bias in [false, true] {
                let (first, second) = (part(&mut first, index, bias), part(&mut second, index, bias));
                let (values, gradient) = if bias {
                    (&mut layer.bias, &gradient.bias)
                } else {
                    (&mut layer.weights, &gradient.weights)
                };
                match optimiser {
                    Optimiser::Sgd => sgd(step, values, gradient),
                    Optimiser::Adagrad => adagrad(step, values, gradient, second),
                    Optimiser::Adam => adam(step, values, gradient, first, second),
                }
            }
        }
    }
}

/// What is remembered of a layer's weights or bias; nothing where nothing is.
#[inline(always)]
fn part<'a>(memory: &'a mut Option<&mut Network>, layer: usize, bias: bool) -> &'a mut [f32] {
    let layer = memory.as_mut().map(|memory| &mut memory.layers[layer]);
    layer.map_or(&mut [], |layer| if bias { &mut layer.bias } else { &mut layer.weights })
}

#[inline(always)]
fn sgd(step: Step, values: &mut [f32], gradient: &[f32]) {
    for (value, slope) in values.iter_mut().zip(gradient) {
        *value = moved(step, *value, slope * step.clip);
    }
}

#[inline(always)]
fn adagrad(step: Step, values: &mut [f32], gradient: &[f32], second: &mut [f32]) {
    for ((value, slope), second) in values.iter_mut().zip(gradient).zip(second) {
        let slope = slope * step.clip;
        let sum = *second + slope * slope;
        *second = if sum > SQUARES_MAX { SQUARES_MAX } else { sum };
        *value = moved(step, *value, slope / (second.sqrt() + step.epsilon));
    }
}

#[inline(always)]
fn adam(step: Step, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
    let memory = first.iter_mut().zip(second);
    for ((value, slope), (first, second)) in values.iter_mut().zip(gradient).zip(memory) {
        let slope = slope * step.clip;
        *first = *first * step.decay.0 + slope * step.gain.0;
        *second = *second * step.decay.1 + slope * slope * step.gain.1;
        *value = moved(step, *value, *first / (second.sqrt() + step.epsilon));
    }
}

#[inline(always)]
fn moved(step: Step, value: f32, direction: f32) -> f32 {
    let value = value * step.keep - direction * step.rate;
    let value = if value > WEIGHT_MAX { WEIGHT_MAX } else { value };
    if value < -WEIGHT_MAX { -WEIGHT_MAX } else { value }
}
