use std::collections::{BTreeSet, VecDeque};

use crate::stream::Outputs;

/// What entries put on topics, handed over and not sent yet.
#[derive(Default)]
pub(super) struct Release {
    pub(super) queue: VecDeque<Released>,
    /// Highest entry released so far.
    pub(super) last: u64,
    /// Entries after the acknowledged ones that put nothing on topics and that nobody releases.
    pub(super) skips: BTreeSet<u64>,
}

pub(super) struct Released {
    pub(super) n: u64,
    /// Entry that has to be durable before these may leave.
    pub(super) after: u64,
    pub(super) outputs: Outputs,
}

impl Release {
    /// Whether it was taken; what is handed over again is not.
    pub(super) fn push(&mut self, n: u64, after: u64, outputs: Outputs) -> bool {
        if n <= self.last {
            return false;
        }
        self.last = n;
        self.queue.push_back(Released { n, after, outputs });
        true
    }

    /// A `skip` has nothing to be acknowledged: where only such entries follow, they are as far as the one before.
    /// Returns how far that is, from `acknowledged` on.
    pub(super) fn pass_skips(&mut self, durable: u64, mut acknowledged: u64) -> u64 {
        while let Some(first) = self.skips.first().copied()
            && first <= durable.min(acknowledged + 1)
        {
            self.skips.pop_first();
            acknowledged = acknowledged.max(first);
        }
        acknowledged
    }
}
