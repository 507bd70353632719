use std::collections::BTreeMap;

use rdkafka::error::RDKafkaErrorCode;

use super::entry::{Entry, Part};
use super::error::JournalError;
use super::frame::Line;
use super::hash::hash_records;
use super::home::Home;
use super::lines::Lines;
use super::scan::Scan;
use crate::config::OnGap;
use crate::stream::{Endpoint, Position, Records, RecordsBuilder, SourceConsumer, StreamError, Wanted};

/// Where the records that a journal names come from.
pub trait RecordSource {
    /// The records of a `batch`, exactly those that it names. Waits for records that come slowly until `stop` says so.
    fn fetch(&mut self, entry: u64, parts: &[Part], stop: &dyn Fn() -> bool)
    -> Result<Records, JournalError>;
}

/// Kafka as the source, read from the first offset that the journal names on.
pub struct KafkaRecords {
    endpoint: Endpoint,
    group: String,
    source: SourceConsumer,
    on_gap: OnGap,
    /// Offset that each partition is to be read from next.
    next: BTreeMap<Place, i64>,
    /// First offset that a partition has, where that is known from a gap met before.
    low: BTreeMap<Place, i64>,
    /// A gap was left out: the source does not stand at `next` any more.
    astray: bool,
}

type Place = (String, i32);

impl KafkaRecords {
    /// For the batches that `scan` covers.
    pub fn open(endpoint: &Endpoint, group: &str, scan: &Scan, on_gap: OnGap) -> Result<Self, JournalError> {
        let next = scan.offsets.iter().map(|(place, (first, _))| (place.clone(), *first)).collect();
        Ok(Self {
            source: source(endpoint, group, &next)?,
            endpoint: endpoint.clone(),
            group: group.to_owned(),
            on_gap,
            next,
            low: BTreeMap::new(),
            astray: false,
        })
    }

    fn fetch_part(
        &mut self,
        entry: u64,
        part: &Part,
        stop: &dyn Fn() -> bool,
    ) -> Result<Records, JournalError> {
        let place = (part.topic.clone(), part.partition);
        let wanted = Wanted {
            topic: &part.topic,
            partition: part.partition,
            first: part.first,
            last: part.last,
            count: part.count as usize,
        };
        let gap = |reason: String| JournalError::Gap {
            entry,
            topic: part.topic.clone(),
            partition: part.partition,
            first: part.first,
            last: part.last,
            reason,
        };
        if let Some(low) = self.low.get(&place).filter(|low| part.first < **low) {
            return Err(gap(format!("kafka begins at offset {low}")));
        }
        if self.astray {
            self.source = source(&self.endpoint, &self.group, &self.next)?;
            self.astray = false;
        }
        let mut sink = RecordsBuilder::new(self.source.topics().clone());
        let patience = self.endpoint.timeout();
        match self.source.read_exactly(&wanted, patience, stop, &mut sink) {
            Ok(()) => {}
            Err(StreamError::Gap { low, high, .. }) => {
                self.low.insert(place, low);
                return Err(gap(format!("kafka has offsets {low} to {} only", high - 1)));
            }
            Err(error) if self.is_gone(part) => {
                return Err(gap(format!("kafka has no such topic or partition any more: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
        let records = sink.take();
        if records.is_empty() {
            return Err(gap("the journal names no record here".into()));
        }
        let found = (records.get(0).offset(), records.get(records.len() - 1).offset());
        if found != (part.first, part.last) {
            return Err(gap(format!("kafka gave offsets {} to {} instead", found.0, found.1)));
        }
        let hash = hash_records(records.iter());
        if hash != part.hash {
            return Err(gap(format!("the records hash to {hash}, the journal says {}", part.hash)));
        }
        Ok(records)
    }

    /// Whether the broker says that there is no such partition.
    fn is_gone(&self, part: &Part) -> bool {
        use RDKafkaErrorCode as Code;
        let asked = self.source.watermarks(&part.topic, part.partition, self.endpoint.timeout());
        let code = match asked {
            Err(StreamError::Kafka(error)) => error.rdkafka_error_code(),
            _ => None,
        };
        matches!(code, Some(Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::UnknownTopic))
    }
}

impl RecordSource for KafkaRecords {
    fn fetch(
        &mut self,
        entry: u64,
        parts: &[Part],
        stop: &dyn Fn() -> bool,
    ) -> Result<Records, JournalError> {
        let mut all = RecordsBuilder::new(self.source.topics().clone());
        for part in parts {
            let fetched = self.fetch_part(entry, part, stop);
            self.next.insert((part.topic.clone(), part.partition), part.last + 1);
            match fetched {
                Ok(records) => all.append(&records),
                Err(error @ JournalError::Gap { .. }) if self.on_gap == OnGap::Skip => {
                    tracing::error!(%error, "going on without these records, as on_gap = \"skip\" says");
                    self.astray = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all.take())
    }
}

/// Reads each partition from its next offset.
fn source(
    endpoint: &Endpoint,
    group: &str,
    next: &BTreeMap<Place, i64>,
) -> Result<SourceConsumer, StreamError> {
    let position = |((topic, partition), next): (&Place, &i64)| Position {
        topic: topic.as_str().into(),
        partition: *partition,
        next: *next,
    };
    SourceConsumer::apart(endpoint, group, &next.iter().map(position).collect::<Vec<_>>())
}

/// The entries of a journal, in order.
pub struct Replay {
    lines: Box<dyn Lines>,
    /// The entry that comes next.
    next: u64,
    to: u64,
}

impl Replay {
    /// Entries `from` to `to`, both included; 0 is taken for 1. Where `from` was removed, the first call of
    /// [`Replay::next_entry`] is an error.
    pub fn open(home: &Home, from: u64, to: u64) -> Result<Self, JournalError> {
        Ok(Self { lines: home.lines(from)?, next: from.max(1), to })
    }

    /// The next entry, or None after the last.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, JournalError> {
        while let Some(line) = self.lines.next_line()? {
            match line {
                Line::Entry(entry) if entry.n > self.to => return Ok(None),
                Line::Entry(entry) if entry.n > self.next => {
                    return Err(self.lines.begins(entry.n, self.next));
                }
                Line::Entry(entry) if entry.n == self.next => {
                    self.next += 1;
                    return Ok(Some(entry));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
