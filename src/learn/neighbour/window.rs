use std::collections::VecDeque;
use std::sync::Arc;

/// Rows of a block: what a publish copies when one row came in, and shares otherwise.
pub(in crate::learn) const BLOCK: usize = 64;

/// Some rows, column by column, so that a scan takes many rows at once.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Block {
    /// Rows that are there; never more than [`BLOCK`].
    pub len: usize,
    /// `[numeric][BLOCK]`.
    pub numbers: Vec<[f32; BLOCK]>,
    /// `[categorical][BLOCK]`.
    pub codes: Vec<[u32; BLOCK]>,
    pub targets: [f32; BLOCK],
    /// Importance.
    pub weights: [f32; BLOCK],
}

impl Block {
    pub fn new(numeric: usize, categorical: usize) -> Self {
        Self {
            len: 0,
            numbers: vec![[0.0; BLOCK]; numeric],
            codes: vec![[0; BLOCK]; categorical],
            targets: [0.0; BLOCK],
            weights: [0.0; BLOCK],
        }
    }

    pub fn push(&mut self, numbers: &[f32], codes: &[u32], target: f32, weight: f32) {
        self.set(self.len, numbers, codes, target, weight);
        self.len += 1;
    }

    fn set(&mut self, row: usize, numbers: &[f32], codes: &[u32], target: f32, weight: f32) {
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column[row] = *number;
        }
        for (column, code) in self.codes.iter_mut().zip(codes) {
            column[row] = *code;
        }
        self.targets[row] = target;
        self.weights[row] = weight;
    }

    /// The values of a row, in place of what the vectors hold.
    pub fn row_into(&self, row: usize, numbers: &mut Vec<f32>, codes: &mut Vec<u32>) {
        numbers.clear();
        numbers.extend(self.numbers.iter().map(|column| column[row]));
        codes.clear();
        codes.extend(self.codes.iter().map(|column| column[row]));
    }
}

/// The last rows, in blocks that a clone shares until one of the two changes them.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Window {
    rows_max: usize,
    numeric: usize,
    categorical: usize,
    blocks: VecDeque<Arc<Block>>,
    /// Rows of the first block that have left.
    left: usize,
}

/// A row of a window: its block, and its place there; in the order of age, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::learn) struct Place {
    pub block: u32,
    pub row: u32,
}

impl Window {
    pub fn new(rows_max: usize, numeric: usize, categorical: usize) -> Self {
        Self { rows_max, numeric, categorical, blocks: VecDeque::new(), left: 0 }
    }

    /// Takes a row in; the oldest leaves where there are too many.
    pub fn push(&mut self, numbers: &[f32], codes: &[u32], target: f32, weight: f32) {
        if self.blocks.back().is_none_or(|block| block.len == BLOCK) {
            self.blocks.push_back(Arc::new(Block::new(self.numeric, self.categorical)));
        }
        let last = self.blocks.back_mut().expect("a block was just made sure of");
        Arc::make_mut(last).push(numbers, codes, target, weight);
        if self.len() > self.rows_max {
            self.left += 1;
            if self.left == BLOCK {
                self.blocks.pop_front();
                self.left = 0;
            }
        }
    }

    /// A window that forgets only what it is told to.
    pub fn endless(numeric: usize, categorical: usize) -> Self {
        Self::new(usize::MAX, numeric, categorical)
    }

    /// Numeric columns.
    pub fn numeric(&self) -> usize {
        self.numeric
    }

    /// Categorical columns.
    pub fn categorical(&self) -> usize {
        self.categorical
    }

    /// An endless window of the same columns, without rows.
    pub fn empty(&self) -> Self {
        Self::endless(self.numeric, self.categorical)
    }

    /// Takes in a row of another window of the same columns.
    pub fn push_from(&mut self, other: &Self, place: Place) {
        let block = other.block(place);
        let (mut numbers, mut codes) = (Vec::new(), Vec::new());
        block.row_into(place.row as usize, &mut numbers, &mut codes);
        self.push(&numbers, &codes, other.target(place), other.weight(place));
    }

    /// Forgets the `rows` oldest, of which there are as many.
    pub fn drop_oldest(&mut self, rows: usize) {
        debug_assert!(rows <= self.len());
        self.left += rows;
        while self.left >= BLOCK {
            self.blocks.pop_front();
            self.left -= BLOCK;
        }
        if self.len() == 0 {
            (self.blocks, self.left) = (VecDeque::new(), 0);
        }
    }

    /// Forgets a row; the newest takes its place.
    pub fn remove(&mut self, place: Place) {
        let last = self.blocks.len() - 1;
        let newest = Place { block: last as u32, row: self.blocks[last].len as u32 - 1 };
        if place != newest {
            let (mut numbers, mut codes) = (Vec::new(), Vec::new());
            self.block(newest).row_into(newest.row as usize, &mut numbers, &mut codes);
            let (target, weight) = (self.target(newest), self.weight(newest));
            let block = Arc::make_mut(&mut self.blocks[place.block as usize]);
            block.set(place.row as usize, &numbers, &codes, target, weight);
        }
        let block = Arc::make_mut(&mut self.blocks[last]);
        block.len -= 1;
        if block.len == 0 {
            self.blocks.pop_back();
        }
        if self.len() == 0 {
            (self.blocks, self.left) = (VecDeque::new(), 0);
        }
    }

    /// Rows that are there.
    pub fn len(&self) -> usize {
        // All blocks but the last are full.
        let last = self.blocks.back().map_or(0, |block| block.len);
        self.blocks.len().saturating_sub(1) * BLOCK + last - self.left
    }

    /// The blocks, newest first, with their numbers and the first row of each that has not left.
    pub fn newest_first(&self) -> impl Iterator<Item = (u32, &Block, usize)> {
        let blocks = self.blocks.iter().enumerate().rev();
        blocks.map(|(index, block)| (index as u32, &**block, if index == 0 { self.left } else { 0 }))
    }

    pub fn target(&self, place: Place) -> f32 {
        self.blocks[place.block as usize].targets[place.row as usize]
    }

    pub fn weight(&self, place: Place) -> f32 {
        self.blocks[place.block as usize].weights[place.row as usize]
    }

    /// Rows that came in after a row.
    pub fn age(&self, place: Place) -> usize {
        let last = self.blocks.back().map_or(0, |block| block.len);
        let newer = self.blocks.len() - 1 - place.block as usize;
        newer * BLOCK + last - 1 - place.row as usize
    }

    /// The number in a column of a row.
    pub fn number(&self, place: Place, column: usize) -> f32 {
        self.blocks[place.block as usize].numbers[column][place.row as usize]
    }

    /// Copies a row out.
    pub fn copy(&self, place: Place, numbers: &mut [f32], codes: &mut [u32]) {
        let (block, row) = (self.block(place), place.row as usize);
        numbers.iter_mut().zip(&block.numbers).for_each(|(number, column)| *number = column[row]);
        codes.iter_mut().zip(&block.codes).for_each(|(code, column)| *code = column[row]);
    }

    /// All rows, oldest first.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let blocks = (0..).zip(&self.blocks);
        blocks.flat_map(|(index, block)| {
            let first = if index == 0 { self.left } else { 0 };
            (first..block.len).map(move |row| Place { block: index, row: row as u32 })
        })
    }

    pub fn block(&self, place: Place) -> &Block {
        &self.blocks[place.block as usize]
    }

    /// Blocks that this and another window share.
    #[cfg(test)]
    pub fn shared(&self, other: &Self) -> usize {
        self.blocks.iter().filter(|block| other.blocks.iter().any(|other| Arc::ptr_eq(block, other))).count()
    }

    #[cfg(test)]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(rows_max: usize, rows: usize) -> Window {
        let mut window = Window::new(rows_max, 1, 1);
        (0..rows).for_each(|row| window.push(&[row as f32], &[row as u32], row as f32, 1.0));
        window
    }

    #[test]
    fn it_has_the_last_rows_in_their_order_whatever_the_blocks() {
        for rows_max in [1, 2, 63, 64, 65, 200] {
            for rows in [0, 1, 63, 64, 65, 128, 300] {
                let window = filled(rows_max, rows);
                let expected: Vec<f32> =
                    (rows.saturating_sub(rows_max)..rows).map(|row| row as f32).collect();
                let found: Vec<f32> = window.places().map(|place| window.target(place)).collect();
                assert_eq!(found, expected, "{rows} into {rows_max}");
                assert_eq!(window.len(), expected.len());
                assert!(window.blocks() <= rows_max.div_ceil(BLOCK) + 1);
            }
        }
    }

    #[test]
    fn forgetting_rows_leaves_the_others() {
        for (rows, dropped) in [(200, 0), (200, 64), (200, 130), (200, 200), (64, 64), (65, 64)] {
            let mut window = Window::endless(1, 1);
            (0..rows).for_each(|row| window.push(&[row as f32], &[row as u32], row as f32, 1.0));
            window.drop_oldest(dropped);
            window.push(&[7.0], &[7], 7.0, 1.0);
            let mut expected: Vec<f32> = (dropped..rows).map(|row| row as f32).chain([7.0]).collect();
            let targets =
                |window: &Window| -> Vec<f32> { window.places().map(|place| window.target(place)).collect() };
            assert_eq!(targets(&window), expected);
            while !expected.is_empty() {
                let at = expected.len() / 3;
                let place = window.places().nth(at).unwrap();
                window.remove(place);
                expected.swap_remove(at);
                assert_eq!(targets(&window), expected);
                assert_eq!(window.len(), expected.len());
            }
        }
    }

    #[test]
    fn a_clone_shares_the_blocks_that_did_not_change_and_never_sees_a_later_row() {
        let mut window = filled(1_000, 1_500);
        let before = window.clone();
        let targets: Vec<f32> = before.places().map(|place| before.target(place)).collect();
        window.push(&[7.0], &[7], 7.0, 1.0);
        assert_eq!(window.shared(&before), before.blocks() - 1);
        (0..100).for_each(|_| window.push(&[8.0], &[8], 8.0, 1.0));
        assert_eq!(before.places().map(|place| before.target(place)).collect::<Vec<_>>(), targets);
    }
}
