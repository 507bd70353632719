use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use crate::learn::{Objective, Predictor};

/// One publish of a pipeline's model: immutable, whole.
pub struct Revision {
    /// Number of the journal's entry that published it.
    pub number: u64,
    /// Newest stored version when it was published; 0 before the first.
    pub version: u64,
    /// Number of the owner that published it.
    pub epoch: u64,
    /// Time of that entry, milliseconds since 1970.
    pub published_ms: u64,
    pub objective: Objective,
    /// Names of the classes, in the order of a prediction's probabilities; discovered classes may be fewer than
    /// outputs. Empty for a regression.
    pub classes: Arc<[Box<str>]>,
    pub predictor: Arc<dyn Predictor>,
}

/// The revision that readers get: replaced whole by one atomic store, read without a lock.
#[derive(Default)]
pub struct Serving {
    current: ArcSwapOption<Revision>,
    stale: AtomicBool,
    swaps: AtomicU64,
}

impl Serving {
    /// The revision in force; none before the first publish of a new pipeline.
    pub fn current(&self) -> Guard<Option<Arc<Revision>>> {
        self.current.load()
    }

    /// Makes `revision` the one that readers get from now on.
    pub fn swap(&self, revision: Arc<Revision>) {
        self.current.store(Some(revision));
        self.swaps.fetch_add(1, Ordering::Relaxed);
    }

    /// How often readers got a new revision.
    pub fn swaps(&self) -> u64 {
        self.swaps.load(Ordering::Relaxed)
    }

    /// Whether the revision in force is known to be behind the journal (after a restart, until caught up).
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    pub fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Relaxed);
    }
}
