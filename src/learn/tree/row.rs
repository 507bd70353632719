//! One row as trees read it.

use crate::schema::Rows;

/// Values beyond ±10^18 count as these: squares of differences stay finite.
pub(in crate::learn) const VALUE_MAX: f32 = 1e18;

/// A row with its numeric values bounded, made once for all the trees that look at it.
#[derive(Debug, Clone, Default)]
pub(in crate::learn) struct Row {
    /// `[numeric + 1]`; missing values are NaN; the last is 0, for places of a leaf that watch no column.
    pub numeric: Vec<f32>,
    /// `[categorical]`; missing values are 0, a category like others.
    pub categorical: Vec<u64>,
}

impl Row {
    pub fn new(numeric: usize, categorical: usize) -> Self {
        Self { numeric: vec![0.0; numeric + 1], categorical: vec![0; categorical] }
    }

    /// Takes row `row` of `rows` in.
    #[inline]
    pub fn set(&mut self, rows: &Rows, row: usize) {
        self.copy(rows.numeric_row(row), rows.categorical_row(row));
    }

    /// Takes a row of as many values in.
    #[inline]
    pub fn copy(&mut self, numeric: &[f32], categorical: &[u64]) {
        for (to, from) in self.numeric.iter_mut().zip(numeric) {
            // A missing value stays NaN.
            *to = from.clamp(-VALUE_MAX, VALUE_MAX);
        }
        self.categorical.copy_from_slice(categorical);
    }
}
