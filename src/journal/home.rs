use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::entry::{Body, Entry};
use super::error::JournalError;
use crate::stream::{Endpoint, Outputs};

/// Where a pipeline's entries are kept.
#[derive(Debug, Clone)]
pub enum Home {
    /// Checksummed segments in this folder.
    Files(PathBuf),
    /// A Kafka topic of one partition.
    Topic { endpoint: Endpoint, topic: String },
}

/// How far a journal has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries up to this one survive a power cut.
    pub durable: u64,
    /// Outputs of entries up to this one are on their topics.
    pub acknowledged: u64,
}

/// Called from the journal's threads whenever it has come further.
pub type OnProgress = Box<dyn Fn(Progress) + Send + Sync>;

/// Called once, from one of the journal's threads, when the journal cannot go on: the process is to end with this.
pub type OnFailure = Box<dyn Fn(JournalError) + Send + Sync>;

/// The owner of a pipeline's entries, and the way out for what they cause on topics.
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
    /// durable. Every entry is to be released but a `skip`, which has no outputs of its own.
    fn release(&self, n: u64, after: u64, outputs: Outputs);

    fn progress(&self) -> Progress;

    /// Waits until entry `n` is durable, at most so long; whether it is. A full disk may make that never.
    fn wait_durable(&self, n: u64, within: Duration) -> bool;

    /// Number of the last entry that was appended.
    fn last(&self) -> u64;

    /// Time that an entry would get now.
    fn now_ms(&self) -> u64;

    /// Gives the place of entries before `before` back, where it can; later ones stay, and so does whatever is not
    /// acknowledged. Returns the bytes that were freed.
    fn trim(&self, before: u64) -> Result<u64, JournalError>;

    /// Waits until all that was appended is durable and all that was released is acknowledged, or `deadline` has
    /// passed; then closes: nothing can be appended any more. Returns how far it came.
    fn close(&self, deadline: Instant) -> Progress;
}
