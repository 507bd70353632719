//! Pending events and early labels become labelled examples.

mod chunk;
mod cold;
mod cold_row;
mod early;
mod filter;
mod finished;
mod pending;
mod saved;
mod spilled;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use chunk::{Chunk, Labelled, Truth};
pub use cold::{ColdError, ColdRows};
pub use finished::Outcome;
pub use pending::{Join, LabelOutcome, Tally};
