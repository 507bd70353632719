//! A row as the dense experts read it: standardised numbers and a bias, then the context, classes one-hot.

use super::labels::{FIRST, LAGS};
use super::moment::{Layout, classes};
use crate::learn::Shape;
use crate::learn::encode::{Scaling, Standardiser, read_under};
use crate::state::{StateError, TensorMap};

/// The most classes that a label becomes an indicator of each; of more, the first.
const INDICATED_MAX: usize = 16;

/// Numbers that go through the vector units together.
const LANES: usize = 8;

/// What turns a row and its context into inputs.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    shape: Shape,
    layout: Layout,
    raw: Scaling,
    context: Scaling,
    pub width: Width,
}

/// Sizes of inputs, multiples of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width {
    /// Of the row's own columns and the bias.
    pub raw: usize,
    /// With the context.
    pub full: usize,
}

fn indicated(classes: usize) -> usize {
    if classes <= INDICATED_MAX { classes } else { FIRST }
}

fn indicators(shape: &Shape) -> usize {
    match classes(shape.objective) {
        Some(2) => LAGS,
        Some(classes) => LAGS * indicated(classes),
        None => LAGS,
    }
}

impl Inputs {
    pub fn new(shape: &Shape) -> (Self, Learned) {
        let layout = Layout::new(shape);
        let raw = (shape.numeric + 1).next_multiple_of(LANES);
        let numbers = layout.width - LAGS;
        let full = (raw + numbers + indicators(shape)).next_multiple_of(LANES);
        let learned =
            Learned { raw: Standardiser::new(shape.numeric), context: Standardiser::new(layout.width) };
        let inputs = Self {
            shape: shape.clone(),
            layout,
            raw: learned.raw.scaling().clone(),
            context: learned.context.scaling().clone(),
            width: Width { raw, full },
        };
        (inputs, learned)
    }

    pub fn raw(&self) -> &Scaling {
        &self.raw
    }

    /// Fills `out`, `[full]`; `room` is of the context's width.
    pub fn fill(&self, numeric: &[f32], context: &[f32], room: &mut [f32], out: &mut [f32]) {
        out.fill(0.0);
        self.raw.apply(numeric, out);
        out[self.shape.numeric] = 1.0;
        self.context.apply(context, room);
        let out = &mut out[self.width.raw..];
        let labels = self.layout.labels;
        out[..labels].copy_from_slice(&room[..labels]);
        let numbers = room.len() - LAGS;
        out[labels..numbers].copy_from_slice(&room[labels + LAGS..]);
        let out = &mut out[numbers..];
        for (lag, label) in context[labels..labels + LAGS].iter().enumerate() {
            match classes(self.shape.objective) {
                None => out[lag] = room[labels + lag],
                _ if label.is_nan() => {}
                Some(2) => out[lag] = if *label > 0.5 { 1.0 } else { -1.0 },
                Some(classes) => {
                    let (class, indicated) = (*label as usize, indicated(classes));
                    if class < indicated {
                        out[lag * indicated + class] = 1.0;
                    }
                }
            }
        }
    }

    pub fn is_finite(&self) -> bool {
        self.raw.is_finite() && self.context.is_finite()
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("raw", self.raw.save());
        map.nest("context", self.context.save());
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.raw = read_under(state, "raw", |state| Scaling::load(self.shape.numeric, state))?;
        self.context = read_under(state, "context", |state| Scaling::load(self.layout.width, state))?;
        Ok(())
    }
}

/// The statistics behind.
#[derive(Debug, Clone)]
pub(super) struct Learned {
    raw: Standardiser,
    context: Standardiser,
}

impl Learned {
    pub fn observe(&mut self, numeric: &[f32], context: &[f32], inputs: &mut Inputs) {
        self.raw.observe(numeric);
        self.context.observe(context);
        inputs.raw.clone_from(self.raw.scaling());
        inputs.context.clone_from(self.context.scaling());
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("raw", self.raw.save());
        map.nest("context", self.context.save());
        map
    }

    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let width = Layout::new(shape).width;
        let raw = read_under(state, "raw", |state| Standardiser::load(shape.numeric, state))?;
        let context = read_under(state, "context", |state| Standardiser::load(width, state))?;
        Ok(Self { raw, context })
    }
}

/// Products of the first columns, two by two, for a second-order model of curved borders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Products {
    pub numeric: usize,
    pub width: usize,
}

impl Products {
    /// None where there would be too many, or nothing to multiply.
    pub fn new(numeric: usize, most: usize) -> Option<Self> {
        let width = (1 + numeric + numeric * (numeric + 1) / 2).next_multiple_of(LANES);
        (numeric > 0 && width <= most).then_some(Self { numeric, width })
    }

    /// Fills `out` from a row's inputs.
    pub fn fill(self, inputs: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        out[..=self.numeric].copy_from_slice(&inputs[..=self.numeric]);
        let mut at = self.numeric + 1;
        for i in 0..self.numeric {
            for j in i..self.numeric {
                let mean = if i == j { 1.0 } else { 0.0 };
                out[at] = (inputs[i] * inputs[j] - mean).clamp(-8.0, 8.0);
                at += 1;
            }
        }
    }
}
