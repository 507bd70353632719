//! Checks what a service left on its topics, and in its journal, against the promises of its contract.
//!
//! The auditor reads the topics themselves and shares no code with the service. What it checks does not depend on the
//! order of records in different partitions.

mod alerts;
mod batch_hash;
mod check;
mod coverage;
mod dead_letters;
mod examples;
mod journal;
mod predictions;
mod read;
mod record;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

use rdkafka::error::KafkaError;

pub use check::Check;
pub use record::Record;

use journal::Journal;
use read::Reader;
use sources::Findings;

/// Where to look. Only what is named is checked.
#[derive(Debug, Clone, Default)]
pub struct AuditTopics {
    pub events: Option<String>,
    pub labels: Option<String>,
    pub predictions: Option<String>,
    pub examples: Option<String>,
    pub alerts: Option<String>,
    pub dead_letters: Option<String>,
}

/// An audit to be done.
#[derive(Debug, Clone)]
pub struct AuditPlan {
    /// Bootstrap brokers, `host:port`, separated by commas.
    pub brokers: String,
    /// Further librdkafka properties; they come last, so they win.
    pub properties: Vec<(String, String)>,
    pub topics: AuditTopics,
    /// Field of an event that holds its id; `None`: the id is topic-partition-offset.
    pub id_field: Option<String>,
    /// The service has read all there is: records after the journal's end, and events without an outcome, are faults.
    pub complete: bool,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    pub counts: Counts,
    pub checks: Vec<Check>,
}

/// What was counted; 0 where it was not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub events: u64,
    /// Events with a prediction of their own.
    pub events_predicted: u64,
    /// Events whose id had its prediction from another event.
    pub events_duplicate: u64,
    pub events_dead_lettered: u64,
    /// Events that a `skip` entry leaves out.
    pub events_skipped: u64,
    /// Events with no outcome.
    pub events_without_outcome: u64,
    pub labels: u64,
    pub labels_dead_lettered: u64,
    /// Records on the predictions topic, repeats and all.
    pub predictions: u64,
    /// Distinct ids, for each pipeline and variant.
    pub predictions_distinct: u64,
    pub examples: u64,
    pub examples_distinct: u64,
    /// Alert records, repeats and all.
    pub alerts: u64,
    pub alerts_firing: u64,
    pub alerts_resolved: u64,
    pub alerts_tombstones: u64,
    pub dead_letters: u64,
    pub dead_letters_distinct: u64,
    pub journal_entries: u64,
    pub journal_batches: u64,
    pub journal_epochs: u64,
    /// Records after the last batch of their partition.
    pub journal_tail_records: u64,
    /// Batches that could not be checked, because the topic has lost their records by retention.
    pub journal_expired_batches: u64,
}

/// Why an audit could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    #[error("bad Kafka properties: {0}")]
    Config(KafkaError),
    #[error("no broker of {brokers} answered within {seconds} s: {cause}")]
    Unreachable { brokers: String, seconds: u64, cause: KafkaError },
    #[error("no topic `{topic}` at {brokers}")]
    NoTopic { topic: String, brokers: String },
    #[error("reading `{topic}` failed: {cause}")]
    Read { topic: String, cause: KafkaError },
    #[error("nothing came from `{topic}` for {seconds} s before the end of its partitions {partitions:?}")]
    Stalled { topic: String, partitions: Vec<i32>, seconds: u64 },
    #[error("reading the journal failed: {0}")]
    Journal(std::io::Error),
}

impl AuditPlan {
    /// Nothing yet to look at; events with their id in `id`; complete.
    pub fn new(brokers: &str) -> Self {
        Self {
            brokers: brokers.into(),
            properties: Vec::new(),
            topics: AuditTopics::default(),
            id_field: Some("id".into()),
            complete: true,
        }
    }

    /// Reads the topics named, from their beginning to their present end, and the journal as `tidewheel journal` prints
    /// it. Blocks; memory grows with the ids, some 100 bytes each.
    pub fn run(&self, journal: Option<&mut dyn BufRead>) -> Result<Audit, AuditError> {
        let journal = journal.map(Journal::read).transpose().map_err(AuditError::Journal)?;
        let mut findings = Findings::new(self, journal);
        let reader = Reader::new(&self.brokers, &self.properties)?;
        let AuditTopics { events, labels, predictions, examples, alerts, dead_letters } = &self.topics;
        // Outcomes first, so that an event is laid against them when it is read.
        if let Some(topic) = dead_letters {
            reader.read(topic, &reader.ranges(topic)?, |record| findings.dead_letter(record))?;
        }
        if let Some(topic) = alerts {
            reader.read(topic, &reader.ranges(topic)?, |record| findings.alert(record))?;
        }
        if let Some(topic) = predictions {
            reader.read(topic, &reader.ranges(topic)?, |record| findings.prediction(record))?;
        }
        if let Some(topic) = labels {
            let ranges = reader.ranges(topic)?;
            ranges.iter().for_each(|range| findings.begin(topic, range));
            reader.read(topic, &ranges, |record| findings.label(record))?;
        }
        if let Some(topic) = examples {
            reader.read(topic, &reader.ranges(topic)?, |record| findings.example(record))?;
        }
        if let Some(topic) = events {
            let ranges = reader.ranges(topic)?;
            ranges.iter().for_each(|range| findings.begin(topic, range));
            reader.read(topic, &ranges, |record| findings.event(record))?;
        }
        Ok(findings.finish())
    }
}

impl Audit {
    /// Every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }
}

impl Counts {
    /// Each count with its name, in the order of the fields.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let Self { events, events_predicted, events_duplicate, events_dead_lettered, .. } = *self;
        let Self { events_skipped, events_without_outcome, labels, labels_dead_lettered, .. } = *self;
        let Self { predictions, predictions_distinct, examples, examples_distinct, .. } = *self;
        let Self { alerts, alerts_firing, alerts_resolved, alerts_tombstones, .. } = *self;
        let Self { dead_letters, dead_letters_distinct, journal_entries, journal_batches, .. } = *self;
        let Self { journal_epochs, journal_tail_records, journal_expired_batches, .. } = *self;
        vec![
            ("events", events),
            ("  predicted", events_predicted),
            ("  duplicate", events_duplicate),
            ("  dead-lettered", events_dead_lettered),
            ("  skipped", events_skipped),
            ("  without an outcome", events_without_outcome),
            ("labels", labels),
            ("  dead-lettered", labels_dead_lettered),
            ("predictions", predictions),
            ("  distinct ids", predictions_distinct),
            ("examples", examples),
            ("  distinct ids", examples_distinct),
            ("alerts", alerts),
            ("  firing", alerts_firing),
            ("  resolved", alerts_resolved),
            ("  tombstones", alerts_tombstones),
            ("dead letters", dead_letters),
            ("  distinct", dead_letters_distinct),
            ("journal entries", journal_entries),
            ("  batches", journal_batches),
            ("  epochs", journal_epochs),
            ("  records after the last batch", journal_tail_records),
            ("  batches lost to retention", journal_expired_batches),
        ]
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts.named() {
            writeln!(f, "{name:<32} {count:>12}")?;
        }
        writeln!(f)?;
        for check in self.checks.iter().filter(|check| check.examined > 0) {
            writeln!(f, "{check}")?;
        }
        let failed = self.checks.iter().filter(|check| !check.passed()).count();
        let examined = self.checks.iter().filter(|check| check.examined > 0).count();
        write!(f, "\n{} of {examined} checks passed", examined - failed)
    }
}

/// The id of an event: its field's text; without an id field topic-partition-offset; `None` where it has none.
fn event_id(id_field: Option<&str>, event: &Record<'_>) -> Option<String> {
    let Some(field) = id_field else {
        return Some(format!("{}-{}-{}", event.topic, event.partition, event.offset));
    };
    let value = event.value?;
    let value = value.strip_prefix(b"\xef\xbb\xbf").unwrap_or(value);
    let fields: BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_slice(value).ok()?;
    serde_json::from_str(fields.get(field)?.get()).ok()
}
