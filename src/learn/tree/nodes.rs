//! The tests inside a tree, and the way of a row through them.

use std::sync::Arc;

use super::row::Row;

/// Which test a node makes: a numeric column, or one of these marks with a categorical column.
const LEAF: u32 = u32::MAX;
const EQUAL: u32 = 1 << 31;
const FAN: u32 = 1 << 30;
/// With a numeric column: a missing value goes to the first child.
const MISSING_FIRST: u32 = 1 << 29;
const COLUMN: u32 = MISSING_FIRST - 1;

/// A place in a tree: a test, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::learn) struct Node {
    pub test: u32,
    /// The first child, the others follow it; of a leaf its number.
    pub first: u32,
    /// The bits of the threshold, the category, or the number of the fan.
    pub value: u64,
}

/// A test that a split makes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) enum Test {
    /// At most the threshold: first child; else second. Missing values go where most rows went.
    Threshold { column: usize, threshold: f32, missing_first: bool },
    /// The category: first child; else second.
    Equal { column: usize, category: u64 },
    /// Each of the sorted categories has a child of its own; all others share the last.
    Fan { column: usize, categories: Vec<u64> },
}

impl Test {
    pub fn children(&self) -> usize {
        match self {
            Self::Fan { categories, .. } => categories.len() + 1,
            _ => 2,
        }
    }
}

impl Node {
    pub fn leaf(leaf: usize) -> Self {
        Self { test: LEAF, first: leaf as u32, value: 0 }
    }

    #[inline(always)]
    pub fn is_leaf(self) -> bool {
        self.test == LEAF
    }

    /// Whether it has a child for each of some categories.
    pub fn is_fan(self) -> bool {
        !self.is_leaf() && self.test & (EQUAL | FAN) == FAN
    }

    /// Of a node that is no leaf: its column, and its threshold where that is numeric.
    #[cfg(test)]
    pub fn column_and_threshold(self) -> (usize, Option<f32>) {
        let threshold = (self.test & (EQUAL | FAN) == 0).then_some(f32::from_bits(self.value as u32));
        ((self.test & COLUMN) as usize, threshold)
    }

    /// The child that a row goes to.
    #[inline(always)]
    fn next(self, row: &Row, fans: &[Fan]) -> u32 {
        let column = (self.test & COLUMN) as usize;
        if self.test < FAN {
            let x = row.numeric[column];
            let threshold = f32::from_bits(self.value as u32);
            let first = (x <= threshold) | ((self.test & MISSING_FIRST > 0) & x.is_nan());
            return self.first + u32::from(!first);
        }
        let category = row.categorical[column];
        if self.test & EQUAL > 0 {
            return self.first + u32::from(category != self.value);
        }
        let fan = &fans[self.value as usize];
        self.first + fan.binary_search(&category).unwrap_or(fan.len()) as u32
    }

    /// How many children it has; none for a leaf.
    pub fn children(self, fans: &[Fan]) -> usize {
        match self.test {
            LEAF => 0,
            test if test < FAN || test & EQUAL > 0 => 2,
            _ => fans[self.value as usize].len() + 1,
        }
    }

    /// Whether its column is one of so many numeric or categorical ones, and its fan one of so many.
    pub fn fits(self, numeric: usize, categorical: usize, fans: usize) -> bool {
        let column = (self.test & COLUMN) as usize;
        match self.test {
            LEAF => true,
            test if test < FAN => column < numeric && f32::from_bits(self.value as u32).is_finite(),
            test if test & EQUAL > 0 => test & (FAN | MISSING_FIRST) == 0 && column < categorical,
            test => test & MISSING_FIRST == 0 && column < categorical && self.value < fans as u64,
        }
    }
}

/// The categories that have a child of their own at a node, sorted.
pub(in crate::learn) type Fan = Arc<[u64]>;

/// From node `from` down to the leaf that a row reaches; gives the leaf's node.
#[inline(always)]
pub(in crate::learn) fn descend(from: u32, row: &Row, fans: &[Fan], node: impl Fn(u32) -> Node) -> u32 {
    let mut at = from;
    loop {
        let here = node(at);
        if here.is_leaf() {
            return at;
        }
        at = here.next(row, fans);
    }
}

/// The nodes of a tree; node 0 is the root.
#[derive(Debug, Clone, Default)]
pub(in crate::learn) struct Nodes {
    pub all: Vec<Node>,
    pub fans: Vec<Fan>,
    /// Which were made or changed since the last publish.
    pub changed: Vec<bool>,
}

impl Nodes {
    pub fn push(&mut self, node: Node) -> u32 {
        self.all.push(node);
        self.changed.push(true);
        self.all.len() as u32 - 1
    }

    pub fn set(&mut self, at: u32, node: Node) {
        self.all[at as usize] = node;
        self.changed[at as usize] = true;
    }

    /// Puts a test into node `at`, whose children will be at `first` and behind.
    pub fn set_test(&mut self, at: u32, test: &Test, first: u32) {
        let (test, value) = match test {
            Test::Threshold { column, threshold, missing_first } => {
                let mark = if *missing_first { MISSING_FIRST } else { 0 };
                (*column as u32 | mark, u64::from(threshold.to_bits()))
            }
            Test::Equal { column, category } => (*column as u32 | EQUAL, *category),
            Test::Fan { column, categories } => {
                self.fans.push(categories.as_slice().into());
                (*column as u32 | FAN, self.fans.len() as u64 - 1)
            }
        };
        self.set(at, Node { test, first, value });
    }

    /// The node of the leaf that a row reaches from `from`.
    #[inline(always)]
    pub fn descend(&self, from: u32, row: &Row) -> u32 {
        descend(from, row, &self.fans, |at| self.all[at as usize])
    }

    #[inline(always)]
    pub fn next(&self, at: u32, row: &Row) -> u32 {
        self.all[at as usize].next(row, &self.fans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(test: &Test, numeric: f32, category: u64) -> u32 {
        let mut nodes = Nodes::default();
        let root = nodes.push(Node::leaf(0));
        (0..test.children()).for_each(|leaf| _ = nodes.push(Node::leaf(leaf)));
        nodes.set_test(root, test, 1);
        let row = Row { numeric: vec![9.0, numeric, 0.0], categorical: vec![9, category] };
        nodes.descend(root, &row) - 1
    }

    #[test]
    fn a_threshold_is_of_the_first_child_and_missing_values_go_where_the_test_says() {
        for missing_first in [false, true] {
            let test = Test::Threshold { column: 1, threshold: 0.5, missing_first };
            let ways = [0.4, 0.5, 0.6, f32::NAN].map(|x| route(&test, x, 0));
            assert_eq!(ways, [0, 0, 1, u32::from(!missing_first)]);
        }
    }

    #[test]
    fn a_category_goes_to_its_child_and_others_to_the_last() {
        let test = Test::Equal { column: 1, category: 7 };
        assert_eq!([7, 8, 0].map(|category| route(&test, 0.0, category)), [0, 1, 1]);
        let test = Test::Fan { column: 1, categories: vec![0, 5, u64::MAX] };
        assert_eq!([0, 5, u64::MAX, 6].map(|category| route(&test, 0.0, category)), [0, 1, 2, 3]);
    }
}
