use std::sync::Arc;

/// Rows on a page.
const PAGE: usize = 64;

/// Rows of numbers, all zero at first, on pages that a clone shares until they change.
#[derive(Debug, Clone)]
pub(super) struct Table {
    width: usize,
    pages: Vec<Arc<Vec<f64>>>,
}

impl Table {
    pub fn new(width: usize) -> Self {
        Self { width, pages: Vec::new() }
    }

    /// The numbers of a row, `[width]`; none where all are zero since it was never written.
    pub fn get(&self, row: usize) -> Option<&[f64]> {
        let start = row % PAGE * self.width;
        self.pages.get(row / PAGE).map(|page| &page[start..start + self.width])
    }

    pub fn get_mut(&mut self, row: usize) -> &mut [f64] {
        while self.pages.len() <= row / PAGE {
            self.pages.push(Arc::new(vec![0.0; PAGE * self.width]));
        }
        let start = row % PAGE * self.width;
        &mut Arc::make_mut(&mut self.pages[row / PAGE])[start..start + self.width]
    }

    /// The first `rows` rows, one after the other.
    pub fn rows(&self, rows: usize) -> Vec<f64> {
        let mut all: Vec<f64> = self.pages.iter().flat_map(|page| page.iter().copied()).collect();
        all.resize(rows * self.width, 0.0);
        all
    }

    /// A table of rows as [`Table::rows`] gives them.
    pub fn of(width: usize, rows: &[f64]) -> Self {
        let mut table = Self::new(width);
        for (row, numbers) in rows.chunks_exact(width).enumerate() {
            table.get_mut(row).copy_from_slice(numbers);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_the_pages_that_did_not_change_and_rows_come_back() {
        let mut table = Table::new(2);
        (0..200).for_each(|row| table.get_mut(row)[1] = row as f64);
        let before = table.clone();
        table.get_mut(70)[0] = 5.0;
        let shared: Vec<bool> =
            before.pages.iter().zip(&table.pages).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(shared, [true, false, true, true]);
        assert_eq!((before.get(70), table.get(70)), (Some(&[0.0, 70.0][..]), Some(&[5.0, 70.0][..])));
        assert_eq!(table.get(1_000), None);
        let rows = table.rows(300);
        assert_eq!((rows.len(), rows[141], rows[599]), (600, 70.0, 0.0));
        assert_eq!(Table::of(2, &rows).rows(300), rows);
    }
}
