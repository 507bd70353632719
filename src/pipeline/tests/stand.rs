//! A journal of random entries over random records: ids that come twice, labels before, after and without their
//! events, malformed records, ticks and pauses.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;

use crate::config::{Config, PipelineConfig};
use crate::journal::{Body, Entry, Home, JournalError, Part, RecordSource, Skip, describe};
use crate::pipeline::decode::{Decoded, Decoder, Skips};
use crate::pipeline::effects::Effects;
use crate::pipeline::machine::{Cold, Machine};
use crate::pipeline::probe::Probed;
use crate::pipeline::recover::{RecoverError, Recovered, Recovery, Sink};
use crate::pipeline::setup::{Places, Setup};
use crate::stream::{Records, RecordsBuilder};
use crate::testing::SplitMix;

const CONFIG: &str = r#"
[pipeline.t.events]
topic = "t.events"
id = "id"
[pipeline.t.labels]
topic = "t.labels"
[pipeline.t.outputs]
predictions = "t.predictions"
alerts = "t.alerts"
dead_letters = "t.dead_letters"
examples = "t.examples"
[pipeline.t.schema]
task = "binary"
classes = ["0", "1"]
[pipeline.t.schema.features]
a = "numeric"
b = "numeric"
c = "categorical"
[pipeline.t.join]
timeout_ms = 400
rows_max = 60
memory_rows_max = 10
early_labels_max = 15
[pipeline.t.dedupe]
ids_max = 50
[pipeline.t.checkpoint]
every_examples = 25
every_ms = 0
[pipeline.t.version]
every_examples = 40
every_ms = 0
"#;

pub struct Stand {
    pub setup: Arc<Setup>,
    pub entries: Vec<Entry>,
    pub records: BTreeMap<u64, Records>,
    pub random: SplitMix,
    pub folder: TempDir,
    topics: Arc<[Arc<str>]>,
    offsets: [[i64; 2]; 2],
    ids: u64,
    time_ms: u64,
}

/// What came out of a recovery.
#[derive(Default)]
pub struct Told {
    pub effects: Vec<(u64, Effects)>,
    pub skips: Vec<Skip>,
    next: u64,
}

impl Stand {
    /// A journal that holds its first epoch.
    pub fn new(seed: u64, change: impl FnOnce(&mut PipelineConfig)) -> Self {
        let mut config = Config::parse(CONFIG, Vec::new()).unwrap();
        let config = config.pipeline.get_mut("t").unwrap();
        change(config);
        let mut stand = Self {
            setup: Arc::new(Setup::new("t", config)),
            entries: Vec::new(),
            records: BTreeMap::new(),
            random: SplitMix(seed),
            folder: tempfile::tempdir().unwrap(),
            topics: ["t.events".into(), "t.labels".into()].into(),
            offsets: [[0; 2]; 2],
            ids: 0,
            time_ms: 1_700_000_000_000,
        };
        stand.epoch(config);
        stand
    }

    pub fn epoch(&mut self, config: &PipelineConfig) {
        let epoch =
            1 + self.entries.iter().filter(|entry| matches!(entry.body, Body::Epoch { .. })).count() as u64;
        let (build, cpu) = ("test".into(), "test".into());
        self.push(Body::Epoch { epoch, build, cpu, threads: 1, config: config.effective_json() }, 1);
    }

    pub fn push(&mut self, body: Body, after_ms: u64) -> u64 {
        self.time_ms += after_ms;
        let n = self.entries.len() as u64 + 1;
        self.entries.push(Entry { n, time_ms: self.time_ms, body });
        n
    }

    /// A batch of these (topic, value), spread over two partitions.
    pub fn batch(&mut self, rows: &[(usize, String)], after_ms: u64) -> u64 {
        let mut builder = RecordsBuilder::new(self.topics.clone());
        for (row, (topic, value)) in rows.iter().enumerate() {
            let partition = row % 2;
            let offset = &mut self.offsets[*topic][partition];
            let value = Some(value.as_bytes());
            let headers = std::iter::empty();
            builder.push(*topic, partition as i32, *offset, 1_700_000_000_000, false, None, value, headers);
            *offset += 1;
        }
        let records = builder.take();
        let n = self.push(Body::Batch { parts: describe(&records) }, after_ms);
        self.records.insert(n, records);
        n
    }

    /// `count` random entries.
    pub fn random(seed: u64, count: usize, change: impl FnOnce(&mut PipelineConfig)) -> Self {
        let mut stand = Self::new(seed, change);
        for _ in 0..count {
            let pause = if stand.random.below(20) == 0 { 500 } else { stand.random.below(40) };
            match stand.random.below(12) {
                0 => drop(stand.push(Body::Tick, pause)),
                _ => {
                    let rows = 1 + stand.random.below(30);
                    let rows: Vec<_> = (0..rows).map(|_| stand.random_row()).collect();
                    stand.batch(&rows, pause);
                }
            }
        }
        stand
    }

    pub fn event(id: u64) -> (usize, String) {
        (0, format!(r#"{{"id":"e{id}","a":{}.5,"b":{},"c":"{}"}}"#, id % 7, id % 3, id % 4))
    }

    pub fn label(id: u64, class: u64) -> (usize, String) {
        (1, format!(r#"{{"id":"e{id}","label":"{class}"}}"#))
    }

    fn random_row(&mut self) -> (usize, String) {
        // Ids around the newest: some events come again, some labels come first.
        let near = (self.ids + 5).saturating_sub(self.random.below(60));
        match self.random.below(20) {
            0 => (0, "not json".into()),
            1 => (1, r#"{"id":"e1","label":"2"}"#.into()),
            2 => Self::event(near),
            3..=10 => Self::label(near, u64::from(near % 7 < 3)),
            11 => (1, format!(r#"{{"id":"e{near}","label":"1","weight":0}}"#)),
            _ => {
                self.ids += 1;
                Self::event(self.ids)
            }
        }
    }

    pub fn machine(&self, probe: Probed, cold: Cold) -> Machine {
        // The first configuration is the one that entry 1 names.
        Machine::new(self.setup.clone(), probe, cold).unwrap()
    }

    /// Applies one entry without a guard.
    pub fn apply(&self, machine: &mut Machine, entry: &Entry, skips: &Skips) -> Effects {
        let decoder = Decoder::new(machine.setup(), machine.probe.clone()).unwrap();
        let decoded = self.records.get(&entry.n).map(|records| Decoded {
            rows: decoder.decode(entry.n, records, skips),
            records: records.clone(),
        });
        machine.apply(entry, decoded, skips).unwrap()
    }

    /// The state after all entries, by a probe that does nothing and without the rows in `skips`.
    pub fn reference(&self, skips: &Skips) -> Machine {
        let mut machine = self.machine(None, None);
        for entry in &self.entries {
            self.apply(&mut machine, entry, skips);
        }
        machine
    }

    pub fn places(&self) -> Places {
        Places::new(self.folder.path(), "t")
    }

    /// Writes the journal as docs/journal.md says: length, CRC32C, JSON.
    pub fn write_journal(&self) {
        let dir = self.places().journal;
        std::fs::create_dir_all(&dir).unwrap();
        let mut bytes = Vec::new();
        for entry in &self.entries {
            let json = entry.to_json();
            bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&crc32c::crc32c(&json).to_le_bytes());
            bytes.extend_from_slice(&json);
        }
        std::fs::write(dir.join(format!("{:020}.journal", 1)), bytes).unwrap();
    }

    pub fn source(&self) -> Box<dyn RecordSource> {
        Box::new(Kept(self.records.clone()))
    }

    /// Recovers from the journal's files.
    pub fn recover(&self, probe: Probed, told: &mut Told) -> Result<Recovered, RecoverError> {
        let to = self.entries.len() as u64;
        told.next = to;
        let places = self.places();
        let recovery = Recovery {
            setup: &self.setup,
            places: &places,
            journal: &Home::Files(places.journal.clone()),
            probe,
            cold: None,
            checkpoint_max: to,
            to,
            stop: &|| false,
        };
        recovery.run(&mut |_| Ok(self.source()), told)
    }
}

/// Records that are there already.
struct Kept(BTreeMap<u64, Records>);

impl RecordSource for Kept {
    fn fetch(
        &mut self,
        entry: u64,
        parts: &[Part],
        _stop: &dyn Fn() -> bool,
    ) -> Result<Records, JournalError> {
        let records = self.0[&entry].clone();
        assert_eq!(describe(&records), parts);
        Ok(records)
    }
}

impl Sink for Told {
    fn effects(&mut self, after: u64, effects: Effects) {
        self.effects.push((after, effects));
    }

    fn skip(&mut self, skip: &Skip) -> Result<u64, RecoverError> {
        self.skips.push(skip.clone());
        self.next += 1;
        Ok(self.next)
    }
}
