//! One order for everything: numbered entries, made durable in groups, that a restart applies again.
//!
//! `docs/journal.md` describes the format for readers in other languages.

mod checkpoint;
mod clock;
mod entry;
mod error;
mod file;
mod frame;
mod hash;
mod home;
mod lines;
mod owner;
mod release;
mod replay;
mod scan;
mod segment;
#[cfg(test)]
mod tests;
mod topic;

pub use checkpoint::{Checkpoint, CheckpointStore};
pub use entry::{Action, Body, Entry, Part, Skip};
pub use error::JournalError;
pub use file::{FileJournal, Opening};
pub use frame::Line;
pub use hash::{describe, hash_records};
pub use home::{Home, Journal, OnFailure, OnProgress, Progress};
pub use lines::Lines;
pub use replay::{KafkaRecords, RecordSource, Replay};
pub use scan::Scan;
pub use segment::SegmentReader;
pub use topic::{TopicJournal, TopicOpening};
