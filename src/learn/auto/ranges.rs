//! What columns range over: distances in which no column counts more because it is rarely far from its mean.

use super::scores::floats;
use crate::learn::encode::Scaling;
use crate::state::{StateError, TensorMap};

#[derive(Debug, Clone)]
pub(super) struct Ranges {
    low: Vec<f32>,
    high: Vec<f32>,
    /// One over the range of each column; 0 where it has none.
    pub scales: Vec<f32>,
}

impl Ranges {
    pub fn new(numeric: usize) -> Self {
        Self { low: vec![f32::MAX; numeric], high: vec![f32::MIN; numeric], scales: vec![0.0; numeric] }
    }

    /// Takes a row in; values far from the rest count as at the border that `scaling` has.
    pub fn observe(&mut self, row: &[f32], scaling: &Scaling) {
        for (column, value) in row.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            let value = scaling.within(column, *value);
            if value < self.low[column] || value > self.high[column] {
                self.low[column] = self.low[column].min(value);
                self.high[column] = self.high[column].max(value);
                self.scales[column] = scale(self.low[column], self.high[column]);
            }
        }
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("low", &self.low);
        map.put_f32("high", &self.high);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let low = floats(state, "low", self.low.len())?;
        let high = floats(state, "high", self.high.len())?;
        self.scales = low.iter().zip(&high).map(|(low, high)| scale(*low, *high)).collect();
        (self.low, self.high) = (low, high);
        Ok(())
    }
}

fn scale(low: f32, high: f32) -> f32 {
    let range = f64::from(high) - f64::from(low);
    // Narrower than any scaling can tell apart.
    if range > 1e-36 { (1.0 / range) as f32 } else { 0.0 }
}
