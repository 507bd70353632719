//! The stream room and what it imports, compiled from the service's own files, for a run under a sanitiser.

pub mod config;

#[path = "../../../src/stream/mod.rs"]
pub mod stream;

#[cfg(all(test, feature = "self-check"))]
mod self_check;
