//! The thread that makes entries durable: whatever was appended while the last group was being synced is the next.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Shared, lock};
use crate::journal::segment::segment_path;

/// How long a full disk is given before the write is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The stop flag and leftover marks are looked at this often when nothing is appended.
const IDLE: Duration = Duration::from_millis(200);

pub(super) fn run(shared: &Shared, segment: Option<(File, u64)>, stop: &AtomicBool) {
    let mut segment = segment;
    loop {
        let (buffer, first, last) = {
            let mut writer = lock(&shared.writer);
            if writer.first.is_none() && !stop.load(Ordering::SeqCst) {
                let waited = shared.to_write.wait_timeout(writer, IDLE);
                writer = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            (std::mem::take(&mut writer.buffer), writer.first.take(), writer.next - 1)
        };
        if buffer.is_empty() {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            continue;
        }
        let start = Instant::now();
        while let Err(error) = write_group(shared, &mut segment, &buffer, first) {
            tracing::error!(%error, "the journal cannot be written; outputs wait until it can");
            metrics::counter!("tidewheel_journal_write_errors_total").increment(1);
            if stop.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(RETRY);
        }
        if first.is_some() {
            metrics::histogram!("tidewheel_journal_sync_seconds").record(start.elapsed());
            shared.durable.store(last, Ordering::Release);
            shared.to_send.notify_one();
            (shared.on_progress)(shared.progress());
        }
    }
}

/// Appends a group of frames and syncs it; on an error the segment ends where it ended before.
fn write_group(
    shared: &Shared,
    segment: &mut Option<(File, u64)>,
    buffer: &[u8],
    first: Option<u64>,
) -> io::Result<()> {
    if let Some(first) = first
        && segment.as_ref().is_none_or(|(_, len)| *len >= shared.config.segment_bytes_max)
    {
        *segment = Some((create_segment(&shared.dir, first)?, 0));
    }
    let Some((file, len)) = segment else {
        // A mark before any entry says nothing.
        return Ok(());
    };
    if let Err(error) = file.write_all(buffer) {
        file.set_len(*len)?;
        return Err(error);
    }
    *len += buffer.len() as u64;
    metrics::counter!("tidewheel_journal_written_bytes_total").increment(buffer.len() as u64);
    if first.is_some()
        && let Err(error) = file.sync_data()
    {
        // After a failed fsync the kernel may have dropped the pages: nothing can be promised any more.
        tracing::error!(%error, "fdatasync of the journal failed: stopping, so that recovery reads what is there");
        std::process::abort();
    }
    Ok(())
}

fn create_segment(dir: &Path, first: u64) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(segment_path(dir, first))?;
    file.set_len(0)?;
    File::open(dir)?.sync_all()?;
    Ok(file)
}
