use crate::config::SparseScaling;
use crate::learn::encode::{BOUND, Scaling, Standardiser, read_under};
use crate::state::{StateError, TensorMap, mismatch};

/// Raw values stay within a million, so that every product of theirs can be represented.
const RAW_MAX: f32 = 1e6;

/// What numeric columns go through before they are weighed, as a learner keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NumericScaling {
    Standardise(Standardiser),
    Largest(Largest),
    Raw(usize),
}

/// As a predictor keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FrozenScaling {
    Standardise(Scaling),
    Largest(Largest),
    Raw(usize),
}

impl NumericScaling {
    pub fn new(kind: SparseScaling, columns: usize) -> Self {
        match kind {
            SparseScaling::Standardise => Self::Standardise(Standardiser::new(columns)),
            SparseScaling::Largest => Self::Largest(Largest(vec![0.0; columns])),
            SparseScaling::Raw => Self::Raw(columns),
        }
    }

    /// Scales a row, `[columns]`; a missing value is 0.
    #[inline]
    pub fn apply(&self, row: &[f32], out: &mut [f32]) {
        match self {
            Self::Standardise(standardiser) => standardiser.scaling().apply(row, out),
            Self::Largest(largest) => largest.apply(row, out),
            Self::Raw(_) => raw(row, out),
        }
    }

    /// Takes a row into the statistics. True where the row is now scaled otherwise than before, and the step wants it
    /// so: what is normalised by the largest value is never larger than 1 when it is learned (Ross et al., 2013).
    #[inline]
    pub fn observe(&mut self, row: &[f32]) -> bool {
        match self {
            Self::Standardise(standardiser) => {
                standardiser.observe(row);
                false
            }
            Self::Largest(largest) => largest.observe(row),
            Self::Raw(_) => false,
        }
    }

    pub fn freeze(&self) -> FrozenScaling {
        match self {
            Self::Standardise(standardiser) => FrozenScaling::Standardise(standardiser.scaling().clone()),
            Self::Largest(largest) => FrozenScaling::Largest(largest.clone()),
            Self::Raw(columns) => FrozenScaling::Raw(*columns),
        }
    }

    pub fn save(&self) -> TensorMap {
        match self {
            Self::Standardise(standardiser) => standardiser.save(),
            Self::Largest(largest) => largest.save(),
            Self::Raw(_) => TensorMap::new(),
        }
    }

    /// What [`NumericScaling::save`] wrote, under `path`.
    pub fn load(
        kind: SparseScaling,
        columns: usize,
        path: &str,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        Ok(match kind {
            SparseScaling::Standardise => {
                Self::Standardise(read_under(state, path, |state| Standardiser::load(columns, state))?)
            }
            SparseScaling::Largest => {
                Self::Largest(read_under(state, path, |state| Largest::load(columns, state))?)
            }
            SparseScaling::Raw => Self::Raw(columns),
        })
    }
}

impl FrozenScaling {
    #[inline]
    pub fn apply(&self, row: &[f32], out: &mut [f32]) {
        match self {
            Self::Standardise(scaling) => scaling.apply(row, out),
            Self::Largest(largest) => largest.apply(row, out),
            Self::Raw(_) => raw(row, out),
        }
    }

    pub fn is_finite(&self) -> bool {
        match self {
            Self::Standardise(scaling) => scaling.is_finite(),
            Self::Largest(Largest(largest)) => largest.iter().all(|value| value.is_finite()),
            Self::Raw(_) => true,
        }
    }

    pub fn save(&self) -> TensorMap {
        match self {
            Self::Standardise(scaling) => scaling.save(),
            Self::Largest(largest) => largest.save(),
            Self::Raw(_) => TensorMap::new(),
        }
    }

    /// What [`FrozenScaling::save`] wrote, under `path`.
    pub fn load(
        kind: SparseScaling,
        columns: usize,
        path: &str,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        Ok(match kind {
            SparseScaling::Standardise => {
                Self::Standardise(read_under(state, path, |state| Scaling::load(columns, state))?)
            }
            SparseScaling::Largest => {
                Self::Largest(read_under(state, path, |state| Largest::load(columns, state))?)
            }
            SparseScaling::Raw => Self::Raw(columns),
        })
    }
}

/// The largest magnitude of each column so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Largest(Vec<f32>);

impl Largest {
    #[inline]
    fn apply(&self, row: &[f32], out: &mut [f32]) {
        for ((out, value), largest) in out.iter_mut().zip(row).zip(&self.0) {
            let share = value / largest;
            let share = if share > BOUND { BOUND } else { share };
            let share = if share < -BOUND { -BOUND } else { share };
            // NaN: the value is missing, or 0 as all before.
            *out = if share.is_nan() { 0.0 } else { share };
        }
    }

    #[inline]
    fn observe(&mut self, row: &[f32]) -> bool {
        let mut changed = false;
        for (largest, value) in self.0.iter_mut().zip(row) {
            if value.abs() > *largest {
                *largest = value.abs();
                changed = true;
            }
        }
        changed
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("largest", &self.0);
        map
    }

    fn load(columns: usize, state: &TensorMap) -> Result<Self, StateError> {
        let largest = state.f32s("largest")?;
        if largest.len() != columns {
            let found = format_args!("{} columns", largest.len());
            return Err(mismatch("largest", found, format!("{columns} columns")));
        }
        match largest.iter().find(|value| !value.is_finite() || **value < 0.0) {
            Some(value) => Err(mismatch("largest", value, "finite numbers from 0")),
            None => Ok(Self(largest)),
        }
    }
}

#[inline]
fn raw(row: &[f32], out: &mut [f32]) {
    for (out, value) in out.iter_mut().zip(row) {
        let value = if *value > RAW_MAX { RAW_MAX } else { *value };
        let value = if value < -RAW_MAX { -RAW_MAX } else { value };
        *out = if value.is_nan() { 0.0 } else { value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_magnitude_seen_is_one() {
        let mut scaling = NumericScaling::new(SparseScaling::Largest, 3);
        let mut out = [7.0; 3];
        scaling.apply(&[5.0, 0.0, f32::NAN], &mut out);
        assert_eq!(out, [BOUND, 0.0, 0.0]);
        assert!(scaling.observe(&[-4.0, 0.0, f32::NAN]) && !scaling.observe(&[4.0, 0.0, f32::NAN]));
        scaling.apply(&[2.0, 0.0, 1e-3], &mut out);
        assert_eq!(out, [0.5, 0.0, BOUND]);
    }

    #[test]
    fn raw_values_are_themselves_within_a_million() {
        let scaling = NumericScaling::new(SparseScaling::Raw, 3);
        let mut out = [7.0; 3];
        scaling.apply(&[f32::MIN, f32::NAN, -3.5], &mut out);
        assert_eq!(out, [-RAW_MAX, 0.0, -3.5]);
    }

    #[test]
    fn a_state_that_no_scaling_can_have_is_refused() {
        for (values, found) in
            [(vec![1.0], "1 columns"), (vec![1.0, -1.0], "-1"), (vec![f32::NAN, 1.0], "NaN")]
        {
            let mut state = TensorMap::new();
            state.put_f32("numeric/largest", &values);
            let error =
                NumericScaling::load(SparseScaling::Largest, 2, "numeric", &state).unwrap_err().to_string();
            assert!(error.starts_with(&format!("tensor \"numeric/largest\" is {found}")), "{error}");
        }
    }
}
