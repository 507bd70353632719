use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::reader::place;
use super::{Shared, TopicJournal, TopicReader, Waiting, commit};
use crate::config::JournalConfig;
use crate::journal::clock::EntryClock;
use crate::journal::error::JournalError;
use crate::journal::home::{OnFailure, OnProgress};
use crate::journal::owner::own;
use crate::journal::release::Release;
use crate::journal::scan::Scan;
use crate::stream::{Endpoint, SpareMemory, Transactions};

/// What a journal in a topic is opened with.
pub struct TopicOpening<'a> {
    pub endpoint: &'a Endpoint,
    /// There, and of one partition.
    pub topic: &'a str,
    /// Folder of the pipeline's checkpoints and versions.
    pub root: &'a Path,
    pub config: &'a JournalConfig,
    /// Entry of the newest checkpoint; 0: there is none.
    pub checkpoint: u64,
    /// Highest entry that a checkpoint or a version is of. A journal that ends before it has lost entries, or is another
    /// pipeline's: it is refused, and left as it is.
    pub reached: u64,
    pub on_progress: OnProgress,
    pub on_failure: OnFailure,
}

impl TopicJournal {
    /// Takes a journal's topic over: fences whoever wrote to it, so that its end stays where it is, reads what it holds
    /// after the checkpoint, and starts the thread that commits.
    pub fn open(opening: TopicOpening<'_>) -> Result<(Self, Scan), JournalError> {
        let TopicOpening { endpoint, topic, root, config, .. } = opening;
        let owner = own(root)?;
        let timeout = Duration::from_millis(config.transaction_timeout_ms);
        // Who may write to the topic is what is at stake, so its name is the identity: pipelines of one name on other
        // topics do not get into each other's way.
        let producer = Transactions::begin_as(endpoint, topic, timeout)?;
        let checkpoint = opening.checkpoint;
        let scan = Scan::read(&mut TopicReader::open(endpoint, topic, checkpoint + 1)?, checkpoint + 1)?;
        let reached = opening.reached.max(checkpoint);
        if scan.last < reached {
            return Err(JournalError::Short { path: place(topic), last: scan.last, reached });
        }
        let acknowledged = scan.mark.max(checkpoint);
        let skips = scan.skips.iter().map(|(number, _)| *number).filter(|number| *number > acknowledged);
        let spare: Arc<SpareMemory> = Arc::default();
        let waiting = Waiting {
            lines: spare.outputs(),
            spare,
            next: scan.last + 1,
            time: EntryClock::after(scan.last_time_ms),
            closed: false,
            release: Release { skips: skips.collect(), ..Release::default() },
        };
        let shared = Arc::new(Shared {
            endpoint: endpoint.clone(),
            topic: topic.into(),
            config: config.clone(),
            waiting: Mutex::new(waiting),
            changed: Condvar::new(),
            durable: AtomicU64::new(scan.last),
            acknowledged: AtomicU64::new(acknowledged),
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            on_progress: opening.on_progress,
            on_failure: opening.on_failure,
        });
        let committing = shared.clone();
        let thread = thread::Builder::new()
            .name("journal-out".into())
            .spawn(move || commit::run(&committing, producer))
            .expect("the system can start a thread");
        Ok((Self { shared, thread: Mutex::new(Some(thread)), owner: Mutex::new(Some(owner)) }, scan))
    }
}
