//! One order for everything: numbered entries, made durable in groups, that a restart applies again.
//!
//! `docs/journal.md` describes the format for readers in other languages.

mod checkpoint;
mod entry;
mod error;
mod file;
mod frame;
mod hash;
mod home;
mod replay;
mod segment;
#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, CheckpointStore};
pub use entry::{Action, Body, Entry, Part, Skip};
pub use error::JournalError;
pub use file::{FileJournal, OnFailure, OnProgress, Opening, Scan};
pub use frame::Line;
pub use hash::{describe, hash_records};
pub use home::{Journal, Progress};
pub use replay::{KafkaRecords, RecordSource, Replay};
pub use segment::{SegmentReader, first_entry};
