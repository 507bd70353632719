use std::io;
use std::path::{Path, PathBuf};

use crate::stream::StreamError;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// What is stored cannot be what was written (exit code 6).
    #[error("{path} at byte {place}: {reason}; restore the file or remove what follows the last good frame")]
    Corrupt { path: PathBuf, place: u64, reason: String },
    /// A record of the journal's topic is none that we wrote (exit code 6).
    #[error(
        "topic {topic:?} at offset {offset}: {reason}; the topic is to hold nothing but this pipeline's journal"
    )]
    Foreign { topic: String, offset: i64, reason: String },
    /// Another instance has taken the pipeline over (exit code 5). Kafka says the same of an owner that it gave up waiting for.
    #[error(
        "topic {topic:?}: another instance has taken this pipeline over, or a transaction was open for longer than \
         journal.transaction_timeout_ms: {reason}"
    )]
    Fenced { topic: String, reason: String },
    /// The producer cannot be used any more; the next start finds out what came about (exit code 1).
    #[error("topic {topic:?}: a transaction has failed for good: {reason}; start again to recover")]
    Broken { topic: String, reason: String },
    /// Entries are missing that something stored has learned from (exit code 6).
    #[error(
        "{path}: the journal ends at entry {last}, but a checkpoint or a version is of entry {reached}: entries are missing at its end"
    )]
    Short { path: PathBuf, last: u64, reached: u64 },
    /// Earlier entries were removed, as `journal.trim` says (exit code 4).
    #[error(
        "{path}: the journal begins at entry {first}, but entry {from} is asked for; start from a checkpoint of entry {} or later",
        first - 1
    )]
    Begins { path: PathBuf, first: u64, from: u64 },
    /// Kafka's records are not the ones that the journal names (exit code 4).
    #[error("entry {entry}: topic {topic:?} partition {partition} offsets {first} to {last}: {reason}")]
    Gap { entry: u64, topic: String, partition: i32, first: i64, last: i64, reason: String },
    /// What an entry puts on topics is refused, and trying again does not help.
    #[error(
        "the outputs of entry {entry} for topic {topic} were refused {tries} times, last with: {reason}; they are sent again by the next start"
    )]
    Refused { entry: u64, topic: String, tries: u32, reason: String },
    /// A reader would take a longer frame for a torn one.
    #[error("an entry of {bytes} bytes is too large for the journal, expected at most {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
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
