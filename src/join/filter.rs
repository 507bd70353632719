//! Says of most ids that they are not on disk, without looking there.

/// A counting Bloom filter (Fan et al., 2000) of two counters an id, both in one cache line, of a size that never
/// changes: beyond a few ids a counter it lets more strangers pass, and still no member out.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// As many lines as a power of two; none before the first id.
    counts: Vec<u8>,
    lines: usize,
}

/// Bytes of a cache line.
const LINE: usize = 64;
/// Counters for each id that may be in at once: with two counters an id, some 6 % of strangers pass.
const COUNTERS_PER_ID: usize = 8;
/// At most 64 MiB of counters.
const LINES_MAX: usize = 1 << 20;

impl Filter {
    /// For up to `ids` at once; takes memory with the first.
    pub(super) fn new(ids: usize) -> Self {
        let lines = (ids.saturating_mul(COUNTERS_PER_ID) / LINE).clamp(1, LINES_MAX).next_power_of_two();
        Self { counts: Vec::new(), lines }
    }

    pub(super) fn insert(&mut self, id: u128) {
        if self.counts.is_empty() {
            self.counts = vec![0; self.lines * LINE];
        }
        for place in self.places(id) {
            self.counts[place] = self.counts[place].saturating_add(1);
        }
    }

    /// Takes an id out that was put in. A counter that is full stays so: it has forgotten how often.
    pub(super) fn remove(&mut self, id: u128) {
        for place in self.places(id) {
            let count = &mut self.counts[place];
            *count -= u8::from(*count < u8::MAX);
        }
    }

    /// `false`: the id is not in.
    pub(super) fn may_hold(&self, id: u128) -> bool {
        !self.counts.is_empty() && self.places(id).into_iter().all(|place| self.counts[place] > 0)
    }

    /// Lets go of all ids.
    pub(super) fn clear(&mut self) {
        self.counts = Vec::new();
    }

    /// Ids are hashes; the tables in memory go by their lower half.
    fn places(&self, id: u128) -> [usize; 2] {
        let hash = (id >> 64) as usize;
        let line = (hash & (self.lines - 1)) * LINE;
        [line + (hash >> 52) % LINE, line + (hash >> 58) % LINE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128;

    fn id(number: u32) -> u128 {
        xxh3_128(&number.to_le_bytes())
    }

    #[test]
    fn members_pass_and_few_strangers_do() {
        let mut filter = Filter::new(10_000);
        assert!(!filter.may_hold(id(1)));
        (0..10_000).for_each(|number| filter.insert(id(number)));
        assert!((0..10_000).all(|number| filter.may_hold(id(number))));
        let strangers = (10_000..110_000).filter(|number| filter.may_hold(id(*number))).count();
        assert!(strangers < 10_000, "{strangers} of 100000");

        (0..10_000).for_each(|number| filter.remove(id(number)));
        assert!((0..10_000).all(|number| !filter.may_hold(id(number))));
    }

    #[test]
    fn a_full_counter_never_loses_a_member() {
        let mut filter = Filter::new(1);
        (0..100_000).for_each(|number| filter.insert(id(number)));
        (0..99_999).for_each(|number| filter.remove(id(number)));
        assert!(filter.may_hold(id(99_999)));
    }
}
