use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Body, Entry};
use crate::stream::{Outputs, StreamError};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// What is stored cannot be what was written (exit code 6).
    #[error("{path} at byte {place}: {reason}; restore the file or remove what follows the last good frame")]
    Corrupt { path: PathBuf, place: u64, reason: String },
    /// Kafka's records are not the ones that the journal names (exit code 4).
    #[error("entry {entry}: topic {topic:?} partition {partition} offsets {first} to {last}: {reason}")]
    Gap { entry: u64, topic: String, partition: i32, first: i64, last: i64, reason: String },
    #[error("{0} is owned by another process: stop it, or use another data.dir")]
    Owned(PathBuf),
    #[error("the journal is closed")]
    Closed,
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// How far a journal has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries up to this one survive a power cut.
    pub durable: u64,
    /// Outputs of entries up to this one are on their topics.
    pub acknowledged: u64,
}

/// The home of a pipeline's entries, and the way out for what they cause on topics.
///
/// Outputs go through the journal because the two homes differ in just that: with files they leave after the entry's
/// `fdatasync`; with a topic they leave in one transaction with the entry. Either way nothing that entry *n* causes
/// leaves before *n* is durable.
pub trait Journal: Send + Sync {
    /// Numbers and stamps an entry and sends it on its way to being durable. From any thread; the order of the
    /// numbers is the order of the calls.
    fn append(&self, body: Body) -> Result<Entry, JournalError>;

    /// Hands over what entry `n` puts on topics; in the order of the entries; what is handed over
    /// again, by a recovery, is left out. They leave when entry `after` (`n`, or a later `skip` that `n` depends on) is
    /// durable.
    fn release(&self, n: u64, after: u64, outputs: Outputs);

    fn progress(&self) -> Progress;

    /// Number of the last entry that was appended.
    fn last(&self) -> u64;

    /// Time that an entry would get now.
    fn now_ms(&self) -> u64;

    /// Waits until all that was appended is durable and all that was released is acknowledged, or `deadline` has
    /// passed; then closes. Returns how far it came.
    fn close(&self, deadline: std::time::Instant) -> Progress;
}
