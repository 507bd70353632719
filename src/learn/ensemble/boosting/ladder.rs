//! Trees whose leaves have a value for each rung and margin.
//!
//! The rungs are the same trees, of which the leaves step with different sizes after each example: the lowest is almost
//! what batch boosting would have, the highest follows the labels of the moment. They share the structure, the way of a
//! row to its leaves, and so most of the cost.

use std::sync::Arc;

use super::structure::Structure;
use crate::learn::tree::row::Row;

/// A tree in use.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub structure: Arc<Structure>,
    /// `[leaves, rungs, margins]`.
    pub values: Vec<f32>,
    /// Examples learned when it was grown.
    pub born: u64,
    /// Its place in the window.
    pub slot: usize,
}

/// Adds a leaf's values to margins, `[rungs, margins]`.
#[inline(always)]
pub(super) fn add(values: &[f32], leaf: usize, margins: &mut [f32]) {
    let width = margins.len();
    let values = &values[leaf * width..(leaf + 1) * width];
    margins.iter_mut().zip(values).for_each(|(margin, value)| *margin += value);
}

/// Margins of a row, `[rungs, margins]`.
pub(super) fn climb<'a>(
    trees: impl Iterator<Item = (&'a Structure, &'a [f32])>,
    base: &[f32],
    row: &Row,
    margins: &mut Vec<f32>,
) {
    margins.clear();
    margins.extend_from_slice(base);
    trees.for_each(|(structure, values)| add(values, structure.place(row), margins));
}
