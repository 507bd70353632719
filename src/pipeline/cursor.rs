use std::collections::BTreeMap;

use crate::config::{CheckpointConfig, PublishConfig, VersionConfig};
use crate::state::{StateError, TensorMap};

/// Where a pipeline stands: counters, and since when what is due every so often was last done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cursor {
    pub entry: u64,
    pub time_ms: u64,
    pub epoch: u64,
    /// Newest stored version.
    pub version: u64,
    /// Events predicted so far.
    pub predicted: u64,
    /// Examples learned so far.
    pub learned: u64,
    /// Revisions published so far.
    pub published: u64,
    /// Revisions that the gate kept back.
    pub kept_back: u64,
    /// Examples learned since the last attempt to publish.
    pub unpublished: u64,
    /// Time of that attempt.
    published_ms: u64,
    learned_at_version: u64,
    version_ms: u64,
    /// Whether a batch came since the last version.
    pub changed_since_version: bool,
    /// Next offset of each (topic, partition) that was read.
    pub positions: BTreeMap<(String, i32), i64>,
    /// Outside of the digest: what a checkpoint does not change.
    learned_at_checkpoint: u64,
    checkpoint_ms: u64,
    /// Outside of the digest: when the labels arrived that no revision has learned yet.
    pub arrivals: Arrivals,
}

/// When labels arrived, in the order in which they were learned: runs of equal times. Bounded, for a gate may keep
/// revisions back for ever: then later labels count as having come with the last run that fits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrivals {
    /// Milliseconds since 1970, and how many labels.
    runs: Vec<(i64, u64)>,
}

impl Arrivals {
    const RUNS_MAX: usize = 16_384;

    pub fn push(&mut self, arrived_ms: i64) {
        let full = self.runs.len() >= Self::RUNS_MAX;
        match self.runs.last_mut() {
            Some((last_ms, count)) if full || *last_ms == arrived_ms => *count += 1,
            _ => self.runs.push((arrived_ms, 1)),
        }
    }

    /// Time of arrival and number of labels of each run.
    pub fn runs(&self) -> &[(i64, u64)] {
        &self.runs
    }
}

/// Whether either period has passed; a period that is not set never does.
fn due(examples: u64, every_examples: Option<u64>, ms: u64, every_ms: Option<u64>) -> bool {
    every_examples.is_some_and(|every| examples >= every) || every_ms.is_some_and(|every| ms >= every)
}

impl Cursor {
    pub fn advance(&mut self, topic: &str, partition: i32, next: i64) {
        self.changed_since_version = true;
        match self.positions.get_mut(&(topic.to_owned(), partition)) {
            Some(position) => *position = next,
            None => {
                self.positions.insert((topic.to_owned(), partition), next);
            }
        }
    }

    /// The first epoch: every period is counted from here.
    pub fn begin(&mut self) {
        self.published_ms = self.time_ms;
        self.version_ms = self.time_ms;
        self.checkpoint_ms = self.time_ms;
    }

    /// The model begins anew: nothing that was learned waits for a revision.
    pub fn begin_anew(&mut self) {
        self.try_publish();
        self.arrivals = Arrivals::default();
        self.changed_since_version = true;
    }

    pub fn learned(&mut self, examples: u64) {
        self.learned += examples;
        self.unpublished += examples;
    }

    pub fn publish_due(&self, config: &PublishConfig) -> bool {
        let always = config.every_examples.is_none() && config.every_ms.is_none();
        let waited_ms = self.time_ms - self.published_ms;
        self.unpublished > 0
            && (always || due(self.unpublished, config.every_examples, waited_ms, config.every_ms))
    }

    pub fn try_publish(&mut self) {
        self.unpublished = 0;
        self.published_ms = self.time_ms;
    }

    pub fn version_due(&self, config: &VersionConfig) -> bool {
        let examples = self.learned - self.learned_at_version;
        let waited_ms = self.time_ms - self.version_ms.min(self.time_ms);
        examples > 0 && due(examples, config.every_examples, waited_ms, config.every_ms)
    }

    pub fn begin_version(&mut self) {
        self.version += 1;
        self.version_ms = self.time_ms;
        self.learned_at_version = self.learned;
        self.changed_since_version = false;
    }

    pub fn checkpoint_due(&self, config: &CheckpointConfig) -> bool {
        let examples = self.learned - self.learned_at_checkpoint;
        let waited_ms = self.time_ms - self.checkpoint_ms.min(self.time_ms);
        due(examples, config.every_examples, waited_ms, config.every_ms)
    }

    pub fn begin_checkpoint(&mut self) {
        self.checkpoint_ms = self.time_ms;
        self.learned_at_checkpoint = self.learned;
    }

    /// When a period ends while something waits for it.
    pub fn next_deadline_ms(&self, publish: &PublishConfig, version: &VersionConfig) -> Option<u64> {
        let publish =
            publish.every_ms.filter(|_| self.unpublished > 0).map(|every| self.published_ms + every);
        let version = version
            .every_ms
            .filter(|_| self.learned > self.learned_at_version)
            .map(|every| self.version_ms + every);
        [publish, version].into_iter().flatten().min()
    }

    /// What the digest covers.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64(
            "counters",
            &[
                self.epoch,
                self.version,
                self.predicted,
                self.learned,
                self.published,
                self.kept_back,
                self.unpublished,
                self.published_ms,
                self.learned_at_version,
                self.version_ms,
                u64::from(self.changed_since_version),
                self.entry,
                self.time_ms,
            ],
        );
        let places: Vec<&(String, i32)> = self.positions.keys().collect();
        map.put_bytes("places", serde_json::to_vec(&places).expect("texts and numbers are JSON"));
        map.put_i64("positions", &self.positions.values().copied().collect::<Vec<_>>());
        map
    }

    /// What the digest does not cover.
    pub fn save_unlogged(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64("checkpoint", &[self.learned_at_checkpoint, self.checkpoint_ms]);
        let runs = self.arrivals.runs();
        map.put_i64("arrived_ms", &runs.iter().map(|run| run.0).collect::<Vec<_>>());
        map.put_u64("arrived", &runs.iter().map(|run| run.1).collect::<Vec<_>>());
        map
    }

    pub fn load(&mut self, state: &TensorMap, unlogged: &TensorMap) -> Result<(), StateError> {
        let mismatch = |path: &str, expected: &str| StateError::Mismatch {
            path: path.into(),
            found: "another form".into(),
            expected: expected.into(),
        };
        let counters: [u64; 13] =
            state.u64s("counters")?.try_into().map_err(|_| mismatch("counters", "13 numbers"))?;
        let checkpoint: [u64; 2] =
            unlogged.u64s("checkpoint")?.try_into().map_err(|_| mismatch("checkpoint", "2 numbers"))?;
        let places: Vec<(String, i32)> =
            serde_json::from_slice(state.bytes("places")?).map_err(|_| mismatch("places", "a JSON list"))?;
        *self = Self {
            epoch: counters[0],
            version: counters[1],
            predicted: counters[2],
            learned: counters[3],
            published: counters[4],
            kept_back: counters[5],
            unpublished: counters[6],
            published_ms: counters[7],
            learned_at_version: counters[8],
            version_ms: counters[9],
            changed_since_version: counters[10] != 0,
            entry: counters[11],
            time_ms: counters[12],
            positions: places.into_iter().zip(state.i64s("positions")?).collect(),
            learned_at_checkpoint: checkpoint[0],
            checkpoint_ms: checkpoint[1],
            arrivals: Arrivals {
                runs: unlogged.i64s("arrived_ms")?.into_iter().zip(unlogged.u64s("arrived")?).collect(),
            },
        };
        Ok(())
    }
}
