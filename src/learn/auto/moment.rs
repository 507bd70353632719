//! The context: the columns that a row gets from its place in the stream when it comes, and keeps.

use super::averages::{self, Averages};
use super::labels::{self, LAGS, Labels};
use super::scores::floats;
use super::targets::Targets;
use crate::learn::encode::read_under;
use crate::learn::{Objective, Shape};
use crate::state::{StateError, TensorMap, mismatch, sized};

/// What every row that came now would be told: all that predicting without a context needs.
///
/// Columns: differences from the moving averages, `[horizons, numeric]`; labels; means of the target.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    started: bool,
    /// `[horizons, numeric]`.
    means: Vec<f32>,
    labels: Vec<f32>,
    pub targets: Targets,
}

/// Where the context's columns begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub labels: usize,
    pub width: usize,
}

impl Layout {
    pub fn new(shape: &Shape) -> Self {
        let labels = averages::horizons(shape.numeric).len() * shape.numeric;
        Self { labels, width: labels + labels::width(shape.objective) + Targets::width(shape) }
    }
}

impl Moment {
    pub fn new(shape: &Shape) -> Self {
        let layout = Layout::new(shape);
        Self {
            started: false,
            means: vec![0.0; layout.labels],
            labels: vec![f32::NAN; labels::width(shape.objective)],
            targets: Targets::new(shape),
        }
    }

    /// The context of a row that comes now.
    pub fn columns(&self, numeric: &[f32], categorical: &[u64], out: &mut [f32]) {
        let (differences, rest) = out.split_at_mut(self.means.len());
        let (labels, targets) = rest.split_at_mut(self.labels.len());
        if self.started {
            let values = numeric.iter().cycle();
            for ((out, mean), value) in differences.iter_mut().zip(&self.means).zip(values) {
                // A missing value has no difference.
                *out = (value - mean).clamp(f32::MIN, f32::MAX);
            }
        } else {
            differences.fill(f32::NAN);
        }
        labels.copy_from_slice(&self.labels);
        self.targets.columns(categorical, targets);
    }

    pub fn is_finite(&self) -> bool {
        self.means.iter().all(|mean| mean.is_finite()) && self.targets.is_finite()
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_bytes("started", vec![u8::from(self.started)]);
        map.put_f32("means", &self.means);
        // As doubles: missing ones are NaN.
        map.put_f64("labels", &self.labels.iter().map(|label| f64::from(*label)).collect::<Vec<_>>());
        map.nest("targets", self.targets.save());
        map
    }

    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let new = Self::new(shape);
        let started = match state.bytes("started")? {
            [started @ (0 | 1)] => *started == 1,
            other => return Err(mismatch("started", format_args!("{other:?}"), "[0] or [1]")),
        };
        let means = floats(state, "means", new.means.len())?;
        let labels = sized(state.f64s("labels")?, new.labels.len(), "labels")?;
        let labels: Vec<f32> = labels.into_iter().map(|label| label as f32).collect();
        let odd = |label: &&f32| !label.is_nan() && shape.objective.importance(**label, 1.0).is_none();
        if let Some(label) = labels[..LAGS].iter().find(odd) {
            return Err(mismatch("labels", label, "labels of the task"));
        }
        let targets = read_under(state, "targets", |state| Targets::load(shape, state))?;
        Ok(Self { started, means, labels, targets })
    }
}

/// What has come so far, as far as later contexts depend on it.
#[derive(Debug, Clone)]
pub(super) struct Past {
    averages: Averages,
    labels: Labels,
}

impl Past {
    pub fn new(shape: &Shape) -> Self {
        Self { averages: Averages::new(shape.numeric), labels: Labels::new(shape.objective) }
    }

    /// A row came.
    pub fn observe(&mut self, numeric: &[f32], moment: &mut Moment) {
        self.observe_labelled(numeric, moment);
        self.labels.columns(self.averages.rows(), &mut moment.labels);
    }

    /// A row came with its label, which is learned before the next row comes.
    pub fn observe_labelled(&mut self, numeric: &[f32], moment: &mut Moment) {
        self.averages.observe(numeric, &mut moment.means);
        moment.started = true;
    }

    /// A row's label was learned; `scale` is one over the deviation of values, 1 for classes.
    pub fn learn(
        &mut self,
        categorical: &[u64],
        (target, importance): (f32, f32),
        scale: f32,
        moment: &mut Moment,
    ) {
        self.labels.learn(target, scale);
        self.labels.columns(self.averages.rows(), &mut moment.labels);
        moment.targets.learn(categorical, target, importance);
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("averages", self.averages.save());
        map.nest("labels", self.labels.save());
        map
    }

    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let averages = read_under(state, "averages", |state| Averages::load(shape.numeric, state))?;
        let labels = read_under(state, "labels", |state| Labels::load(shape.objective, state))?;
        Ok(Self { averages, labels })
    }
}

/// Whether labels are classes.
pub(super) fn classes(objective: Objective) -> Option<usize> {
    match objective {
        Objective::Classify { classes } => Some(classes),
        Objective::Regress => None,
    }
}
