use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::config::{JournalConfig, KafkaConfig};
use crate::journal::frame::frame;
use crate::journal::segment::{segment_path, segments};
use crate::journal::{
    Body, Entry, FileJournal, Home, Journal, JournalError, Line, Lines, Opening, Part, Progress, Scan,
    SegmentReader, Skip,
};
use crate::stream::{Endpoint, OutputProducer, Outputs, Position, SourceConsumer};

pub(super) const TOPIC: &str = "out";

/// Librdkafka's cluster in the process, with the topic for outputs.
pub(super) struct Broker {
    pub(super) cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Broker {
    pub(super) fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        Self { cluster }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        let brokers = self.cluster.bootstrap_servers();
        Endpoint::new(&KafkaConfig { brokers, ..KafkaConfig::default() })
    }

    /// The first `count` values on the topic for outputs; fewer when no more come within two seconds.
    pub(super) fn values(&self, count: usize) -> Vec<String> {
        let position = Position { topic: TOPIC.into(), partition: 0, next: 0 };
        let mut source = SourceConsumer::live(&self.endpoint(), "test", &[position]).unwrap();
        let mut values = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while values.len() < count && Instant::now() < deadline {
            let Some(records) = source.next_batch(SETTLE, Duration::ZERO, 1_000).unwrap() else { break };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            values.extend(records.iter().map(|record| text(record.value().unwrap())));
        }
        values
    }
}

/// How long a topic is listened to before nothing more is expected on it.
const SETTLE: Duration = Duration::from_secs(2);

/// What a journal told its owner.
#[derive(Clone, Default)]
pub(super) struct Told {
    pub(super) progress: Arc<Mutex<Vec<Progress>>>,
    pub(super) failures: Arc<Mutex<Vec<String>>>,
}

/// A journal's owner to be.
pub(super) struct Owner<'a> {
    pub(super) dir: &'a Path,
    pub(super) config: JournalConfig,
    pub(super) checkpoint: u64,
    pub(super) reached: u64,
    pub(super) endpoint: Endpoint,
    pub(super) told: Told,
}

impl<'a> Owner<'a> {
    /// Without a broker: outputs never leave.
    pub(super) fn of(dir: &'a Path) -> Self {
        let kafka = KafkaConfig { brokers: "127.0.0.1:1".into(), ..KafkaConfig::default() };
        let config = JournalConfig { mark_ms: 1, ..JournalConfig::default() };
        let (endpoint, told) = (Endpoint::new(&kafka), Told::default());
        Self { dir, config, checkpoint: 0, reached: 0, endpoint, told }
    }

    pub(super) fn with(dir: &'a Path, broker: &Broker) -> Self {
        Self { endpoint: broker.endpoint(), ..Self::of(dir) }
    }

    pub(super) fn open(&self) -> Result<(FileJournal, Scan), JournalError> {
        let Told { progress, failures } = self.told.clone();
        FileJournal::open(Opening {
            dir: self.dir,
            pipeline: "test",
            config: &self.config,
            checkpoint: self.checkpoint,
            reached: self.reached,
            producer: OutputProducer::new(&self.endpoint).unwrap(),
            on_progress: Box::new(move |now| progress.lock().unwrap().push(now)),
            on_failure: Box::new(move |error| failures.lock().unwrap().push(error.to_string())),
        })
    }
}

pub(super) fn refused(opened: Result<(FileJournal, Scan), JournalError>) -> JournalError {
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

pub(super) fn output(value: &str) -> Outputs {
    let mut outputs = Outputs::default();
    outputs.push_with(&TOPIC.into(), Some(0), None, |bytes| bytes.extend_from_slice(value.as_bytes()));
    outputs
}

/// Appends ticks that put their number on the topic, and releases them.
pub(super) fn write(journal: &dyn Journal, count: u64) {
    for _ in 0..count {
        let n = journal.append(Body::Tick).unwrap().n;
        journal.release(n, n, output(&n.to_string()));
    }
}

pub(super) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub(super) fn tick(n: u64) -> Line {
    Line::Entry(Entry { n, time_ms: 1_000 + n, body: Body::Tick })
}

pub(super) fn skip(n: u64, entry: u64) -> Line {
    let reason = "it panics".into();
    let skip = Skip { entry, topic: "t".into(), partition: 0, offset: 1, reason };
    Line::Entry(Entry { n, time_ms: 1_000 + n, body: Body::Skip(skip) })
}

pub(super) fn batch(n: u64, first: i64) -> Line {
    let (topic, hash) = ("t".into(), "00".into());
    let parts = vec![Part { topic, partition: 0, first, last: first + 9, count: 10, hash }];
    Line::Entry(Entry { n, time_ms: 1_000 + n, body: Body::Batch { parts } })
}

/// Writes a segment by hand, named after `first`.
pub(super) fn segment(dir: &Path, first: u64, lines: &[Line]) {
    let mut bytes = Vec::new();
    for line in lines {
        frame(&serde_json::to_vec(line).unwrap(), &mut bytes);
    }
    std::fs::write(segment_path(dir, first), bytes).unwrap();
}

/// A folder as a journal's home.
pub(super) fn files(dir: &tempfile::TempDir) -> Home {
    Home::Files(dir.path().to_owned())
}

/// All lines of a journal, from its first.
pub(super) fn lines(dir: &Path) -> Result<Vec<Line>, JournalError> {
    let mut reader = SegmentReader::open(dir, 1)?;
    std::iter::from_fn(|| reader.next_line().transpose()).collect()
}

/// Numbers of all entries of a journal.
pub(super) fn numbers(dir: &Path) -> Vec<u64> {
    let number = |line| match line {
        Line::Entry(entry) => Some(entry.n),
        Line::Mark { .. } => None,
    };
    lines(dir).unwrap().into_iter().filter_map(number).collect()
}

/// First entries of the segments, as their names say.
pub(super) fn firsts(dir: &Path) -> Vec<u64> {
    segments(dir).unwrap().into_iter().map(|(first, _)| first).collect()
}
