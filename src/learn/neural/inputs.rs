use std::ops::Range;

use super::network::Input;
use crate::learn::Shape;
use crate::learn::encode::{OneHot, Standardiser, read_under};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// The encoders of a network: standardised numeric columns, then the one-hot places of the categorical ones, as many as
/// have been given out so far.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    numeric: usize,
    standardiser: Standardiser,
    one_hot: OneHot,
}

/// A row as the network takes it; reused from row to row.
#[derive(Debug, Default)]
pub(super) struct EncodedRow {
    dense: Vec<f32>,
    ones: Vec<usize>,
}

impl Inputs {
    pub fn new(shape: &Shape, categories_max: usize) -> Self {
        Self {
            numeric: shape.numeric,
            standardiser: Standardiser::new(shape.numeric),
            one_hot: OneHot::new(shape.categorical, categories_max),
        }
    }

    /// Inputs that the network must have; grows as categories are seen.
    pub fn width(&self) -> usize {
        self.numeric + self.one_hot.places()
    }

    /// Inputs that are not zero in a row.
    pub fn active(&self) -> usize {
        self.numeric + self.one_hot.columns()
    }

    /// Shows rows to the encoders.
    pub fn observe(&mut self, rows: &Rows, range: Range<usize>) {
        for row in range {
            self.standardiser.observe(rows.numeric_row(row));
            for (column, category) in rows.categorical_row(row).iter().enumerate() {
                self.one_hot.claim(column, *category);
            }
        }
    }

    /// Encodes a row with the encoders as they are.
    pub fn encode<'a>(&self, rows: &Rows, row: usize, encoded: &'a mut EncodedRow) -> Input<'a> {
        encoded.dense.resize(self.numeric, 0.0);
        self.standardiser.scaling().apply(rows.numeric_row(row), &mut encoded.dense);
        encoded.ones.clear();
        for (column, category) in rows.categorical_row(row).iter().enumerate() {
            encoded.ones.push(self.numeric + self.one_hot.place(column, *category));
        }
        Input { dense: &encoded.dense, ones: &encoded.ones }
    }

    /// Encodes rows into a matrix `[rows, width]`.
    pub fn encode_matrix(&self, rows: &Rows, range: Range<usize>) -> Vec<f32> {
        let width = self.width();
        let mut matrix = vec![0.0; range.len() * width];
        let mut encoded = EncodedRow::default();
        for (out, row) in matrix.chunks_exact_mut(width.max(1)).zip(range) {
            let input = self.encode(rows, row, &mut encoded);
            out[..self.numeric].copy_from_slice(input.dense);
            for place in input.ones {
                out[*place] = 1.0;
            }
        }
        matrix
    }

    pub fn is_finite(&self) -> bool {
        self.standardiser.scaling().is_finite()
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("standardiser", self.standardiser.save());
        map.nest("one_hot", self.one_hot.save());
        map
    }

    pub fn load(shape: &Shape, categories_max: usize, state: &TensorMap) -> Result<Self, StateError> {
        let standardiser =
            read_under(state, "standardiser", |state| Standardiser::load(shape.numeric, state))?;
        let one_hot =
            read_under(state, "one_hot", |state| OneHot::load(shape.categorical, categories_max, state))?;
        Ok(Self { numeric: shape.numeric, standardiser, one_hot })
    }
}
