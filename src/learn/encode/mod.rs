//! Encoders: what turns raw columns into numbers a model can weigh. They learn from every row and are part of the
//! model.

mod one_hot;
mod standardise;

pub use one_hot::OneHot;
pub use standardise::{BOUND, Scaling, Standardiser};

use crate::state::{StateError, TensorMap};

/// Reads the part of a state that lies under `prefix/`; errors name the whole path.
pub(super) fn read_under<T>(
    state: &TensorMap,
    prefix: &str,
    read: impl FnOnce(&TensorMap) -> Result<T, StateError>,
) -> Result<T, StateError> {
    read(&state.under(prefix)).map_err(|error| match error {
        StateError::Missing { path } => StateError::Missing { path: format!("{prefix}/{path}") },
        StateError::Mismatch { path, found, expected } => {
            StateError::Mismatch { path: format!("{prefix}/{path}"), found, expected }
        }
        other => other,
    })
}
