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
    fn new(numeric: usize, categorical: usize) -> Self {
        Self {
            len: 0,
            numbers: vec![[0.0; BLOCK]; numeric],
            codes: vec![[0; BLOCK]; categorical],
            targets: [0.0; BLOCK],
            weights: [0.0; BLOCK],
        }
    }

    fn push(&mut self, numbers: &[f32], codes: &[u32], target: f32, weight: f32) {
        let row = self.len;
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column[row] = *number;
        }
        for (column, code) in self.codes.iter_mut().zip(codes) {
            column[row] = *code;
        }
        self.targets[row] = target;
        self.weights[row] = weight;
        self.len += 1;
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

/// A row of a window: its block, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
