//! The journal in a Kafka topic: entries and all that they put on topics, in transactions under the topic's name
//! (KIP-98). A usurper fences the owner; what one transaction holds is there or not there, the mark of sent outputs
//! included, so that nothing leaves twice.

mod commit;
mod open;
mod reader;

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::clock::EntryClock;
use super::entry::{Body, Entry};
use super::error::JournalError;
use super::frame::Line;
use super::home::{Journal, OnFailure, OnProgress, Progress};
use super::lines::Lines;
use super::release::Release;
use crate::config::JournalConfig;
use crate::stream::{Endpoint, Outputs, SpareMemory, delete_before};

pub use open::TopicOpening;
pub use reader::TopicReader;

/// Kafka's own limit of a record is a million bytes or so.
const PAYLOAD_MAX: usize = 900_000;

pub struct TopicJournal {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    /// Held until it is closed: for so long this process owns the pipeline's folder.
    owner: Mutex<Option<File>>,
}

struct Shared {
    endpoint: Endpoint,
    topic: Arc<str>,
    config: JournalConfig,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    durable: AtomicU64,
    acknowledged: AtomicU64,
    stop: AtomicBool,
    failed: AtomicBool,
    on_progress: OnProgress,
    on_failure: OnFailure,
}

/// What the next transaction takes.
struct Waiting {
    /// Entries, as records of the journal's topic.
    lines: Outputs,
    spare: Arc<SpareMemory>,
    next: u64,
    time: EntryClock,
    closed: bool,
    release: Release,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic inside these short sections cannot leave them half done: they only move values.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> Progress {
        Progress {
            durable: self.durable.load(Ordering::Acquire),
            acknowledged: self.acknowledged.load(Ordering::Acquire),
        }
    }

    /// Nothing can be appended from here on, and whoever opened the journal is told why.
    fn fail(&self, error: JournalError) {
        tracing::error!(%error, "the journal cannot go on");
        self.lock().closed = true;
        if !self.failed.swap(true, Ordering::SeqCst) {
            (self.on_failure)(error);
        }
    }
}

impl Journal for TopicJournal {
    fn append(&self, body: Body) -> Result<Entry, JournalError> {
        let mut waiting = self.shared.lock();
        if waiting.closed {
            return Err(JournalError::Closed);
        }
        let entry = Entry { n: waiting.next, time_ms: waiting.time.now_ms(), body };
        let payload = entry.to_json();
        if payload.len() > PAYLOAD_MAX {
            return Err(JournalError::TooLarge { bytes: payload.len(), bytes_max: PAYLOAD_MAX });
        }
        if matches!(entry.body, Body::Skip(_)) {
            waiting.release.skips.insert(entry.n);
        }
        waiting.next += 1;
        waiting.push_line(&self.shared.topic, &payload);
        drop(waiting);
        self.shared.changed.notify_all();
        Ok(entry)
    }

    fn release(&self, n: u64, after: u64, outputs: Outputs) {
        if self.shared.lock().release.push(n, after, outputs) {
            self.shared.changed.notify_all();
        }
    }

    fn progress(&self) -> Progress {
        self.shared.progress()
    }

    fn wait_durable(&self, n: u64, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut waiting = self.shared.lock();
        while self.shared.durable.load(Ordering::Acquire) < n {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn last(&self) -> u64 {
        self.shared.lock().next - 1
    }

    fn now_ms(&self) -> u64 {
        self.shared.lock().time.now_ms()
    }

    /// Deletes the records before the line of entry `before`. What that frees is for the broker to say: 0.
    fn trim(&self, before: u64) -> Result<u64, JournalError> {
        let before = before.min(self.progress().acknowledged);
        let Shared { endpoint, topic, .. } = &*self.shared;
        let mut reader = TopicReader::open(endpoint, topic, before)?;
        while let Some(line) = reader.next_line()? {
            if matches!(line, Line::Entry(entry) if entry.n >= before) {
                delete_before(endpoint, topic, 0, reader.offset())?;
                break;
            }
        }
        Ok(0)
    }

    fn close(&self, deadline: Instant) -> Progress {
        let last = self.last();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            while !self.shared.failed.load(Ordering::SeqCst)
                && self.progress().acknowledged < last
                && Instant::now() < deadline
            {
                thread::sleep(Duration::from_millis(2));
            }
            self.shared.lock().closed = true;
            self.shared.stop.store(true, Ordering::SeqCst);
            self.shared.changed.notify_all();
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.progress()
    }
}

impl Drop for TopicJournal {
    fn drop(&mut self) {
        self.close(Instant::now());
    }
}

impl Waiting {
    fn push_line(&mut self, topic: &Arc<str>, payload: &[u8]) {
        self.lines.push_with(topic, Some(0), None, |value| value.extend_from_slice(payload));
    }
}
