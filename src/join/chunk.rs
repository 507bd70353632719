//! What waits, and what it becomes: rows as columns, with what was said of them.

use xxhash_rust::xxh3::xxh3_128;

use crate::schema::{Origin, Rows, Texts};

/// The truth about an event, in the model's terms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Index of the class, or the value.
    pub target: f32,
    /// The label's weight; multiplied with the event's.
    pub weight: f32,
    /// When the label arrived: its record's timestamp, milliseconds since 1970; -1: unknown.
    pub arrived_ms: i64,
}

/// Events that one entry predicted, with what was said of them; they wait here, together, for their labels.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    pub entry: u64,
    /// Time of the entry.
    pub time_ms: u64,
    /// The revision that predicted.
    pub revision: u64,
    /// What majority (or mean) and no-change would have said at that entry.
    pub baseline: (f32, f32),
    /// Events predicted up to and including each row.
    pub sequences: Vec<u64>,
    pub rows: Rows,
    pub ids: Texts,
    pub id_hashes: Vec<u128>,
    pub keys: Texts,
    pub weights: Vec<f32>,
    pub origins: Vec<Origin>,
    /// Numbers that a prediction has.
    pub outputs: usize,
    /// `[rows, outputs]`: the predictions that were published.
    pub served: Vec<f32>,
}

impl Chunk {
    pub fn len(&self) -> usize {
        self.id_hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.id_hashes.is_empty()
    }

    /// The same without its rows.
    pub(super) fn emptied(&self) -> Self {
        Self {
            entry: self.entry,
            time_ms: self.time_ms,
            revision: self.revision,
            baseline: self.baseline,
            rows: Rows::new(self.rows.numeric_width(), self.rows.categorical_width()),
            outputs: self.outputs,
            ..Self::default()
        }
    }

    /// Appends row `row` of a chunk of the same entry.
    pub(super) fn push_from(&mut self, other: &Self, row: usize) {
        self.sequences.push(other.sequences[row]);
        self.rows.push_from(&other.rows, row);
        self.ids.push(other.ids.get(row));
        self.id_hashes.push(other.id_hashes[row]);
        self.keys.push(other.keys.get(row));
        self.weights.push(other.weights[row]);
        self.origins.push(other.origins[row]);
        self.served.extend_from_slice(&other.served[row * other.outputs..(row + 1) * other.outputs]);
    }

    /// Hash over all that is kept of a row: what the join's digest sums up.
    pub(super) fn row_hash(&self, row: usize, scratch: &mut Vec<u8>) -> u128 {
        scratch.clear();
        scratch.extend_from_slice(&self.id_hashes[row].to_le_bytes());
        scratch.extend_from_slice(&self.sequences[row].to_le_bytes());
        scratch.extend_from_slice(&self.time_ms.to_le_bytes());
        scratch.extend_from_slice(&self.revision.to_le_bytes());
        scratch.extend_from_slice(self.keys.get(row));
        let floats = [self.baseline.0, self.baseline.1, self.weights[row]];
        let served = &self.served[row * self.outputs..(row + 1) * self.outputs];
        for value in floats.iter().chain(self.rows.numeric_row(row)).chain(served) {
            scratch.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        for value in self.rows.categorical_row(row) {
            scratch.extend_from_slice(&value.to_le_bytes());
        }
        xxh3_128(scratch)
    }
}

/// Labelled examples in the order in which they are to be learned, with what was served for each.
#[derive(Debug, Clone, Default)]
pub struct Labelled {
    pub rows: Rows,
    pub targets: Vec<f32>,
    pub weights: Vec<f32>,
    pub outputs: usize,
    /// `[rows, outputs]`.
    pub served: Vec<f32>,
    /// Majority (or mean) and no-change, as of each event's entry.
    pub baselines: Vec<(f32, f32)>,
    /// Events predicted up to and including each event.
    pub sequences: Vec<u64>,
    pub revisions: Vec<u64>,
    pub ids: Texts,
    pub keys: Texts,
    pub origins: Vec<Origin>,
    pub arrived_ms: Vec<i64>,
}

impl Labelled {
    pub fn new(rows: Rows, outputs: usize) -> Self {
        Self { rows, outputs, ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.targets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.targets.clear();
        self.weights.clear();
        self.served.clear();
        self.baselines.clear();
        self.sequences.clear();
        self.revisions.clear();
        self.ids.clear();
        self.keys.clear();
        self.origins.clear();
        self.arrived_ms.clear();
    }

    /// Appends all rows of a chunk with their truths, which is cheaper than row by row.
    pub fn append(&mut self, chunk: &Chunk, truths: impl ExactSizeIterator<Item = Truth> + Clone) {
        assert_eq!(truths.len(), chunk.len(), "a truth a row");
        self.rows.append(&chunk.rows);
        self.targets.extend(truths.clone().map(|truth| truth.target));
        self.weights
            .extend(chunk.weights.iter().zip(truths.clone()).map(|(weight, truth)| weight * truth.weight));
        self.served.extend_from_slice(&chunk.served);
        self.baselines.resize(self.targets.len(), chunk.baseline);
        self.sequences.extend_from_slice(&chunk.sequences);
        self.revisions.resize(self.targets.len(), chunk.revision);
        self.ids.append(&chunk.ids);
        self.keys.append(&chunk.keys);
        self.origins.extend_from_slice(&chunk.origins);
        self.arrived_ms.extend(truths.map(|truth| truth.arrived_ms));
    }

    /// Appends a row of a chunk with its truth.
    pub fn push(&mut self, chunk: &Chunk, row: usize, truth: Truth) {
        self.rows.push_from(&chunk.rows, row);
        self.targets.push(truth.target);
        self.weights.push(chunk.weights[row] * truth.weight);
        self.served.extend_from_slice(&chunk.served[row * chunk.outputs..(row + 1) * chunk.outputs]);
        self.baselines.push(chunk.baseline);
        self.sequences.push(chunk.sequences[row]);
        self.revisions.push(chunk.revision);
        self.ids.push(chunk.ids.get(row));
        self.keys.push(chunk.keys.get(row));
        self.origins.push(chunk.origins[row]);
        self.arrived_ms.push(truth.arrived_ms);
    }
}
