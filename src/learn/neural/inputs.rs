use super::forward::Input;
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

/// Rows as the network takes them; reused from block to block.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    rows: usize,
    dense: Vec<f32>,
    ones: Vec<usize>,
}

impl Encoded {
    pub fn input(&self) -> Input<'_> {
        Input { rows: self.rows, dense: &self.dense, ones: &self.ones }
    }
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

    /// Shows a row to the encoders.
    pub fn observe(&mut self, rows: &Rows, row: usize) {
        self.standardiser.observe(rows.numeric_row(row));
        for (column, category) in rows.categorical_row(row).iter().enumerate() {
            self.one_hot.claim(column, *category);
        }
    }

    /// Encodes rows with the encoders as they are, in place of what `encoded` had.
    pub fn encode(&self, rows: &Rows, range: std::ops::Range<usize>, encoded: &mut Encoded) {
        encoded.rows = range.len();
        encoded.dense.resize(range.len() * self.numeric, 0.0);
        encoded.ones.clear();
        let scaling = self.standardiser.scaling();
        for (index, row) in range.enumerate() {
            scaling.apply(rows.numeric_row(row), &mut encoded.dense[index * self.numeric..][..self.numeric]);
            for (column, category) in rows.categorical_row(row).iter().enumerate() {
                encoded.ones.push(self.numeric + self.one_hot.place(column, *category));
            }
        }
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
