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

/// Adds the values of a row's leaves, one of each tree, to its margins, `[rungs, margins]`.
#[inline(always)]
pub(super) fn add<'a>(leaves: impl Iterator<Item = (&'a [f32], usize)>, margins: &mut [f32]) {
    // The usual ladder of one margin stays in registers; to add in memory is to wait for every store.
    if let [first, second, third] = margins {
        let mut sums = [*first, *second, *third];
        for (values, leaf) in leaves {
            let (steps, _) = values.as_chunks::<3>();
            sums.iter_mut().zip(&steps[leaf]).for_each(|(sum, value)| *sum += value);
        }
        [*first, *second, *third] = sums;
        return;
    }
    let width = margins.len();
    for (values, leaf) in leaves {
        let values = &values[leaf * width..(leaf + 1) * width];
        margins.iter_mut().zip(values).for_each(|(margin, value)| *margin += value);
    }
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
    add(trees.map(|(structure, values)| (values, structure.place(row))), margins);
}
