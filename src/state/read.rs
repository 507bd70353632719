//! What every part needs to read its tensors back.

use std::fmt::Display;

use super::tensors::StateError;

/// The error for a tensor that holds something else than it must.
pub fn mismatch(path: &str, found: impl Display, expected: impl Display) -> StateError {
    StateError::Mismatch { path: path.into(), found: found.to_string(), expected: expected.to_string() }
}

/// The elements of a tensor that has exactly `expected` of them.
pub fn sized<T>(values: Vec<T>, expected: usize, path: &str) -> Result<Vec<T>, StateError> {
    if values.len() == expected {
        return Ok(values);
    }
    Err(mismatch(path, format_args!("{} elements", values.len()), format_args!("{expected} elements")))
}

/// The numbers of a tensor whose numbers are all finite.
pub fn finite<T: Copy + Into<f64>>(values: Vec<T>, path: &str) -> Result<Vec<T>, StateError> {
    at_least(values, f64::MIN, path)
}

/// The numbers of a tensor whose numbers are all finite, and none below `lowest`.
pub fn at_least<T: Copy + Into<f64>>(values: Vec<T>, lowest: f64, path: &str) -> Result<Vec<T>, StateError> {
    let odd = |value: &f64| !value.is_finite() || *value < lowest;
    match values.iter().map(|value| (*value).into()).find(odd) {
        Some(value) if lowest > f64::MIN => {
            Err(mismatch(path, value, format_args!("finite numbers from {lowest}")))
        }
        Some(value) => Err(mismatch(path, value, "finite numbers")),
        None => Ok(values),
    }
}
