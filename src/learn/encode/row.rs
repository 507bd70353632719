/// A row on its way through the encoders.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    /// Missing values are NaN, all others finite.
    pub numeric: Vec<f32>,
    /// Hashes; missing values are 0.
    pub categorical: Vec<u64>,
}

impl Row {
    pub fn set(&mut self, numeric: &[f32], categorical: &[u64]) {
        self.numeric.clear();
        self.numeric.extend_from_slice(numeric);
        self.categorical.clear();
        self.categorical.extend_from_slice(categorical);
    }
}

/// What a row is learned as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    /// Index of the class, or the value.
    pub target: f32,
    /// Importance; finite and above zero.
    pub weight: f32,
}

/// Takes the categories at `columns`, ascending, out of a row, in place of what `rest` holds.
pub(super) fn without(categorical: &[u64], columns: &[usize], rest: &mut Vec<u64>) {
    rest.clear();
    let kept = categorical.iter().enumerate().filter(|(column, _)| columns.binary_search(column).is_err());
    rest.extend(kept.map(|(_, category)| *category));
}
