//! Small helpers for reading a saved state back.

use crate::state::{StateError, mismatch};

/// The elements of a tensor that has exactly `N` of them.
pub(super) fn exactly<T, const N: usize>(values: Vec<T>, path: &str) -> Result<[T; N], StateError> {
    values.try_into().map_err(|values: Vec<T>| {
        mismatch(path, format!("{} elements", values.len()), format!("{N} elements"))
    })
}
