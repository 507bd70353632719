//! Moving averages of the numeric columns over several horizons: how a value stands to what came just before it is worth
//! more than the value on most streams that are in the order of time, and it is known before any label is.

use super::scores::{doubles, floats};
use crate::state::{StateError, TensorMap, mismatch};

/// The longest horizon, in rows.
const LONGEST: usize = 256;

/// The most columns that averages may add to a row.
const COLUMNS_MAX: usize = 120;

/// Horizons, in rows, for so many numeric columns: fewer for wide rows.
pub(super) fn horizons(numeric: usize) -> &'static [usize] {
    match COLUMNS_MAX / numeric.max(1) {
        0 => &[],
        1 => &[16],
        2 => &[1, 32],
        3 => &[1, 16, LONGEST],
        4 => &[1, 6, 40, LONGEST],
        _ => &[1, 4, 16, 64, LONGEST],
    }
}

/// The rows that came last, and their sums.
#[derive(Debug, Clone)]
pub(super) struct Averages {
    numeric: usize,
    horizons: &'static [usize],
    /// Rows that came so far.
    rows: u64,
    /// `[LONGEST, numeric]`, row `i` at `i % LONGEST`.
    ring: Vec<f32>,
    /// `[horizons, numeric]`.
    sums: Vec<f64>,
}

impl Averages {
    pub fn new(numeric: usize) -> Self {
        let horizons = horizons(numeric);
        let columns = if horizons.is_empty() { 0 } else { numeric };
        Self {
            numeric: columns,
            horizons,
            rows: 0,
            ring: vec![0.0; LONGEST * columns],
            sums: vec![0.0; horizons.len() * columns],
        }
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// A row came; `means`, `[horizons, numeric]`, get the averages with it in them. A missing value is taken for what it
    /// was of late.
    pub fn observe(&mut self, row: &[f32], means: &mut [f32]) {
        let numeric = self.numeric;
        let at = (self.rows % LONGEST as u64) as usize;
        let longest = means.len().saturating_sub(numeric);
        for column in 0..numeric {
            let value = if row[column].is_nan() { means[longest + column] } else { row[column] };
            for (index, horizon) in self.horizons.iter().enumerate() {
                let leaves = if self.rows >= *horizon as u64 {
                    self.ring[(at + LONGEST - horizon) % LONGEST * numeric + column]
                } else {
                    0.0
                };
                self.sums[index * numeric + column] += f64::from(value) - f64::from(leaves);
            }
            self.ring[at * numeric + column] = value;
        }
        self.rows += 1;
        if at + 1 == LONGEST {
            self.sum_again();
        }
        for (index, horizon) in self.horizons.iter().enumerate() {
            let part = index * numeric..(index + 1) * numeric;
            let inverse = 1.0 / self.rows.min(*horizon as u64) as f64;
            for (mean, sum) in means[part.clone()].iter_mut().zip(&self.sums[part]) {
                *mean = (sum * inverse).clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
            }
        }
    }

    /// From time to time, so that what one huge value rounded away is back soon after it left.
    fn sum_again(&mut self) {
        let numeric = self.numeric;
        for (index, horizon) in self.horizons.iter().enumerate() {
            let sums = &mut self.sums[index * numeric..(index + 1) * numeric];
            sums.fill(0.0);
            for row in self.ring[(LONGEST - horizon) * numeric..].chunks_exact(numeric.max(1)) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
        }
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("rows", self.rows);
        map.put_f32("ring", &self.ring);
        map.put_f64("sums", &self.sums);
        map
    }

    pub fn load(numeric: usize, state: &TensorMap) -> Result<Self, StateError> {
        let new = Self::new(numeric);
        let rows = state.u64_one("rows")?;
        if rows > u64::MAX / 2 {
            return Err(mismatch("rows", rows, "fewer rows"));
        }
        let ring = floats(state, "ring", new.ring.len())?;
        let sums = doubles(state, "sums", new.sums.len())?;
        Ok(Self { rows, ring, sums, ..new })
    }
}
