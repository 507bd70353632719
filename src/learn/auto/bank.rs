//! A population of linear models over one vector of inputs: all step by the gradient, each at its own rate.
//!
//! No rate is best on every stream; a stack of all is nearly as good as the best (see `stack`), and one pass over the
//! inputs serves all.

use super::scores::{self, floats, pull};
use crate::learn::Objective;
use crate::learn::linear::forward::dot;
use crate::state::{StateError, TensorMap};

/// How a model of a bank steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rate {
    /// A constant rate, damped so that no step overshoots (Kulis and Bartlett, "Implicit online learning", 2010).
    Constant(f32),
    /// A rate a weight that falls with its gradients (Duchi, Hazan and Singer, 2011).
    AdaGrad(f32),
}

/// The weights.
#[derive(Debug, Clone)]
pub(super) struct Bank {
    objective: Objective,
    /// Inputs of a row; a multiple of eight.
    stride: usize,
    rates: Vec<Rate>,
    /// `[models, scores, stride]`.
    weights: Vec<f32>,
}

/// What learning needs beside.
#[derive(Debug, Clone)]
pub(super) struct BankTraining {
    /// Sums of squared gradients, as the weights.
    squares: Vec<f32>,
    residuals: Vec<f32>,
    room: Vec<f32>,
}

impl Bank {
    pub fn new(objective: Objective, stride: usize, rates: &[Rate]) -> (Self, BankTraining) {
        let scores = scores::scores(objective);
        let len = rates.len() * scores * stride;
        let training =
            BankTraining { squares: vec![0.0; len], residuals: vec![0.0; scores], room: vec![0.0; scores] };
        (Self { objective, stride, rates: rates.to_vec(), weights: vec![0.0; len] }, training)
    }

    pub fn models(&self) -> usize {
        self.rates.len()
    }

    /// The scores of each model, `[models, scores]`, into `out`.
    #[inline]
    pub fn forward(&self, inputs: &[f32], out: &mut [f32]) {
        for (out, weights) in out.iter_mut().zip(self.weights.chunks_exact(self.stride)) {
            *out = dot(weights, inputs);
        }
    }

    /// Steps every model, whose scores were `said`, towards a target.
    pub fn learn(
        &mut self,
        training: &mut BankTraining,
        inputs: &[f32],
        said: &[f32],
        target: f32,
        importance: f32,
    ) {
        let BankTraining { squares, residuals, room } = training;
        let (scores, stride) = (residuals.len(), self.stride);
        let norm = dot(inputs, inputs);
        for (model, rate) in self.rates.iter().enumerate() {
            let said = &said[model * scores..(model + 1) * scores];
            let curvature = pull(self.objective, said, target, room, residuals);
            for (score, residual) in residuals.iter().enumerate() {
                let at = (model * scores + score) * stride;
                let weights = &mut self.weights[at..at + stride];
                match *rate {
                    Rate::Constant(rate) => {
                        let rate = rate * importance;
                        let step = rate * residual / (1.0 + rate * curvature * norm);
                        weights.iter_mut().zip(inputs).for_each(|(weight, x)| *weight += step * x);
                    }
                    Rate::AdaGrad(rate) => {
                        let squares = &mut squares[at..at + stride];
                        let pull = residual * importance.min(8.0);
                        for ((weight, square), x) in weights.iter_mut().zip(squares).zip(inputs) {
                            let gradient = pull * x;
                            *square += gradient * gradient;
                            *weight += rate * gradient / (*square + 1e-6).sqrt();
                        }
                    }
                }
            }
        }
    }

    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("weights", &self.weights);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.weights = floats(state, "weights", self.weights.len())?;
        Ok(())
    }
}

impl BankTraining {
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("squares", &self.squares);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.squares = floats(state, "squares", self.squares.len())?;
        Ok(())
    }
}
