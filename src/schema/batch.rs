use super::record::Origin;
use super::rows::{Label, Rows};
use super::texts::Texts;
use super::walk::Scratch;

/// Decoded events: one entry in each column for each event, in the order in which they were decoded.
#[derive(Debug, Default)]
pub struct Events {
    pub rows: Rows,
    /// UTF-8.
    pub ids: Texts,
    /// XXH3-128 of the id.
    pub id_hashes: Vec<u128>,
    /// The entity key; the id where the event has none.
    pub keys: Texts,
    /// The event time, in milliseconds since 1970; -1 where neither the event nor its record says one.
    pub times_ms: Vec<i64>,
    /// The record's own timestamp; -1: unknown.
    pub timestamps_ms: Vec<i64>,
    pub origins: Vec<Origin>,
    /// The label in the event; `None` where it comes later, on a topic of its own.
    pub labels: Vec<Option<Label>>,
    /// Finite, 0 or more; 0: scored, not learned.
    pub weights: Vec<f32>,
    pub(super) scratch: Scratch,
}

impl Events {
    /// For the columns of a schema; see [`EventDecoder::batch`](super::EventDecoder::batch).
    pub fn with_capacity(numeric_width: usize, categorical_width: usize, events: usize) -> Self {
        Self {
            rows: Rows::with_capacity(numeric_width, categorical_width, events),
            ids: Texts::with_capacity(events),
            id_hashes: Vec::with_capacity(events),
            keys: Texts::with_capacity(events),
            times_ms: Vec::with_capacity(events),
            timestamps_ms: Vec::with_capacity(events),
            origins: Vec::with_capacity(events),
            labels: Vec::with_capacity(events),
            weights: Vec::with_capacity(events),
            scratch: Scratch::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.id_hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.id_hashes.is_empty()
    }

    /// Keeps the first `len` events.
    pub fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        self.ids.truncate(len);
        self.id_hashes.truncate(len);
        self.keys.truncate(len);
        self.times_ms.truncate(len);
        self.timestamps_ms.truncate(len);
        self.origins.truncate(len);
        self.labels.truncate(len);
        self.weights.truncate(len);
    }

    /// Forgets the events and keeps the memory, for the next batch.
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}

/// Decoded label records, in the order in which they were decoded.
#[derive(Debug, Default)]
pub struct Labels {
    /// UTF-8.
    pub ids: Texts,
    /// XXH3-128 of the id.
    pub id_hashes: Vec<u128>,
    /// The record's key; the id where it has none.
    pub keys: Texts,
    pub labels: Vec<Label>,
    /// Finite, 0 or more; 0: scored, not learned.
    pub weights: Vec<f32>,
    /// The record's own timestamp; -1: unknown.
    pub timestamps_ms: Vec<i64>,
    pub origins: Vec<Origin>,
    pub(super) scratch: Scratch,
}

impl Labels {
    pub fn len(&self) -> usize {
        self.id_hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.id_hashes.is_empty()
    }

    /// Keeps the first `len` labels.
    pub fn truncate(&mut self, len: usize) {
        self.ids.truncate(len);
        self.id_hashes.truncate(len);
        self.keys.truncate(len);
        self.labels.truncate(len);
        self.weights.truncate(len);
        self.timestamps_ms.truncate(len);
        self.origins.truncate(len);
    }

    /// Forgets the labels and keeps the memory, for the next batch.
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}
