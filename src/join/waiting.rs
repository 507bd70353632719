//! A chunk in memory, some rows of which still wait.

use super::chunk::Chunk;

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) chunk: Chunk,
    pub(super) hashes: Vec<u128>,
    /// Rows that still wait.
    pub(super) open: Vec<bool>,
    pub(super) open_count: usize,
}

impl Waiting {
    pub(super) fn new(chunk: Chunk) -> Self {
        let rows = chunk.len();
        Self { chunk, hashes: vec![0; rows], open: vec![false; rows], open_count: 0 }
    }

    pub(super) fn open(&mut self, row: usize, hash: u128) {
        self.hashes[row] = hash;
        self.open[row] = true;
        self.open_count += 1;
    }

    pub(super) fn open_rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.open.len()).filter(|row| self.open[*row])
    }

    /// The same with its waiting rows only.
    pub(super) fn compacted(&self) -> Self {
        let mut small = Self::new(self.chunk.emptied());
        for row in self.open_rows() {
            small.chunk.push_from(&self.chunk, row);
            small.hashes.push(0);
            small.open.push(false);
            small.open(small.chunk.len() - 1, self.hashes[row]);
        }
        small
    }

    pub(super) fn close(&mut self, row: usize) {
        self.open[row] = false;
        self.open_count -= 1;
    }
}
