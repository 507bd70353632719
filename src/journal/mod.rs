//! One order for everything: numbered entries, made durable in groups, that a restart applies again.
//!
//! `docs/journal.md` describes the format for readers in other languages.

mod checkpoint;
mod entry;
mod file;
mod hash;
mod home;
mod replay;
mod segment;

pub use checkpoint::{Checkpoint, CheckpointStore};
pub use entry::{Action, Body, Entry, Part, Skip};
pub use file::{FileJournal, OnProgress, Scan};
pub use hash::{describe, hash_records};
pub use home::{Journal, JournalError, Progress};
pub use replay::{KafkaRecords, RecordSource, Replay, parts};
pub use segment::{Line, SegmentReader};
