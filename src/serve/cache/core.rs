use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128;

use crate::config::CacheConfig;
use crate::learn::{Predictions, Predictor, Shape};
use crate::schema::Rows;

/// No slot.
const NONE: u32 = u32::MAX;

/// The cache without its actor: flat arrays, one slot a key, no clock.
///
/// A key is known by its XXH3-128 only: two keys that share one are taken for the same, which at a million keys has a
/// probability of 1e-27. The least recently written key leaves when a new one needs its slot; a key past its time to
/// live keeps its slot until then, so that a reader can be told when it was last seen.
pub struct CacheCore {
    entries_max: usize,
    ttl_ms: u64,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    /// Row `i` is the features of slot `i`.
    rows: Rows,
    /// Row `i` is the prediction of slot `i`.
    predictions: Predictions,
    newest: u32,
    oldest: u32,
    counts: CacheCounts,
    row: Rows,
    prediction: Predictions,
    /// Hash of each key of a batch, and the slot that it had at first.
    probes: Vec<(u128, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u128,
    /// Number of the revision that made the slot's prediction.
    revision: u64,
    /// When the features came, milliseconds since 1970.
    time_ms: u64,
    newer: u32,
    older: u32,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    pub hits: u64,
    pub recomputed: u64,
    pub misses: u64,
    pub expired: u64,
    pub evictions: u64,
}

/// Outcome of a read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'a> {
    /// A prediction of the revision in force, for features that came at `time_ms`.
    Answer {
        time_ms: u64,
        prediction: &'a [f32],
    },
    /// The features are past their time to live.
    Expired {
        last_seen_ms: u64,
    },
    Unknown,
}

impl CacheCore {
    /// An empty cache for rows and predictions of `shape`.
    pub fn new(config: &CacheConfig, shape: &Shape) -> Self {
        Self {
            entries_max: config.entries_max.min(NONE as usize),
            ttl_ms: config.ttl_ms,
            index: HashTable::new(),
            slots: Vec::new(),
            rows: Rows::new(shape.numeric, shape.categorical),
            predictions: Predictions::new(shape.objective.outputs()),
            newest: NONE,
            oldest: NONE,
            counts: CacheCounts::default(),
            row: Rows::new(shape.numeric, shape.categorical),
            prediction: Predictions::new(shape.objective.outputs()),
            probes: Vec::new(),
        }
    }

    /// Whether rows and predictions are of the cache's shape.
    pub fn fits(&self, rows: &Rows, predictions: &Predictions) -> bool {
        rows.numeric_width() == self.rows.numeric_width()
            && rows.categorical_width() == self.rows.categorical_width()
            && predictions.outputs == self.predictions.outputs
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn counts(&self) -> CacheCounts {
        self.counts
    }

    /// Forgets every key; the counts stay.
    pub fn clear(&mut self) {
        self.index.clear();
        self.slots.clear();
        self.rows.clear();
        self.predictions.values.clear();
        self.newest = NONE;
        self.oldest = NONE;
    }

    /// Writes some rows of a batch, the last of equal keys wins.
    ///
    /// `picks` names rows of the batch, `key` gives the key of a row, and row `i` of `predictions` was made by revision
    /// `revision` for row `picks[i]`. All have the cache's shape.
    pub fn fill<'a>(
        &mut self,
        key: impl Fn(usize) -> &'a [u8],
        rows: &Rows,
        picks: &[u32],
        predictions: &Predictions,
        revision: u64,
        time_ms: u64,
    ) {
        assert_eq!(rows.numeric_width(), self.rows.numeric_width(), "numeric columns");
        assert_eq!(rows.categorical_width(), self.rows.categorical_width(), "categorical columns");
        assert_eq!(predictions.outputs, self.predictions.outputs, "outputs");
        assert_eq!(predictions.len(), picks.len(), "a prediction for each pick");
        if self.entries_max == 0 {
            return;
        }
        // All probes first, which wait for memory side by side; the writes between them would make each wait for the
        // one before it. What a probe found may be outdated by an earlier row of the batch.
        let mut probes = std::mem::take(&mut self.probes);
        probes.clear();
        probes.extend(picks.iter().map(|&pick| {
            let hash = xxh3_128(key(pick as usize));
            (hash, self.find(hash).unwrap_or(NONE))
        }));
        for (index, (&pick, &(hash, probed))) in picks.iter().zip(&probes).enumerate() {
            let slot = self.slot_to_write(hash, probed);
            let entry = &mut self.slots[slot as usize];
            entry.revision = revision;
            entry.time_ms = time_ms;
            self.write_row(slot as usize, rows, pick as usize, predictions.row(index));
        }
        self.probes = probes;
    }

    /// Reads a key. A prediction of another revision than `revision` is first made again by `predictor`, and kept, so
    /// that it is made once however many ask.
    pub fn read(&mut self, key: &[u8], now_ms: u64, revision: u64, predictor: &dyn Predictor) -> Found<'_> {
        let hash = xxh3_128(key);
        let Some(slot) = self.find(hash) else {
            self.counts.misses += 1;
            return Found::Unknown;
        };
        let slot = slot as usize;
        let time_ms = self.slots[slot].time_ms;
        if now_ms.saturating_sub(time_ms) > self.ttl_ms {
            self.counts.expired += 1;
            return Found::Expired { last_seen_ms: time_ms };
        }
        if self.slots[slot].revision == revision {
            self.counts.hits += 1;
        } else {
            self.row.clear();
            self.row.push_from(&self.rows, slot);
            self.prediction.reset(self.predictions.outputs, 1);
            predictor.predict(&self.row, &mut self.prediction);
            self.predictions.row_mut(slot).copy_from_slice(self.prediction.row(0));
            self.slots[slot].revision = revision;
            self.counts.recomputed += 1;
        }
        Found::Answer { time_ms, prediction: self.predictions.row(slot) }
    }

    fn find(&self, hash: u128) -> Option<u32> {
        self.index.find(hash as u64, |&slot| self.slots[slot as usize].hash == hash).copied()
    }

    /// The slot of a key, now the newest: its own, `probed` if it still is, a new one, or that of the key that was
    /// written longest ago.
    fn slot_to_write(&mut self, hash: u128, probed: u32) -> u32 {
        let own = self.slots.get(probed as usize).is_some_and(|slot| slot.hash == hash);
        let found = if own { Some(probed) } else { self.find(hash) };
        let slot = match found {
            Some(slot) => {
                self.unlink(slot);
                slot
            }
            None if self.slots.len() < self.entries_max => {
                self.slots.push(Slot { hash, revision: 0, time_ms: 0, newer: NONE, older: NONE });
                // Not beyond NONE - 1, see `new`.
                self.index_insert(hash, (self.slots.len() - 1) as u32)
            }
            None => {
                let slot = self.take_oldest();
                self.slots[slot as usize].hash = hash;
                self.index_insert(hash, slot)
            }
        };
        self.link_newest(slot);
        slot
    }

    fn index_insert(&mut self, hash: u128, slot: u32) -> u32 {
        let slots = &self.slots;
        self.index.insert_unique(hash as u64, slot, |&slot| slots[slot as usize].hash as u64);
        slot
    }

    /// Frees the slot of the key that was written longest ago.
    fn take_oldest(&mut self) -> u32 {
        let slot = self.oldest;
        let hash = self.slots[slot as usize].hash;
        if let Ok(entry) = self.index.find_entry(hash as u64, |&other| other == slot) {
            entry.remove();
        }
        self.unlink(slot);
        self.counts.evictions += 1;
        slot
    }

    fn unlink(&mut self, slot: u32) {
        let Slot { newer, older, .. } = self.slots[slot as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let older = self.newest;
        let entry = &mut self.slots[slot as usize];
        entry.newer = NONE;
        entry.older = older;
        match older {
            NONE => self.oldest = slot,
            older => self.slots[older as usize].newer = slot,
        }
        self.newest = slot;
    }

    fn write_row(&mut self, slot: usize, rows: &Rows, row: usize, prediction: &[f32]) {
        if slot == self.rows.len() {
            self.rows.push_from(rows, row);
            self.predictions.values.extend_from_slice(prediction);
            return;
        }
        let (numeric, categorical) = (self.rows.numeric_width(), self.rows.categorical_width());
        self.rows.numeric[slot * numeric..(slot + 1) * numeric].copy_from_slice(rows.numeric_row(row));
        self.rows.categorical[slot * categorical..(slot + 1) * categorical]
            .copy_from_slice(rows.categorical_row(row));
        self.predictions.row_mut(slot).copy_from_slice(prediction);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::learn::Objective;
    use crate::state::TensorMap;

    /// Says `numeric + 1000 * revision`, and counts how often it is asked.
    struct Plus {
        revision: u64,
        asked: std::sync::atomic::AtomicUsize,
    }

    impl Plus {
        fn new(revision: u64) -> Self {
            Self { revision, asked: 0.into() }
        }

        fn says(revision: u64, feature: f32) -> f32 {
            feature + 1000.0 * revision as f32
        }
    }

    impl Predictor for Plus {
        fn predict(&self, rows: &Rows, out: &mut Predictions) {
            self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            out.reset(1, rows.len());
            for row in 0..rows.len() {
                out.row_mut(row)[0] = Self::says(self.revision, rows.numeric_row(row)[0]);
            }
        }

        fn is_finite(&self) -> bool {
            true
        }

        fn save(&self) -> TensorMap {
            TensorMap::default()
        }
    }

    fn core(entries_max: usize, ttl_ms: u64) -> CacheCore {
        let shape = Shape { numeric: 1, categorical: 1, objective: Objective::Regress };
        CacheCore::new(&CacheConfig { entries_max, ttl_ms }, &shape)
    }

    fn write(core: &mut CacheCore, key: u8, feature: f32, revision: u64, time_ms: u64) {
        let mut rows = Rows::new(1, 1);
        rows.push(&[feature], &[u64::from(key)]);
        let predictions = Predictions { outputs: 1, values: vec![Plus::says(revision, feature)] };
        core.fill(
            |_| std::slice::from_ref(&KEYS[key as usize]),
            &rows,
            &[0],
            &predictions,
            revision,
            time_ms,
        );
    }

    const KEYS: [u8; 256] = {
        let mut keys = [0; 256];
        let mut key = 0;
        while key < 256 {
            keys[key] = key as u8;
            key += 1;
        }
        keys
    };

    #[test]
    fn an_answer_of_an_older_revision_is_made_again_once_for_all_who_ask() {
        let mut core = core(10, 1_000);
        write(&mut core, 7, 0.5, 1, 100);
        let newer = Plus::new(2);
        for _ in 0..5 {
            let found = core.read(&[7], 200, 2, &newer);
            assert_eq!(found, Found::Answer { time_ms: 100, prediction: &[2000.5] });
        }
        assert_eq!(newer.asked.into_inner(), 1);
        assert_eq!(core.counts(), CacheCounts { hits: 4, recomputed: 1, ..CacheCounts::default() });
    }

    #[test]
    fn an_answer_past_its_time_says_when_it_was_last_seen_and_making_it_again_does_not_prolong_it() {
        let mut core = core(10, 1_000);
        write(&mut core, 7, 0.5, 1, 100);
        let newer = Plus::new(2);
        assert!(matches!(core.read(&[7], 1_100, 2, &newer), Found::Answer { .. }));
        assert_eq!(core.read(&[7], 1_101, 2, &newer), Found::Expired { last_seen_ms: 100 });
        write(&mut core, 7, 1.5, 2, 1_200);
        assert!(matches!(core.read(&[7], 1_300, 2, &newer), Found::Answer { time_ms: 1_200, .. }));
    }

    #[test]
    fn only_the_picked_rows_of_a_batch_are_written_and_the_last_of_equal_keys_wins() {
        let mut core = core(10, 1_000);
        let mut rows = Rows::new(1, 1);
        for feature in 0..4 {
            rows.push(&[feature as f32], &[0]);
        }
        let keys: [&[u8]; 4] = [b"a", b"b", b"c", b"a"];
        let predictions = Predictions { outputs: 1, values: vec![10.0, 12.0, 13.0] };
        core.fill(|row| keys[row], &rows, &[0, 2, 3], &predictions, 1, 0);
        let predictor = Plus::new(1);
        assert_eq!(core.read(b"a", 0, 1, &predictor), Found::Answer { time_ms: 0, prediction: &[13.0] });
        assert_eq!(core.read(b"b", 0, 1, &predictor), Found::Unknown);
        assert_eq!(core.read(b"c", 0, 1, &predictor), Found::Answer { time_ms: 0, prediction: &[12.0] });
        assert_eq!(core.read(b"a", 0, 2, &Plus::new(2)), Found::Answer { time_ms: 0, prediction: &[2003.0] });
        assert_eq!(core.len(), 2);
    }

    #[test]
    fn a_cache_of_no_entries_keeps_nothing() {
        let mut core = core(0, 1_000);
        write(&mut core, 7, 0.5, 1, 100);
        assert_eq!(core.read(&[7], 100, 1, &Plus::new(1)), Found::Unknown);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Write { key: u8, feature: u8 },
        Read { key: u8 },
        Publish,
        Wait { ms: u8 },
        Clear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0..12u8, any::<u8>()).prop_map(|(key, feature)| Step::Write { key, feature }),
            8 => (0..12u8).prop_map(|key| Step::Read { key }),
            2 => Just(Step::Publish),
            2 => any::<u8>().prop_map(|ms| Step::Wait { ms }),
            1 => Just(Step::Clear),
        ];
        proptest::collection::vec(step, 0..200)
    }

    /// What the cache should hold, written down plainly: oldest write first.
    #[derive(Default)]
    struct Plain {
        entries: Vec<(u8, u8, u64, u64)>,
        counts: CacheCounts,
    }

    impl Plain {
        fn write(&mut self, entries_max: usize, entry: (u8, u8, u64, u64)) {
            let before = self.entries.len();
            self.entries.retain(|(key, ..)| *key != entry.0);
            if before == entries_max && self.entries.len() == before {
                self.entries.remove(0);
                self.counts.evictions += 1;
            }
            self.entries.push(entry);
        }

        /// Time and prediction, or only the time when it is too old.
        fn read(&mut self, key: u8, now: u64, ttl: u64, revision: u64) -> Option<(u64, Option<f32>)> {
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.0 == key) else {
                self.counts.misses += 1;
                return None;
            };
            if now - entry.3 > ttl {
                self.counts.expired += 1;
                return Some((entry.3, None));
            }
            let same = entry.2 == revision;
            *(if same { &mut self.counts.hits } else { &mut self.counts.recomputed }) += 1;
            entry.2 = revision;
            Some((entry.3, Some(Plus::says(revision, f32::from(entry.1)))))
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_list_would_hold(steps in steps(), entries_max in 1..9usize) {
            const TTL: u64 = 300;
            let mut core = core(entries_max, TTL);
            let mut plain = Plain::default();
            let (mut now, mut revision) = (1_000, 1);
            for step in steps {
                match step {
                    Step::Write { key, feature } => {
                        write(&mut core, key, f32::from(feature), revision, now);
                        plain.write(entries_max, (key, feature, revision, now));
                    }
                    Step::Read { key } => {
                        let predictor = Plus::new(revision);
                        let found = match core.read(&[key], now, revision, &predictor) {
                            Found::Answer { time_ms, prediction } => Some((time_ms, Some(prediction[0]))),
                            Found::Expired { last_seen_ms } => Some((last_seen_ms, None)),
                            Found::Unknown => None,
                        };
                        prop_assert_eq!(found, plain.read(key, now, TTL, revision));
                    }
                    Step::Publish => revision += 1,
                    Step::Wait { ms } => now += u64::from(ms),
                    Step::Clear => {
                        core.clear();
                        plain.entries.clear();
                    }
                }
                prop_assert_eq!(core.len(), plain.entries.len());
                prop_assert_eq!(core.counts(), plain.counts);
            }
        }
    }
}
