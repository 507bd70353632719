/// Raw feature columns of some rows, row by row, columns in the order of their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    len: usize,
    numeric_width: usize,
    categorical_width: usize,
    /// `[len, numeric_width]`, missing values are NaN, all others finite.
    pub numeric: Vec<f32>,
    /// `[len, categorical_width]`, XXH3-64 of the value's text; missing values are 0.
    pub categorical: Vec<u64>,
}

impl Rows {
    pub fn new(numeric_width: usize, categorical_width: usize) -> Self {
        Self { numeric_width, categorical_width, ..Self::default() }
    }

    pub fn with_capacity(numeric_width: usize, categorical_width: usize, rows: usize) -> Self {
        Self {
            len: 0,
            numeric_width,
            categorical_width,
            numeric: Vec::with_capacity(rows * numeric_width),
            categorical: Vec::with_capacity(rows * categorical_width),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn numeric_width(&self) -> usize {
        self.numeric_width
    }

    pub fn categorical_width(&self) -> usize {
        self.categorical_width
    }

    /// Bytes that one row takes.
    pub fn row_bytes(&self) -> usize {
        self.numeric_width * size_of::<f32>() + self.categorical_width * size_of::<u64>()
    }

    /// Appends a row; the slices have the widths of the columns.
    pub fn push(&mut self, numeric: &[f32], categorical: &[u64]) {
        assert!(
            numeric.len() == self.numeric_width && categorical.len() == self.categorical_width,
            "a row of these columns"
        );
        self.numeric.extend_from_slice(numeric);
        self.categorical.extend_from_slice(categorical);
        self.len += 1;
    }

    /// Appends row `row` of `other`, which has the same columns.
    pub fn push_from(&mut self, other: &Rows, row: usize) {
        self.push(other.numeric_row(row), other.categorical_row(row));
    }

    /// Appends a row of missing values.
    pub(super) fn push_missing(&mut self) {
        self.len += 1;
        self.numeric.resize(self.len * self.numeric_width, f32::NAN);
        self.categorical.resize(self.len * self.categorical_width, 0);
    }

    /// Numeric values of a row, to be written.
    pub fn numeric_row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.numeric[row * self.numeric_width..(row + 1) * self.numeric_width]
    }

    /// The last row; there is one.
    pub(super) fn last_mut(&mut self) -> (&mut [f32], &mut [u64]) {
        let last = self.len - 1;
        (
            &mut self.numeric[last * self.numeric_width..],
            &mut self.categorical[last * self.categorical_width..],
        )
    }

    /// Appends all rows of others of the same widths.
    pub fn append(&mut self, other: &Rows) {
        assert_eq!(
            (self.numeric_width, self.categorical_width),
            (other.numeric_width, other.categorical_width),
            "rows of the same widths"
        );
        self.len += other.len;
        self.numeric.extend_from_slice(&other.numeric);
        self.categorical.extend_from_slice(&other.categorical);
    }

    /// Gives every row `columns` more numeric values, missing for now, after those that it has.
    pub fn widen(&mut self, columns: usize) {
        if columns == 0 {
            return;
        }
        let (old, new) = (self.numeric_width, self.numeric_width + columns);
        self.numeric.resize(self.len * new, f32::NAN);
        for row in (0..self.len).rev() {
            self.numeric.copy_within(row * old..(row + 1) * old, row * new);
            self.numeric[row * new + old..(row + 1) * new].fill(f32::NAN);
        }
        self.numeric_width = new;
    }

    /// The rows with their first `width` numeric values, of which they have at least as many.
    pub fn narrowed(&self, width: usize) -> Self {
        assert!(width <= self.numeric_width, "rows have {} numeric columns, not {width}", self.numeric_width);
        let mut rows = Self::with_capacity(width, self.categorical_width, self.len);
        for row in 0..self.len {
            rows.push(&self.numeric_row(row)[..width], self.categorical_row(row));
        }
        rows
    }

    /// Keeps the first `len` rows.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.numeric.truncate(self.len * self.numeric_width);
        self.categorical.truncate(self.len * self.categorical_width);
    }

    pub fn numeric_row(&self, row: usize) -> &[f32] {
        &self.numeric[row * self.numeric_width..(row + 1) * self.numeric_width]
    }

    pub fn categorical_row(&self, row: usize) -> &[u64] {
        &self.categorical[row * self.categorical_width..(row + 1) * self.categorical_width]
    }

    pub fn clear(&mut self) {
        self.len = 0;
        self.numeric.clear();
        self.categorical.clear();
    }
}

/// The truth about an event, as its record says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// Index of a declared class.
    Class(u16),
    /// Name of a class, where classes are discovered.
    Name(Box<str>),
    /// Regression; finite.
    Number(f32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_rows_keep_their_values_and_become_narrow_again() {
        let mut rows = Rows::new(2, 1);
        rows.push(&[1.0, 2.0], &[7]);
        rows.push(&[3.0, 4.0], &[8]);
        let before = rows.clone();
        rows.widen(3);
        assert_eq!(rows.numeric_width(), 5);
        for row in 0..2 {
            assert_eq!(rows.numeric_row(row)[..2], *before.numeric_row(row));
            assert!(rows.numeric_row(row)[2..].iter().all(|value| value.is_nan()));
        }
        assert_eq!(rows.narrowed(2), before);
        rows.push(&[0.0; 5], &[9]);
        assert_eq!(rows.len(), 3);
    }
}
