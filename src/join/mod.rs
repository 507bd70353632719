//! Pending events and early labels become labelled examples.

mod chunk;
mod cold;
mod cold_row;
mod early;
mod filter;
mod finished;
#[cfg(test)]
mod model;
mod pending;
mod saved;
mod spilled;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod waiting;

pub use chunk::{Chunk, Labelled, Truth};
pub use cold::{ColdError, ColdRows};
pub use finished::Outcome;
pub use pending::{Join, LabelOutcome, Tally};
pub use saved::LoadError;
