//! The journal in files: checksummed segments, group `fdatasync`, at-least-once outputs.

mod open;
mod out;
mod sync;
mod tail;
mod trim;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::clock::EntryClock;
use super::entry::{Body, Entry};
use super::error::JournalError;
use super::frame::{PAYLOAD_MAX, frame};
use super::home::{Journal, OnFailure, OnProgress, Progress};
use super::release::{Release, Released};
use crate::config::JournalConfig;
use crate::stream::Outputs;

pub use open::Opening;

pub struct FileJournal {
    shared: Arc<Shared>,
    /// The sending thread first: its last mark is for the syncing thread to write.
    threads: Mutex<Vec<(Arc<AtomicBool>, thread::JoinHandle<()>)>>,
    /// Held until it is closed: for so long this process owns the folder.
    owner: Mutex<Option<File>>,
}

struct Shared {
    dir: PathBuf,
    config: JournalConfig,
    writer: Mutex<Writer>,
    to_write: Condvar,
    released: Mutex<Release>,
    to_send: Condvar,
    durable: AtomicU64,
    acknowledged: AtomicU64,
    /// Of all segments, and whether that was more than wanted when last looked at.
    bytes: AtomicU64,
    above: AtomicBool,
    bytes_gauge: metrics::Gauge,
    failed: AtomicBool,
    on_progress: OnProgress,
    on_failure: OnFailure,
}

struct Writer {
    /// Frames that the syncing thread has not taken yet.
    buffer: Vec<u8>,
    /// First entry in the buffer, when it holds one.
    first: Option<u64>,
    next: u64,
    time: EntryClock,
    closed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic inside these short sections cannot leave them half done: they only move values.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal for FileJournal {
    fn append(&self, body: Body) -> Result<Entry, JournalError> {
        let mut writer = lock(&self.shared.writer);
        if writer.closed {
            return Err(JournalError::Closed);
        }
        let entry = Entry { n: writer.next, time_ms: writer.time.now_ms(), body };
        let payload = entry.to_json();
        if payload.len() > PAYLOAD_MAX {
            return Err(JournalError::TooLarge { bytes: payload.len(), bytes_max: PAYLOAD_MAX });
        }
        if matches!(entry.body, Body::Skip(_)) {
            lock(&self.shared.released).skips.insert(entry.n);
        }
        writer.next += 1;
        writer.first.get_or_insert(entry.n);
        frame(&payload, &mut writer.buffer);
        drop(writer);
        self.shared.to_write.notify_one();
        Ok(entry)
    }

    fn release(&self, n: u64, after: u64, outputs: Outputs) {
        if lock(&self.shared.released).push(n, after, outputs) {
            self.shared.to_send.notify_all();
        }
    }

    fn progress(&self) -> Progress {
        self.shared.progress()
    }

    fn wait_durable(&self, n: u64, within: Duration) -> bool {
        /// A notification that comes between look and wait is missed; then it is this late.
        const LOOK: Duration = Duration::from_millis(10);
        let deadline = Instant::now() + within;
        let mut released = lock(&self.shared.released);
        while self.shared.durable.load(Ordering::Acquire) < n {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.to_send.wait_timeout(released, left.min(LOOK));
            released = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn last(&self) -> u64 {
        lock(&self.shared.writer).next - 1
    }

    fn now_ms(&self) -> u64 {
        lock(&self.shared.writer).time.now_ms()
    }

    fn trim(&self, before: u64) -> Result<u64, JournalError> {
        let freed = trim::trim(&self.shared.dir, before.min(self.progress().acknowledged))?;
        self.shared.shrank(freed);
        Ok(freed)
    }

    fn close(&self, deadline: Instant) -> Progress {
        let last = self.last();
        let mut threads = lock(&self.threads);
        while !threads.is_empty()
            && !self.shared.failed.load(Ordering::SeqCst)
            && self.progress().acknowledged < last
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(2));
        }
        lock(&self.shared.writer).closed = true;
        for (stop, thread) in threads.drain(..) {
            stop.store(true, Ordering::SeqCst);
            self.shared.to_send.notify_all();
            self.shared.to_write.notify_all();
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        *lock(&self.owner) = None;
        self.progress()
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        self.close(Instant::now());
    }
}

impl Shared {
    fn progress(&self) -> Progress {
        Progress {
            durable: self.durable.load(Ordering::Acquire),
            acknowledged: self.acknowledged.load(Ordering::Acquire),
        }
    }

    /// Nothing can be appended from here on, and whoever opened the journal is told why.
    fn fail(&self, error: JournalError) {
        tracing::error!(%error, "the journal cannot go on");
        lock(&self.writer).closed = true;
        if !self.failed.swap(true, Ordering::SeqCst) {
            (self.on_failure)(error);
        }
    }

    fn grew(&self, bytes: u64) {
        let now = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.measure(now);
    }

    fn shrank(&self, bytes: u64) {
        let now = self.bytes.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        self.measure(now);
    }

    /// Says how large the journal is, and once when it has become larger than wanted.
    fn measure(&self, bytes: u64) {
        self.bytes_gauge.set(bytes as f64);
        let (above, bytes_max) = (bytes > self.config.bytes_max, self.config.bytes_max);
        if above && !self.above.swap(above, Ordering::Relaxed) {
            let dir = self.dir.display();
            tracing::warn!(%dir, bytes, bytes_max, "the journal is larger than journal.bytes_max");
        } else if !above {
            self.above.store(false, Ordering::Relaxed);
        }
    }
}
