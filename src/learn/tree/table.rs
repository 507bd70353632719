//! Nominal observers: how often a leaf saw each category of a column, class by class.

use super::bins::add_moments;
use super::functions::ln;

/// The categories of one column in one leaf.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Table {
    pub column: u32,
    /// Sorted.
    pub categories: Vec<u64>,
    /// `[categories + 1, classes]` weights, of a regression `[categories + 1, 3]` moments; the last row is of all categories without one of their own.
    pub counts: Vec<f32>,
    /// `[classes]`: their sums.
    pub totals: Vec<f32>,
}

impl Table {
    pub fn new(column: u32, classes: usize) -> Self {
        Self { column, categories: Vec::new(), counts: vec![0.0; classes], totals: vec![0.0; classes] }
    }

    fn classes(&self) -> usize {
        self.totals.len()
    }

    /// Bytes that a category takes.
    pub fn category_bytes(classes: usize) -> usize {
        size_of::<u64>() + classes * size_of::<f32>()
    }

    pub fn bytes(&self) -> usize {
        self.categories.len() * Self::category_bytes(self.classes())
    }

    fn row(&self, category: u64) -> usize {
        self.categories.binary_search(&category).unwrap_or(self.categories.len())
    }

    /// Counts a category; a new one gets a row of its own while there are fewer than `categories_max`. Says whether it
    /// did.
    pub fn observe(&mut self, category: u64, class: usize, weight: f32, categories_max: usize) -> bool {
        let (row, new) = self.row_of(category, categories_max);
        let classes = self.classes();
        self.counts[row * classes + class] += weight;
        self.totals[class] += weight;
        new
    }

    /// As [`Table::observe`], of a regression: adds weight, sum and sum of squares.
    pub fn observe_value(&mut self, category: u64, moments: [f32; 3], categories_max: usize) -> bool {
        let (row, new) = self.row_of(category, categories_max);
        add_moments(&mut self.counts[row * 3..row * 3 + 3], moments);
        add_moments(&mut self.totals, moments);
        new
    }

    /// The row of a category, and whether it is new.
    fn row_of(&mut self, category: u64, categories_max: usize) -> (usize, bool) {
        let classes = self.classes();
        match self.categories.binary_search(&category) {
            Ok(row) => (row, false),
            Err(row) if self.categories.len() < categories_max => {
                self.categories.insert(row, category);
                let at = row * classes;
                self.counts.splice(at..at, std::iter::repeat_n(0.0, classes));
                (row, true)
            }
            Err(_) => (self.categories.len(), false),
        }
    }

    /// Adds the log probability of the category in each class to `scores`, with Laplace's correction.
    #[inline]
    pub fn add_log_probability(&self, category: u64, scores: &mut [f32]) {
        let classes = self.classes();
        let row = self.row(category);
        let kinds = self.categories.len() as f32 + 1.0;
        let counts = &self.counts[row * classes..(row + 1) * classes];
        for ((score, count), total) in scores.iter_mut().zip(counts).zip(&self.totals) {
            *score += ln(count + 1.0) - ln(total + kinds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_counted_in_their_rows_and_beyond_the_bound_together() {
        let mut table = Table::new(0, 2);
        let seen = [(9, 0), (3, 1), (9, 1), (5, 0), (7, 1), (3, 1)];
        let new = seen.map(|(category, class)| table.observe(category, class, 2.0, 3));
        assert_eq!(new, [true, true, false, true, false, false]);
        assert_eq!(table.categories, [3, 5, 9]);
        assert_eq!(table.counts, [0.0, 4.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]);
        assert_eq!(table.totals, [4.0, 8.0]);
    }

    #[test]
    fn probabilities_have_laplaces_correction() {
        let mut table = Table::new(0, 2);
        (0..3).for_each(|_| _ = table.observe(4, 0, 1.0, 9));
        for (category, expected) in [(4, [4.0 / 5.0, 1.0 / 2.0]), (1, [1.0 / 5.0, 1.0 / 2.0])] {
            let mut scores = [0.0; 2];
            table.add_log_probability(category, &mut scores);
            for (score, expected) in scores.iter().zip(expected) {
                assert!((score.exp() - expected).abs() < 1e-6, "{scores:?}");
            }
        }
    }
}
