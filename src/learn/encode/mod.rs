//! Encoders: what turns raw columns into numbers a model can weigh. They learn from every row and are part of the
//! model.
//!
//! `one_hot` and `standardise` are what learners use by themselves. Those that a configuration names (`stages`) go before
//! any learner: a row goes through one after the other (`chain`) and comes to the learner inside (`encoded`) as another
//! row.

mod chain;
mod encoded;
mod one_hot;
mod row;
mod stages;
mod standardise;

#[cfg(test)]
mod tests;

pub use encoded::{Encoded, EncodedPredictor};
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
