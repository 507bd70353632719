//! Tidewheel: streaming machine learning that never stops learning.
//!
//! The rooms, in the order of the data's way through them; each imports only rooms before it.

pub mod cli;
pub mod config;
pub mod detect;
pub mod join;
pub mod journal;
pub mod learn;
pub mod monitor;
pub mod pipeline;
pub mod prequential;
pub mod registry;
pub mod schema;
pub mod serve;
pub mod state;
pub mod stream;

#[cfg(test)]
mod testing;
