use super::chunks::Flat;
use super::forward::{Forward, stride};
use super::weights::{Pull, Weights};
use super::{response, step};
use crate::learn::encode::{OneHot, Standardiser, read_under};
use crate::learn::{Objective, Shape};
use crate::state::{StateError, TensorMap};

/// What linear models of the same rows share whatever their weights: the encoders, and the example in work.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub shape: Shape,
    categories_max: usize,
    pub standardiser: Standardiser,
    pub one_hot: OneHot,
    /// Of the target, for a regression.
    pub target: Option<Standardiser>,
    scratch: Scratch,
}

/// The example in work; carries nothing from one to the next.
#[derive(Debug, Clone)]
struct Scratch {
    row: Vec<f32>,
    places: Vec<usize>,
    pull: Vec<f32>,
}

impl Frame {
    pub fn new(categories_max: usize, shape: &Shape) -> Self {
        Self {
            shape: shape.clone(),
            categories_max,
            standardiser: Standardiser::new(shape.numeric),
            one_hot: OneHot::new(shape.categorical, categories_max),
            target: (shape.objective == Objective::Regress).then(|| Standardiser::new(1)),
            scratch: Scratch {
                row: vec![0.0; stride(shape.numeric)],
                places: vec![0; shape.categorical],
                pull: vec![1.0; response::scores(shape.objective)],
            },
        }
    }

    pub fn scores(&self) -> usize {
        self.scratch.pull.len()
    }

    pub fn forward<'a>(&'a self, weights: &'a Weights) -> Forward<'a, Flat> {
        Forward {
            objective: self.shape.objective,
            scaling: self.standardiser.scaling(),
            one_hot: &self.one_hot,
            target: self.target.as_ref().map(Standardiser::scaling),
            dense: &weights.dense,
            categories: &weights.categories,
        }
    }

    /// Standardises a row and finds the places of its categories, and takes the row into the statistics if it is to be
    /// learned; then new categories claim their places, for which weights have to make room.
    #[inline]
    pub fn encode(&mut self, numeric: &[f32], categorical: &[u64], is_learned: bool) {
        self.standardiser.scaling().apply_with_bias(numeric, &mut self.scratch.row);
        let places = self.scratch.places.iter_mut().zip(categorical).enumerate();
        for (column, (place, category)) in places {
            *place = if is_learned {
                self.one_hot.claim(column, *category)
            } else {
                self.one_hot.place(column, *category)
            };
        }
        if is_learned {
            // The row is encoded already. Here rather than last, the processor does it beside the score.
            self.standardiser.observe(numeric);
        }
    }

    /// Predicts the encoded row into `out`; gives the score where there is only one.
    #[inline]
    pub fn respond(&self, weights: &Weights, out: &mut [f32]) -> f32 {
        let places = self.scratch.places.iter().copied();
        self.forward(weights).respond(&self.scratch.row, places, out)
    }

    /// Takes the target of the encoded row into its statistics: after all predictions and before the first step.
    #[inline]
    pub fn observe_target(&mut self, target: f32) {
        if let Some(standardiser) = &mut self.target {
            standardiser.observe(&[target]);
        }
    }

    /// Steps on the encoded row, of which `out` and the score are what [`Frame::respond`] gave.
    #[inline]
    pub fn step(&mut self, weights: &mut Weights, target: f32, importance: f32, (out, score): (&[f32], f32)) {
        match &self.target {
            None => self.step_class(weights, target as usize, importance, out),
            Some(standardiser) => {
                let mut standardised = [0.0];
                standardiser.scaling().apply(&[target], &mut standardised);
                self.step_value(weights, standardised[0] - score, importance);
            }
        }
    }

    #[inline]
    fn step_class(&mut self, weights: &mut Weights, class: usize, importance: f32, probabilities: &[f32]) {
        let Scratch { row, places, pull } = &mut self.scratch;
        let likely = probabilities[class];
        let unlikely = if let [pull] = pull.as_mut_slice() {
            *pull = if class == 1 { 1.0 } else { -1.0 };
            probabilities[1 - class]
        } else {
            shares(class, probabilities, pull)
        };
        let example = Pull { row, places, pull, error: unlikely, importance };
        weights.step(example, |curve| step::logistic(likely, unlikely, curve, importance));
    }

    #[inline]
    fn step_value(&self, weights: &mut Weights, residual: f32, importance: f32) {
        let Scratch { row, places, pull } = &self.scratch;
        let example = Pull { row, places, pull, error: residual, importance };
        weights.step(example, |curve| step::squared(residual, curve, importance));
    }

    /// `numeric/`, `categorical/`, and of a regression `target/`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.standardiser.save());
        map.nest("categorical", self.one_hot.save());
        if let Some(target) = &self.target {
            map.nest("target", target.save());
        }
        map
    }

    /// One for the same rows with what [`Frame::save`] wrote.
    pub fn load(&self, state: &TensorMap) -> Result<Self, StateError> {
        let Shape { numeric, categorical, objective } = self.shape;
        let mut frame = Self::new(self.categories_max, &self.shape);
        frame.standardiser = read_under(state, "numeric", |state| Standardiser::load(numeric, state))?;
        frame.one_hot =
            read_under(state, "categorical", |state| OneHot::load(categorical, self.categories_max, state))?;
        if objective == Objective::Regress {
            frame.target = Some(read_under(state, "target", |state| Standardiser::load(1, state))?);
        }
        Ok(frame)
    }
}

/// The label's class pulls by 1, the others by their shares of the remaining probability, which is returned.
#[inline]
fn shares(class: usize, probabilities: &[f32], pull: &mut [f32]) -> f32 {
    let others = || probabilities.iter().enumerate().filter(|(other, _)| *other != class);
    let unlikely: f32 = others().map(|(_, p)| *p).sum();
    for (pull, probability) in pull.iter_mut().zip(probabilities) {
        *pull = if unlikely > 0.0 { -probability / unlikely } else { 0.0 };
    }
    pull[class] = 1.0;
    unlikely
}
