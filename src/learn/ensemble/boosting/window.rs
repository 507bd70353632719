//! The rows that are remembered, with the leaves that they reach.

use crate::learn::tree::row::Row;

/// Up to twice as many rows as are ever looked at: the older half is cut off at once.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub numeric_width: usize,
    pub categorical_width: usize,
    /// Trees for which there is a place.
    pub slots: usize,
    pub rows_max: usize,
    /// `[rows, numeric_width]`, bounded; missing values are NaN.
    pub numeric: Vec<f32>,
    /// `[rows, categorical_width]`.
    pub categorical: Vec<u64>,
    pub targets: Vec<f32>,
    pub weights: Vec<f32>,
    /// `[rows, slots]`: the leaf of the tree in each slot; what is in a slot without a tree means nothing.
    pub places: Vec<u8>,
}

impl Window {
    pub fn new(numeric_width: usize, categorical_width: usize, slots: usize, rows_max: usize) -> Self {
        Self {
            numeric_width,
            categorical_width,
            slots,
            rows_max,
            numeric: Vec::new(),
            categorical: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
            places: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Appends a row; its places are 0 until they are set.
    pub fn push(&mut self, row: &Row, target: f32, weight: f32) {
        if self.len() == 2 * self.rows_max {
            self.cut(self.rows_max);
        }
        self.numeric.extend_from_slice(&row.numeric[..self.numeric_width]);
        self.categorical.extend_from_slice(&row.categorical);
        self.targets.push(target);
        self.weights.push(weight);
        self.places.resize(self.targets.len() * self.slots, 0);
    }

    /// Forgets the `count` oldest rows.
    pub fn cut(&mut self, count: usize) {
        self.numeric.drain(..count * self.numeric_width);
        self.categorical.drain(..count * self.categorical_width);
        self.targets.drain(..count);
        self.weights.drain(..count);
        self.places.drain(..count * self.slots);
    }

    /// Copies row `index` out.
    pub fn read(&self, index: usize, row: &mut Row) {
        let (numeric, categorical) = (self.numeric_width, self.categorical_width);
        row.numeric[..numeric].copy_from_slice(&self.numeric[index * numeric..(index + 1) * numeric]);
        let categories = &self.categorical[index * categorical..(index + 1) * categorical];
        row.categorical.copy_from_slice(categories);
    }

    pub fn places(&self, index: usize) -> &[u8] {
        &self.places[index * self.slots..(index + 1) * self.slots]
    }

    pub fn places_mut(&mut self, index: usize) -> &mut [u8] {
        &mut self.places[index * self.slots..(index + 1) * self.slots]
    }
}
