use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use super::probe::{Probed, Stage, tell};
use super::setup::Setup;
use crate::journal::Skip;
use crate::schema::{EventDecoder, Events, Header, LabelDecoder, Labels, Notices, RawRecord, SchemaError};
use crate::stream::{RecordView, Records};

/// A batch's records as rows, and the records themselves for dead letters that a later stage finds.
pub struct Decoded {
    pub rows: DecodedRows,
    pub records: Records,
}

/// Rows of events and labels, with what could not be used.
pub struct DecodedRows {
    pub events: Events,
    pub labels: Labels,
    pub refused: Vec<Refused>,
    pub notices: Notices,
    pub events_read: u64,
    pub labels_read: u64,
}

impl Decoded {
    /// The record of an origin, in the events or the labels topic.
    pub fn row_of(
        &self,
        events_topic: &str,
        is_event: bool,
        (partition, offset): (i32, i64),
    ) -> Option<usize> {
        (0..self.records.len()).find(|row| {
            let record = self.records.get(*row);
            (record.topic() == events_topic) == is_event
                && (record.partition(), record.offset()) == (partition, offset)
        })
    }
}

/// A record that becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the batch.
    pub row: usize,
    pub is_event: bool,
    pub stage: &'static str,
    pub reason: String,
    /// Few and fixed words, for metrics.
    pub kind: &'static str,
}

/// Rows that entries are applied without.
pub type Skips = HashSet<(u64, String, i32, i64)>;

/// The key of a row in [`Skips`].
pub fn skip_key(skip: &Skip) -> (u64, String, i32, i64) {
    (skip.entry, skip.topic.clone(), skip.partition, skip.offset)
}

/// Turns records into rows: no state, the same bytes give the same rows.
pub struct Decoder {
    events: EventDecoder,
    labels: Option<LabelDecoder>,
    events_topic: String,
    pipeline: Arc<str>,
    probe: Probed,
}

impl Decoder {
    pub fn new(setup: &Setup, probe: Probed) -> Result<Self, SchemaError> {
        let labels =
            setup.labels_topic.as_ref().map(|_| LabelDecoder::new(&setup.config.schema)).transpose()?;
        Ok(Self {
            events: EventDecoder::new(&setup.config.events, &setup.config.schema)?,
            labels,
            events_topic: setup.events_topic.to_string(),
            pipeline: setup.name.clone(),
            probe,
        })
    }

    /// The rows of a batch without those that `skips` names.
    pub fn decode(&self, entry: u64, records: &Records, skips: &Skips) -> DecodedRows {
        let mut rows = self.empty(records.len());
        for row in 0..records.len() {
            self.decode_row(entry, records, row, skips, &mut rows);
        }
        rows
    }

    /// The same when decoding may panic: tried twice, then row by row. `on_skip` writes a row that panics into the
    /// journal and returns the number of that entry; returned is the highest, or `entry`.
    pub fn decode_guarded<E>(
        &self,
        entry: u64,
        records: Records,
        skips: &mut Skips,
        mut on_skip: impl FnMut(Skip) -> Result<u64, E>,
    ) -> Result<(Decoded, u64), E> {
        for _attempt in 0..2 {
            if let Ok(rows) = catch_unwind(AssertUnwindSafe(|| self.decode(entry, &records, skips))) {
                return Ok((Decoded { rows, records }, entry));
            }
            let labels = [("pipeline", self.pipeline.to_string()), ("stage", "decode".to_owned())];
            metrics::counter!("tidewheel_stage_panics_total", &labels).increment(1);
        }
        let mut after = entry;
        for row in 0..records.len() {
            // Twice, so that a panic that passes cannot blame a good row.
            let tried = self.try_row(entry, &records, row, skips);
            if let Err(panic) = tried.or_else(|_| self.try_row(entry, &records, row, skips)) {
                let skip = skip_of(entry, &records.get(row), "decode", &panic_message(panic.as_ref()));
                after = after.max(on_skip(skip.clone())?);
                skips.insert(skip_key(&skip));
            }
        }
        // A row that panics now and then may get through its trials and panic here: then the stage has failed.
        let rows = self.decode(entry, &records, skips);
        Ok((Decoded { rows, records }, after))
    }

    fn try_row(&self, entry: u64, records: &Records, row: usize, skips: &Skips) -> thread::Result<()> {
        let mut rows = self.empty(1);
        catch_unwind(AssertUnwindSafe(|| self.decode_row(entry, records, row, skips, &mut rows)))
    }

    fn empty(&self, records: usize) -> DecodedRows {
        DecodedRows {
            events: self.events.batch(records),
            labels: Labels::default(),
            refused: Vec::new(),
            notices: Notices::default(),
            events_read: 0,
            labels_read: 0,
        }
    }

    fn decode_row(&self, entry: u64, records: &Records, row: usize, skips: &Skips, out: &mut DecodedRows) {
        let record = records.get(row);
        let is_event = record.topic() == self.events_topic;
        let count = if is_event { &mut out.events_read } else { &mut out.labels_read };
        *count += 1;
        if !skips.is_empty() {
            let key = (entry, record.topic().to_owned(), record.partition(), record.offset());
            if skips.contains(&key) {
                let reason = "the row made a stage panic".into();
                out.refused.push(Refused { row, is_event, stage: "skip", reason, kind: "skipped" });
                return;
            }
        }
        let headers: Vec<Header<'_>> = record
            .headers()
            .map(|(name, value)| Header { name: std::str::from_utf8(name).unwrap_or_default(), value })
            .collect();
        let raw = RawRecord {
            topic: record.topic(),
            partition: record.partition(),
            offset: record.offset(),
            timestamp_ms: record.timestamp_ms(),
            key: record.key(),
            value: record.value(),
            headers: &headers,
        };
        let decoded = match &self.labels {
            Some(labels) if !is_event => labels.decode(&raw, &mut out.labels, &mut out.notices),
            _ => self.events.decode(&raw, &mut out.events, &mut out.notices),
        };
        tell(&self.probe, Stage::Decode, entry, raw.offset);
        if let Err(refusal) = decoded {
            let (reason, kind) = (refusal.to_string(), refusal.kind());
            out.refused.push(Refused { row, is_event, stage: "schema", reason, kind });
        }
    }
}

/// The journal's word for a row that cannot be used.
pub fn skip_of(entry: u64, record: &RecordView<'_>, stage: &str, message: &str) -> Skip {
    Skip {
        entry,
        topic: record.topic().to_owned(),
        partition: record.partition(),
        offset: record.offset(),
        reason: format!("{stage} panicked: {message}"),
    }
}

/// What a panic said.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}
