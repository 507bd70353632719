//! Small helpers for reading a saved state back.

use crate::state::StateError;

/// The error for a tensor that holds something else than it must.
pub(super) fn mismatch(path: &str, found: impl Into<String>, expected: impl Into<String>) -> StateError {
    StateError::Mismatch { path: path.into(), found: found.into(), expected: expected.into() }
}

/// The elements of a tensor that has exactly `N` of them.
pub(super) fn exactly<T, const N: usize>(values: Vec<T>, path: &str) -> Result<[T; N], StateError> {
    values.try_into().map_err(|values: Vec<T>| {
        mismatch(path, format!("{} elements", values.len()), format!("{N} elements"))
    })
}

/// The elements of a tensor that has exactly `len` of them.
pub(super) fn sized<T>(values: Vec<T>, len: usize, path: &str) -> Result<Vec<T>, StateError> {
    if values.len() == len {
        Ok(values)
    } else {
        Err(mismatch(path, format!("{} elements", values.len()), format!("{len} elements")))
    }
}
