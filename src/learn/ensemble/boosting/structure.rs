//! The tests of one small tree.

use crate::learn::counter::mix;
use crate::learn::tree::row::Row;

/// No test: a leaf.
pub(super) const LEAF: u32 = u32::MAX;
/// With a categorical column.
const CATEGORY: u32 = 1 << 31;

/// Buckets into which a tree hashes categories.
pub(super) const BUCKETS: u32 = 64;

/// A test, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    /// Its column, with a mark; or [`LEAF`].
    pub test: u32,
    /// The first of two children that are neighbours; of a leaf its number.
    pub first: u32,
    /// The bits of the threshold, or a set of buckets.
    pub value: u64,
}

impl Node {
    pub fn leaf(number: usize) -> Self {
        Self { test: LEAF, first: number as u32, value: 0 }
    }

    /// Rows above the threshold go to the second child; missing values to the first.
    pub fn threshold(column: usize, threshold: f32, first: usize) -> Self {
        Self { test: column as u32, first: first as u32, value: u64::from(threshold.to_bits()) }
    }

    /// Rows whose category falls into one of the buckets go to the second child.
    pub fn buckets(column: usize, buckets: u64, first: usize) -> Self {
        Self { test: column as u32 | CATEGORY, first: first as u32, value: buckets }
    }

    /// Whether it may be node `at` of so many in a tree with so many leaves over so many columns.
    pub fn fits(self, at: usize, nodes: usize, leaves: usize, numeric: usize, categorical: usize) -> bool {
        let (first, column) = (self.first as usize, (self.test & !CATEGORY) as usize);
        if self.test == LEAF {
            return first < leaves;
        }
        let columns = if self.test & CATEGORY > 0 { categorical } else { numeric };
        let finite = self.test & CATEGORY > 0 || f32::from_bits(self.value as u32).is_finite();
        column < columns && finite && first > at && first + 1 < nodes
    }
}

/// The bucket of a category in a tree with this salt: each tree has its own, so that categories which share a bucket in
/// one are told apart in others.
#[inline(always)]
pub(super) fn bucket(category: u64, salt: u64) -> u32 {
    (mix(category ^ salt) >> 58) as u32
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Structure {
    /// Node 0 is the root; children are behind their parents.
    pub nodes: Box<[Node]>,
    pub leaves: usize,
    pub salt: u64,
}

impl Structure {
    /// The leaf that a row reaches.
    #[inline(always)]
    pub fn place(&self, row: &Row) -> usize {
        let mut node = self.nodes[0];
        while node.test != LEAF {
            let second = if node.test & CATEGORY > 0 {
                let category = row.categorical[(node.test & !CATEGORY) as usize];
                node.value >> bucket(category, self.salt) & 1 == 1
            } else {
                row.numeric[node.test as usize] > f32::from_bits(node.value as u32)
            };
            node = self.nodes[node.first as usize + usize::from(second)];
        }
        node.first as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_by_thresholds_and_by_the_buckets_of_their_categories() {
        let set = 1_u64 << bucket(7, 3);
        let nodes = [
            Node::threshold(1, 0.5, 1),
            Node::leaf(0),
            Node::buckets(0, set, 3),
            Node::leaf(1),
            Node::leaf(2),
        ];
        let structure = Structure { nodes: nodes.into(), leaves: 3, salt: 3 };
        let other = (0..).find(|category| bucket(*category, 3) != bucket(7, 3)).unwrap();
        for (x, category, leaf) in [(0.5, 7, 0), (f32::NAN, 7, 0), (0.6, 7, 2), (0.6, other, 1)] {
            let row = Row { numeric: vec![9.0, x, 0.0], categorical: vec![category] };
            assert_eq!(structure.place(&row), leaf);
        }
        assert!(nodes.iter().enumerate().all(|(at, node)| node.fits(at, 5, 3, 2, 1)));
        assert!(
            !nodes[0].fits(1, 5, 3, 2, 1) && !nodes[2].fits(2, 5, 3, 2, 0) && !nodes[4].fits(4, 5, 2, 2, 1)
        );
    }
}
