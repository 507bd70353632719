use super::scan::{LANES, Query, SQUARE_MAX};

/// The smallest box around some rows, one interval a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Around {
    /// `[numeric]`, lowest and highest number.
    pub numbers: Vec<(f32, f32)>,
    /// `[categorical]`, lowest and highest code.
    pub codes: Vec<(u32, u32)>,
    /// The youngest row, by its number.
    pub newest: u32,
}

impl Around {
    /// The box around nothing.
    pub fn new(numeric: usize, categorical: usize) -> Self {
        Self {
            numbers: vec![(f32::INFINITY, f32::NEG_INFINITY); numeric],
            codes: vec![(u32::MAX, 0); categorical],
            newest: 0,
        }
    }

    pub fn take_in(&mut self, other: &Self) {
        for (own, other) in self.numbers.iter_mut().zip(&other.numbers) {
            *own = (own.0.min(other.0), own.1.max(other.1));
        }
        for (own, other) in self.codes.iter_mut().zip(&other.codes) {
            *own = (own.0.min(other.0), own.1.max(other.1));
        }
        self.newest = self.newest.max(other.newest);
    }
}

/// Up to [`LANES`] boxes, column by column, so that a query is held against all at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Boxes {
    pub len: usize,
    low: Vec<[f32; LANES]>,
    high: Vec<[f32; LANES]>,
    code_low: Vec<[u32; LANES]>,
    code_high: Vec<[u32; LANES]>,
    /// The youngest row of each, by its number.
    pub newest: [u32; LANES],
}

impl Boxes {
    /// At most [`LANES`] boxes of the same columns, at least one.
    pub fn of(around: &[Around]) -> Self {
        let first = &around[0];
        let mut boxes = Self {
            len: around.len(),
            low: vec![[0.0; LANES]; first.numbers.len()],
            high: vec![[0.0; LANES]; first.numbers.len()],
            code_low: vec![[0; LANES]; first.codes.len()],
            code_high: vec![[0; LANES]; first.codes.len()],
            newest: [0; LANES],
        };
        for (lane, one) in around.iter().enumerate() {
            for (column, (low, high)) in one.numbers.iter().enumerate() {
                (boxes.low[column][lane], boxes.high[column][lane]) = (*low, *high);
            }
            for (column, (low, high)) in one.codes.iter().enumerate() {
                (boxes.code_low[column][lane], boxes.code_high[column][lane]) = (*low, *high);
            }
            boxes.newest[lane] = one.newest;
        }
        boxes
    }

    /// For each box a squared distance that no row in it is nearer than.
    ///
    /// It is not above the distance that `distances` computes for any such row even in its last bit: both do the same
    /// operations in the same order, each of which is monotonous, and a box's difference is at most a row's.
    #[inline]
    pub fn gaps(&self, query: &Query<'_>) -> [f32; LANES] {
        let mut sums = [0.0; LANES];
        let columns = self.low.iter().zip(&self.high).zip(query.numbers.iter().zip(query.scales));
        for ((low, high), (value, scale)) in columns {
            for lane in 0..LANES {
                let (below, above) = (low[lane] - value, value - high[lane]);
                let gap = if below > above { below } else { above };
                let gap = if gap > 0.0 { gap } else { 0.0 };
                let gap = gap * scale;
                let square = gap * gap;
                sums[lane] += if square < SQUARE_MAX { square } else { SQUARE_MAX };
            }
        }
        let columns = self.code_low.iter().zip(&self.code_high).zip(query.codes.iter().zip(query.mismatches));
        for ((low, high), (code, mismatch)) in columns {
            for lane in 0..LANES {
                let within = (low[lane] <= *code) & (*code <= high[lane]);
                sums[lane] += if within { 0.0 } else { *mismatch };
            }
        }
        sums
    }
}
