use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::join::{ColdError, ColdRows, Join};
use crate::journal::{Checkpoint, CheckpointStore, Journal, JournalError};
use crate::registry::{Manifest, VersionStore};
use crate::state::TensorMap;

/// Jobs that may wait; a disk that is slower holds the effects up, and so the polling.
const JOBS_MAX: usize = 8;

/// Something to be written and synced, which takes too long for an actor.
pub(super) enum Job {
    Version(Box<(Manifest, TensorMap)>),
    Checkpoint(Checkpoint),
}

/// A thread that writes versions and checkpoints, in the order in which they are handed in.
pub(super) struct Storage {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    pub(super) fn start(
        versions: VersionStore,
        versions_keep: usize,
        checkpoints: CheckpointStore,
        checkpoints_keep: usize,
        cold: Arc<Mutex<ColdRows>>,
        trimmed: Option<Arc<dyn Journal>>,
    ) -> Self {
        let mut savepoints = Savepoints { keep: checkpoints_keep.max(1), stored: VecDeque::new(), cold };
        let (jobs, inbox) = mpsc::sync_channel::<Job>(JOBS_MAX);
        let body = move || {
            for job in inbox {
                let start = Instant::now();
                let (what, result) = match job {
                    Job::Version(version) => {
                        let stored = versions.store(&version.0, &version.1);
                        ("version", stored.and_then(|()| versions.retain(versions_keep)).map_err(text))
                    }
                    Job::Checkpoint(checkpoint) => {
                        let stored = checkpoints.store(&checkpoint);
                        let stored = stored.and_then(|()| checkpoints.retain(checkpoints_keep));
                        let stored =
                            stored.and_then(|()| trim(trimmed.as_deref(), &checkpoints)).map_err(text);
                        let savepoint = Join::savepoint_in(&checkpoint.state, "join");
                        ("checkpoint", stored.and_then(|()| savepoints.stored(savepoint).map_err(text)))
                    }
                };
                metrics::histogram!("tidewheel_store_seconds", "what" => what).record(start.elapsed());
                if let Err(error) = result {
                    // The journal still has everything: a later one takes its place.
                    tracing::error!(what, error, "could not be stored");
                    metrics::counter!("tidewheel_store_errors_total", "what" => what).increment(1);
                }
            }
        };
        let thread =
            thread::Builder::new().name("storage".into()).spawn(body).expect("the system can start a thread");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    pub(super) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only when this sender is gone.
            let _ = jobs.send(job);
        }
    }
}

/// Removes what the oldest checkpoint that is kept does not need from the journal, where that is wanted.
fn trim(journal: Option<&dyn Journal>, checkpoints: &CheckpointStore) -> Result<(), JournalError> {
    if let Some(journal) = journal
        && let Some(oldest) = checkpoints.entries()?.first()
    {
        journal.trim(*oldest)?;
    }
    Ok(())
}

/// The savepoints of the checkpoints that are kept; older ones hold on to pages of the store for nothing.
struct Savepoints {
    keep: usize,
    /// Of the newest checkpoints, the newest last; none where nothing was on disk.
    stored: VecDeque<Option<u64>>,
    cold: Arc<Mutex<ColdRows>>,
}

impl Savepoints {
    /// A checkpoint is in its place; what comes before the oldest that is kept may go.
    fn stored(&mut self, savepoint: Option<u64>) -> Result<(), ColdError> {
        self.stored.push_back(savepoint);
        if self.stored.len() < self.keep {
            return Ok(());
        }
        let mut gone = None;
        while self.stored.len() > self.keep {
            gone = self.stored.pop_front().flatten().or(gone);
        }
        // Where no kept checkpoint names one, those up to the last that is gone would otherwise stay for ever.
        let before = self.stored.iter().flatten().next().copied().or(gone.map(|id| id + 1));
        let Some(before) = before else { return Ok(()) };
        self.cold.lock().unwrap_or_else(PoisonError::into_inner).forget_savepoints_before(before)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Drop for Storage {
    /// Waits until everything handed in is stored.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the storage thread panicked");
        }
    }
}
