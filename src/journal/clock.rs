use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Time of entries: the wall clock's at the start, then the monotonic clock's; never back.
pub(super) struct EntryClock {
    start: Instant,
    start_ms: u64,
}

impl EntryClock {
    /// Begins with the wall clock, or with the last entry's time where that is later.
    pub(super) fn after(last_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_ms: last_ms.max(now.as_millis() as u64) }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.start_ms + self.start.elapsed().as_millis() as u64
    }
}
