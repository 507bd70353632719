use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::tail::Tail;
use super::{FileJournal, Shared, Writer, out, sync};
use crate::config::JournalConfig;
use crate::journal::clock::EntryClock;
use crate::journal::error::JournalError;
use crate::journal::home::{OnFailure, OnProgress};
use crate::journal::owner::own;
use crate::journal::release::Release;
use crate::journal::scan::Scan;
use crate::journal::segment::{SegmentReader, segments};
use crate::stream::OutputProducer;

/// What a journal in files is opened with.
pub struct Opening<'a> {
    /// Where its segments are, or will be.
    pub dir: &'a Path,
    /// Name of the pipeline, for metrics.
    pub pipeline: &'a str,
    pub config: &'a JournalConfig,
    /// Entry of the newest checkpoint; 0: there is none.
    pub checkpoint: u64,
    /// Highest entry that a checkpoint or a version is of. A journal that ends before it has lost entries: it is refused,
    /// and left as it is.
    pub reached: u64,
    pub producer: OutputProducer,
    pub on_progress: OnProgress,
    pub on_failure: OnFailure,
}

impl FileJournal {
    /// Takes ownership of a journal's folder: locks it, cuts a torn tail off, and starts the threads that make
    /// entries durable and send outputs. Returned beside it is what it holds after the checkpoint.
    pub fn open(opening: Opening<'_>) -> Result<(Self, Scan), JournalError> {
        let Opening { dir, pipeline, config, checkpoint, reached, producer, on_progress, on_failure } =
            opening;
        let owner = own(dir)?;
        let mut reader = SegmentReader::open(dir, checkpoint + 1)?;
        let scan = Scan::read(&mut reader, checkpoint + 1)?;
        let reached = reached.max(checkpoint);
        let tail = reader.tail().map(|(path, len)| (path.to_owned(), len));
        if scan.last < reached {
            return Err(JournalError::Short { path: dir.to_owned(), last: scan.last, reached });
        }
        let tail = tail.map(|(path, len)| Tail::reopen(&path, len, scan.last)).transpose()?;
        let next = scan.last + 1;
        let time = EntryClock::after(scan.last_time_ms);
        let writer = Writer { buffer: Vec::new(), first: None, next, time, closed: false };
        let acknowledged = scan.mark.max(checkpoint);
        let skips = scan.skips.iter().map(|(number, _)| *number).filter(|number| *number > acknowledged);
        let released = Release { skips: skips.collect(), ..Release::default() };
        let name = pipeline.to_owned();
        metrics::gauge!("tidewheel_journal_limit_bytes", "pipeline" => name.clone())
            .set(config.bytes_max as f64);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            config: config.clone(),
            writer: Mutex::new(writer),
            to_write: Condvar::new(),
            released: Mutex::new(released),
            to_send: Condvar::new(),
            durable: AtomicU64::new(scan.last),
            acknowledged: AtomicU64::new(acknowledged),
            bytes: AtomicU64::new(0),
            above: AtomicBool::new(false),
            bytes_gauge: metrics::gauge!("tidewheel_journal_bytes", "pipeline" => name),
            failed: AtomicBool::new(false),
            on_progress,
            on_failure,
        });
        shared.grew(bytes_of(dir)?);
        let (sending, syncing) = (shared.clone(), shared.clone());
        let threads = vec![
            spawn("journal-out", move |stop| out::run(&sending, producer, stop)),
            spawn("journal-sync", move |stop| sync::run(&syncing, tail, stop)),
        ];
        Ok((Self { shared, threads: Mutex::new(threads), owner: Mutex::new(Some(owner)) }, scan))
    }
}

fn spawn(
    name: &str,
    body: impl FnOnce(&AtomicBool) + Send + 'static,
) -> (Arc<AtomicBool>, thread::JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let thread = thread::Builder::new()
        .name(name.into())
        .spawn(move || body(&stopping))
        .expect("the system can start a thread");
    (stop, thread)
}

/// Of all segments.
fn bytes_of(dir: &Path) -> Result<u64, JournalError> {
    let length = |(_, path): &(u64, std::path::PathBuf)| {
        fs::metadata(path)
            .map(|found| found.len())
            .map_err(|source| JournalError::io("look at", path, source))
    };
    segments(dir)?.iter().map(length).sum()
}
