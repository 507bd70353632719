use std::sync::Arc;

/// Says how many records of a replay's topics the service has consumed, counted from the replay's first record.
pub type Gate = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Bound on a record's share of its partition besides key and value: the header of a record batch (61 bytes, at worst
/// one for each record) and the record's own length, attributes, deltas and lengths (27 bytes of varints at most).
pub(super) const RECORD_OVERHEAD_BYTES_MAX: u64 = 61 + 27;

/// Keeps the records that are sent and not yet consumed below a bound in count and in bytes.
///
/// A broker that drops its oldest records at a size, as librdkafka's mock cluster does at 5 MiB or 100,000 batches of a
/// partition, loses nothing unconsumed as long as that bound is below the size: at worst all outstanding records lie in
/// one partition, each in a batch of its own, uncompressed, and each as large as the largest sent so far.
pub(super) struct Window {
    gate: Option<Gate>,
    records_max: u64,
    bytes_max: u64,
    record_bytes_max: u64,
    /// A lower bound: what the gate last said.
    consumed: u64,
}

impl Window {
    pub fn new(gate: Option<Gate>, records_max: u64, bytes_max: u64) -> Self {
        Self { gate, records_max, bytes_max, record_bytes_max: 0, consumed: 0 }
    }

    /// Takes note of the key and value bytes of the record that is to be sent next.
    pub fn observe(&mut self, bytes: usize) {
        let bytes = bytes as u64 + RECORD_OVERHEAD_BYTES_MAX;
        self.record_bytes_max = self.record_bytes_max.max(bytes);
    }

    /// Whether one record more may be sent after `sent`. Asks the gate only when the last answer says no.
    pub fn is_open(&mut self, sent: u64) -> bool {
        let Some(gate) = &self.gate else { return true };
        // One record is always allowed, or a record larger than the bound would wait for ever.
        let by_bytes = self.bytes_max / self.record_bytes_max.max(1);
        let allowed = self.records_max.min(by_bytes).max(1);
        if sent - self.consumed.min(sent) >= allowed {
            self.consumed = gate();
        }
        sent - self.consumed.min(sent) < allowed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn window(records_max: u64, bytes_max: u64) -> (Window, Arc<AtomicU64>, Arc<AtomicU64>) {
        let (consumed, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (c, a) = (consumed.clone(), asked.clone());
        let gate: Gate = Arc::new(move || {
            a.fetch_add(1, Ordering::Relaxed);
            c.load(Ordering::Relaxed)
        });
        (Window::new(Some(gate), records_max, bytes_max), consumed, asked)
    }

    #[test]
    fn no_more_than_the_bound_is_outstanding() {
        let (mut window, consumed, asked) = window(10, u64::MAX);

        assert!((0..10).all(|sent| window.is_open(sent)));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert!(!window.is_open(10));
        consumed.store(3, Ordering::Relaxed);
        assert!((10..13).all(|sent| window.is_open(sent)));
        assert!(!window.is_open(13));
    }

    #[test]
    fn the_bound_in_bytes_counts_every_record_as_the_largest_in_a_batch_of_its_own() {
        let (mut window, _, _) = window(1_000, 10 * (100 + RECORD_OVERHEAD_BYTES_MAX));
        window.observe(100);
        window.observe(5);

        assert!(window.is_open(9));
        assert!(!window.is_open(10));
    }

    #[test]
    fn a_record_above_the_bound_goes_alone() {
        let (mut window, consumed, _) = window(1_000, 64);
        window.observe(1_000);

        assert!(window.is_open(0));
        assert!(!window.is_open(1));
        consumed.store(1, Ordering::Relaxed);
        assert!(window.is_open(1));
    }

    #[test]
    fn without_a_gate_it_is_always_open() {
        assert!(Window::new(None, 1, 1).is_open(1_000_000));
    }
}
