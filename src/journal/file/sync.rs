//! The thread that makes entries durable: whatever was appended while the last group was being synced is the next.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::tail::Tail;
use super::{Shared, lock};
use crate::journal::error::JournalError;

/// How long a full disk is given before the write is tried again; a stop ends the wait.
const RETRY: Duration = Duration::from_secs(1);
/// The stop flag and leftover marks are looked at this often when nothing is appended.
const IDLE: Duration = Duration::from_millis(200);

/// What was appended since the last group.
struct Group {
    frames: Vec<u8>,
    /// First entry; None when there are marks only.
    first: Option<u64>,
    last: u64,
}

enum WriteError {
    /// Nothing of the group is in the file: it can be tried again.
    Passing(JournalError),
    /// Nothing can be promised any more.
    Fatal(JournalError),
}

pub(super) fn run(shared: &Shared, mut tail: Option<Tail>, stop: &AtomicBool) {
    while let Some(group) = take_group(shared, stop) {
        let start = Instant::now();
        loop {
            match write_group(shared, &mut tail, &group) {
                Ok(()) => break,
                Err(WriteError::Fatal(error)) => return shared.fail(error),
                Err(WriteError::Passing(error)) => {
                    tracing::error!(%error, "the journal cannot be written; outputs wait until it can");
                    metrics::counter!("tidewheel_journal_write_errors_total").increment(1);
                }
            }
            if stop.load(Ordering::SeqCst) {
                tracing::error!(first = group.first, last = group.last, "stopped before these were written");
                return;
            }
            // `close` ends the wait; should it end by itself, the write is tried a little early.
            std::thread::park_timeout(RETRY);
        }
        if group.first.is_some() {
            metrics::histogram!("tidewheel_journal_sync_seconds").record(start.elapsed());
            shared.durable.store(group.last, Ordering::Release);
            shared.to_send.notify_all();
            (shared.on_progress)(shared.progress());
        }
    }
    // The last marks.
    if let Some(tail) = &tail
        && let Err(error) = tail.sync()
    {
        tracing::warn!(%error, "the last mark could not be synced: outputs may be sent again");
    }
}

/// Waits for the next group; None when all was written and there will be no more.
fn take_group(shared: &Shared, stop: &AtomicBool) -> Option<Group> {
    let mut writer = lock(&shared.writer);
    loop {
        // Before the buffer is looked at: what was added before the stop is written.
        let stopping = stop.load(Ordering::SeqCst);
        if writer.first.is_none() && !stopping {
            let waited = shared.to_write.wait_timeout(writer, IDLE);
            writer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !writer.buffer.is_empty() {
            let frames = std::mem::take(&mut writer.buffer);
            return Some(Group { frames, first: writer.first.take(), last: writer.next - 1 });
        }
        if stopping {
            return None;
        }
    }
}

/// Appends a group of frames, and syncs it when there are entries in it.
fn write_group(shared: &Shared, tail: &mut Option<Tail>, group: &Group) -> Result<(), WriteError> {
    if let Some(first) = group.first
        && tail.as_ref().is_none_or(|tail| tail.len() >= shared.config.segment_bytes_max)
    {
        if let Some(full) = tail {
            // It may end in a mark that no entry followed: a torn frame is allowed in the last segment only.
            full.sync().map_err(|source| fatal(full, source))?;
        }
        let created = Tail::create(&shared.dir, first);
        *tail = Some(created.map_err(|source| {
            let fatal = source.kind() == std::io::ErrorKind::AlreadyExists;
            let error = JournalError::io("create a segment in", &shared.dir, source);
            if fatal { WriteError::Fatal(error) } else { WriteError::Passing(error) }
        })?);
    }
    let Some(tail) = tail else {
        // A mark before any entry says nothing.
        return Ok(());
    };
    let bytes = group.frames.len() as u64;
    tail.append(&group.frames)
        .map_err(|source| WriteError::Passing(JournalError::io("write", tail.path(), source)))?;
    metrics::counter!("tidewheel_journal_written_bytes_total").increment(bytes);
    if group.first.is_some()
        && let Err(source) = tail.sync()
    {
        // After a failed fsync the kernel may have dropped the pages, and the next one would succeed all the same.
        if let Err(error) = tail.take_back(bytes) {
            tracing::error!(%error, "frames that could not be synced could not be taken back");
        }
        return Err(fatal(tail, source));
    }
    shared.grew(bytes);
    Ok(())
}

fn fatal(tail: &Tail, source: std::io::Error) -> WriteError {
    WriteError::Fatal(JournalError::io("sync", tail.path(), source))
}
