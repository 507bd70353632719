//! The journal in files: checksummed segments, group `fdatasync`, at-least-once outputs.

mod out;
mod scan;
mod sync;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::entry::{Body, Entry};
use super::home::{Journal, JournalError, Progress};
use super::segment::{SegmentReader, frame};
use crate::config::JournalConfig;
use crate::stream::{OutputProducer, Outputs};

pub use scan::Scan;

/// Called from the journal's threads whenever it has come further.
pub type OnProgress = Box<dyn Fn(Progress) + Send + Sync>;

pub struct FileJournal {
    shared: Arc<Shared>,
    /// The sending thread first: its last mark is for the syncing thread to write.
    threads: Mutex<Vec<(Arc<AtomicBool>, thread::JoinHandle<()>)>>,
    /// Held for as long as this process owns the folder.
    _lock: File,
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
    on_progress: OnProgress,
}

struct Writer {
    /// Frames that the syncing thread has not taken yet.
    buffer: Vec<u8>,
    /// First entry in the buffer, when it holds one.
    first: Option<u64>,
    next: u64,
    time: EntryClock,
}

/// Time of entries: the wall clock's at the start, then the monotonic clock's; never back.
struct EntryClock {
    start: Instant,
    start_ms: u64,
}

#[derive(Default)]
struct Release {
    queue: VecDeque<Released>,
    /// Highest entry released so far.
    last: u64,
}

struct Released {
    n: u64,
    after: u64,
    outputs: Outputs,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic inside these short sections cannot leave them half done: they only move values.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileJournal {
    /// Takes ownership of a journal's folder: locks it, cuts a torn tail off, and starts the threads that make
    /// entries durable and send outputs. `from` and `acknowledged`: the entry after a checkpoint, and the checkpoint.
    pub fn open(
        dir: &Path,
        config: &JournalConfig,
        from: u64,
        acknowledged: u64,
        producer: OutputProducer,
        on_progress: OnProgress,
    ) -> Result<(Self, Scan), JournalError> {
        fs::create_dir_all(dir).map_err(|source| JournalError::io("create", dir, source))?;
        let owner = lock_folder(dir)?;
        let mut reader = SegmentReader::open(dir, from)?;
        let scan = Scan::read(&mut reader, from)?;
        let tail = reader.tail().map(|(path, len)| (path.to_owned(), len));
        let segment = tail.map(|(path, len)| cut_tail(&path, len)).transpose()?;
        let time = EntryClock::after(scan.last_time_ms);
        let writer = Writer { buffer: Vec::new(), first: None, next: scan.last.max(acknowledged) + 1, time };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            config: config.clone(),
            writer: Mutex::new(writer),
            to_write: Condvar::new(),
            released: Mutex::new(Release::default()),
            to_send: Condvar::new(),
            durable: AtomicU64::new(scan.last),
            acknowledged: AtomicU64::new(scan.mark.max(acknowledged)),
            on_progress,
        });
        let (sending, syncing) = (shared.clone(), shared.clone());
        let threads = vec![
            spawn("journal-out", move |stop| out::run(&sending, producer, stop)),
            spawn("journal-sync", move |stop| sync::run(&syncing, segment, stop)),
        ];
        Ok((Self { shared, threads: Mutex::new(threads), _lock: owner }, scan))
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

fn lock_folder(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("owner.lock");
    let file = File::create(&path).map_err(|source| JournalError::io("create", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(JournalError::Owned(dir.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(JournalError::io("lock", &path, source)),
    }
}

fn cut_tail(path: &Path, len: u64) -> Result<(File, u64), JournalError> {
    let io = |source| JournalError::io("cut the torn tail of", path, source);
    let file = OpenOptions::new().append(true).open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?.len();
    if found > len {
        tracing::warn!(path = %path.display(), bytes = found - len, "cut a torn tail off the journal");
        file.set_len(len).map_err(io)?;
        file.sync_all().map_err(io)?;
    }
    Ok((file, len))
}

impl EntryClock {
    fn after(last_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_ms: last_ms.max(now.as_millis() as u64) }
    }

    fn now_ms(&self) -> u64 {
        self.start_ms + self.start.elapsed().as_millis() as u64
    }
}

impl Journal for FileJournal {
    fn append(&self, body: Body) -> Result<Entry, JournalError> {
        let mut writer = lock(&self.shared.writer);
        let entry = Entry { n: writer.next, time_ms: writer.time.now_ms(), body };
        writer.next += 1;
        writer.first.get_or_insert(entry.n);
        frame(&entry.to_json(), &mut writer.buffer);
        drop(writer);
        self.shared.to_write.notify_one();
        Ok(entry)
    }

    fn release(&self, n: u64, after: u64, outputs: Outputs) {
        let mut released = lock(&self.shared.released);
        if n <= released.last {
            return;
        }
        released.last = n;
        released.queue.push_back(Released { n, after, outputs });
        drop(released);
        self.shared.to_send.notify_one();
    }

    fn progress(&self) -> Progress {
        self.shared.progress()
    }

    fn last(&self) -> u64 {
        lock(&self.shared.writer).next - 1
    }

    fn now_ms(&self) -> u64 {
        lock(&self.shared.writer).time.now_ms()
    }

    fn close(&self, deadline: Instant) -> Progress {
        let last = self.last();
        while Instant::now() < deadline && self.progress().acknowledged < last {
            thread::sleep(Duration::from_millis(2));
        }
        for (stop, thread) in lock(&self.threads).drain(..) {
            stop.store(true, Ordering::SeqCst);
            self.shared.to_send.notify_all();
            self.shared.to_write.notify_all();
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
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
}
