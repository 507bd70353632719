//! Events wait for their labels, in memory and on disk, by id.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hashbrown::HashTable;

use super::chunk::{Chunk, Labelled, Truth};
use super::cold::ColdRows;
use super::cold_row::encoded_len;
use super::early::EarlyLabels;
use super::finished::{Finished, Outcome};
use super::spilled::Spilled;
use super::waiting::Waiting;
use crate::config::{DedupeConfig, JoinConfig};

/// What became of a label record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelOutcome {
    /// Its event was pending: an example.
    Matched,
    /// Its event has not come yet.
    Pending,
    /// Its event had expired.
    Late,
    /// The event has this label already.
    Duplicate,
    /// The event has another label already; the first one stands.
    Correction,
}

/// Rows that left by time or for want of room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub events_expired: u64,
    pub labels_expired: u64,
    /// Of both: because a bound was reached, before their time.
    pub crowded_out: u64,
}

/// Joins labels to the events that wait for them, by id, whatever partition either came from.
///
/// The events wait in memory, and the oldest of them on disk where there is a store for them and more wait than
/// `memory_rows_max`. Which of the two a row is in changes nothing that can be seen from outside. When the store
/// fails, so does the call, by a panic: the whole state has to be recovered then.
#[derive(Debug)]
pub struct Join {
    pub(super) config: JoinConfig,
    /// In memory, by number, oldest first; none without a waiting row.
    pub(super) chunks: BTreeMap<u64, Waiting>,
    pub(super) next_chunk: u64,
    index: HashTable<Slot>,
    pub(super) early: EarlyLabels,
    pub(super) finished: Finished,
    /// On disk: all older than those in memory.
    pub(super) spilled: Option<Spilled>,
    /// Sum of the hashes of the pending rows, modulo 2^128.
    pub(super) sum: u128,
    /// Bytes of the pending rows, wherever they are, as they are encoded on disk: what `bytes_max` bounds. The size of
    /// the file would not do: it depends on when pages were freed.
    pub(super) bytes: u64,
    scratch: Vec<u8>,
}

/// Where a pending row is: its chunk's number and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    chunk: u64,
    row: u32,
}

impl Join {
    /// With all events in memory, whatever `memory_rows_max` says.
    pub fn new(config: &JoinConfig, dedupe: &DedupeConfig) -> Self {
        Self {
            config: config.clone(),
            chunks: BTreeMap::new(),
            next_chunk: 0,
            index: HashTable::new(),
            early: EarlyLabels::default(),
            finished: Finished::new(dedupe.ids_max),
            spilled: None,
            sum: 0,
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// With the oldest events in `cold` where more than `memory_rows_max` wait. What is there already is not of this
    /// join, until `load` says otherwise; the join made last is the only one that may still be used.
    pub fn with_cold(config: &JoinConfig, dedupe: &DedupeConfig, cold: Arc<Mutex<ColdRows>>) -> Self {
        let spilled = Some(Spilled::new(cold, config.rows_max));
        Self { spilled, ..Self::new(config, dedupe) }
    }

    /// Takes out of the store what another join left there, whose place this one takes, empty, for good. The savepoints
    /// keep their rows, so that an older state can still be loaded.
    pub fn clear_cold(&mut self) {
        debug_assert_eq!(self.pending(), 0, "a join that takes the place of another begins empty");
        if let Some(spilled) = &mut self.spilled {
            spilled.clear();
        }
    }

    /// Where the oldest events go.
    pub fn cold(&self) -> Option<Arc<Mutex<ColdRows>>> {
        self.spilled.as_ref().map(Spilled::shared)
    }

    /// Takes on settings that need no reset.
    pub fn configure(&mut self, config: &JoinConfig, dedupe: &DedupeConfig) {
        self.config = config.clone();
        self.finished.configure(dedupe.ids_max);
    }

    /// Events that wait for a label.
    pub fn pending(&self) -> usize {
        self.index.len() + self.on_disk()
    }

    /// Bytes of those, as they are encoded on disk.
    pub fn pending_bytes(&self) -> u64 {
        self.bytes
    }

    /// Of those, the ones on disk.
    pub fn on_disk(&self) -> usize {
        self.spilled.as_ref().map_or(0, Spilled::len)
    }

    /// Labels that wait for their event.
    pub fn early_labels(&self) -> usize {
        self.early.len()
    }

    pub fn finished_ids(&self) -> usize {
        self.finished.len()
    }

    /// Whether an event with this id would be a duplicate.
    pub fn knows(&self, id: u128) -> bool {
        self.find(id).is_some()
            || self.finished.get(id).is_some()
            || self.spilled.as_ref().is_some_and(|spilled| spilled.contains(id))
    }

    /// Remembers events that never wait, because they carry their labels: id and target of each.
    pub fn finish(&mut self, events: impl ExactSizeIterator<Item = (u128, f32)>) {
        self.finished.make_room(events.len());
        for (id, target) in events {
            self.finished.push(id, target, Outcome::Labelled);
        }
    }

    /// Takes predicted events in, none of them known. Those whose label is there already go to `out` at once; returns
    /// how many.
    pub fn admit(&mut self, chunk: Chunk, out: &mut Labelled) -> u64 {
        let mut waiting = Waiting::new(chunk);
        let mut matched = 0;
        for row in 0..waiting.chunk.len() {
            let id = waiting.chunk.id_hashes[row];
            if let Some(truth) = self.early.take(id) {
                out.push(&waiting.chunk, row, truth);
                self.finished.push(id, truth.target, Outcome::Labelled);
                matched += 1;
                continue;
            }
            let hash = waiting.chunk.row_hash(row, &mut self.scratch);
            waiting.open(row, hash);
            self.sum = self.sum.wrapping_add(hash);
            self.bytes += encoded_len(&waiting.chunk, row);
        }
        self.keep(waiting);
        self.spill();
        matched
    }

    /// Where more rows are in memory than may be, moves the oldest chunks to disk, and some more than must, so that
    /// there is room for a while.
    fn spill(&mut self) {
        let memory_max = self.config.memory_rows_max;
        if self.index.len() <= memory_max || self.spilled.is_none() {
            return;
        }
        let keep = memory_max - memory_max / SPILL_PART;
        let mut oldest = Vec::new();
        while self.index.len() > keep
            && let Some((number, waiting)) = self.chunks.pop_first()
        {
            for row in waiting.open_rows() {
                let slot = Slot { chunk: number, row: row as u32 };
                let id = waiting.chunk.id_hashes[row];
                if let Ok(found) = self.index.find_entry(id as u64, |other| *other == slot) {
                    found.remove();
                }
            }
            oldest.push((number, waiting));
        }
        if let Some(spilled) = &mut self.spilled {
            spilled.put(&oldest);
        }
    }

    /// Indexes the waiting rows of a chunk and keeps it.
    pub(super) fn keep(&mut self, waiting: Waiting) {
        if waiting.open_count == 0 {
            return;
        }
        let number = self.next_chunk;
        self.next_chunk += 1;
        self.chunks.insert(number, waiting);
        self.index_rows(number);
    }

    fn index_rows(&mut self, number: u64) {
        let chunks = &self.chunks;
        let waiting = &chunks[&number];
        for row in waiting.open_rows() {
            let slot = Slot { chunk: number, row: row as u32 };
            let id = waiting.chunk.id_hashes[row];
            self.index.insert_unique(id as u64, slot, |slot| id_at(chunks, *slot) as u64);
        }
    }

    /// Brings a label to its event.
    pub fn label(&mut self, id: u128, truth: Truth, now_ms: u64, out: &mut Labelled) -> LabelOutcome {
        if let Some(slot) = self.take(id) {
            out.push(&self.chunks[&slot.chunk].chunk, slot.row as usize, truth);
            self.finished.push(id, truth.target, Outcome::Labelled);
            self.tidy(slot.chunk);
            return LabelOutcome::Matched;
        }
        if self.label_spilled(id, truth, out) {
            return LabelOutcome::Matched;
        }
        if let Some((target, outcome)) = self.finished.get(id) {
            return match outcome {
                Outcome::Expired => LabelOutcome::Late,
                Outcome::Labelled => again(target, truth.target),
            };
        }
        if let Some(first) = self.early.get(id) {
            return again(first.target, truth.target);
        }
        self.early.push(id, truth, now_ms);
        LabelOutcome::Pending
    }

    /// Brings a label to its event on disk; whether it is there.
    fn label_spilled(&mut self, id: u128, truth: Truth, out: &mut Labelled) -> bool {
        let Some(spilled) = &mut self.spilled else { return false };
        let (sum, bytes, scratch) = (&mut self.sum, &mut self.bytes, &mut self.scratch);
        let found = spilled.take(id, |row| {
            out.push(row, 0, truth);
            *sum = sum.wrapping_sub(row.row_hash(0, scratch));
            *bytes -= encoded_len(row, 0);
        });
        if found {
            self.finished.push(id, truth.target, Outcome::Labelled);
        }
        found
    }

    /// Lets go of what has waited too long at `now_ms`, and of the oldest where there is more than the bounds allow.
    /// `timed_out` gets each event that leaves.
    pub fn expire(&mut self, now_ms: u64, mut timed_out: impl FnMut(&Chunk, usize)) -> Tally {
        let mut tally = Tally::default();
        let timeout = self.config.timeout_ms;
        let late = |since: u64| since.saturating_add(timeout) <= now_ms;
        self.expire_spilled(late, &mut timed_out, &mut tally);
        while let Some((&number, waiting)) = self.chunks.first_key_value() {
            let by_time = late(waiting.chunk.time_ms);
            if !by_time && !self.is_over(self.pending(), self.bytes) {
                break;
            }
            let left = self.expire_rows(number, by_time, &mut timed_out);
            tally.events_expired += left;
            tally.crowded_out += if by_time { 0 } else { left };
        }
        while let Some(since) = self.early.oldest_ms() {
            let over = self.early.len() > self.config.early_labels_max;
            if !late(since) && !over {
                break;
            }
            self.early.expire_oldest();
            tally.labels_expired += 1;
            tally.crowded_out += u64::from(!late(since));
        }
        tally
    }

    /// Expires rows on disk, the oldest of all: those that are late, then as many as there are too many.
    fn expire_spilled(
        &mut self,
        late: impl Fn(u64) -> bool,
        timed_out: &mut impl FnMut(&Chunk, usize),
        tally: &mut Tally,
    ) {
        let (rows, bytes) = (Cell::new(self.pending()), Cell::new(self.bytes));
        let (rows_max, bytes_max) = (self.config.rows_max, self.config.bytes_max);
        let Some(spilled) = &mut self.spilled else { return };
        let (sum, scratch, finished) = (&mut self.sum, &mut self.scratch, &mut self.finished);
        spilled.expire(
            |since| late(since) || rows.get() > rows_max || bytes.get() > bytes_max,
            |row| {
                rows.set(rows.get() - 1);
                bytes.set(bytes.get() - encoded_len(row, 0));
                *sum = sum.wrapping_sub(row.row_hash(0, scratch));
                timed_out(row, 0);
                finished.push(row.id_hashes[0], f32::NAN, Outcome::Expired);
                tally.events_expired += 1;
                tally.crowded_out += u64::from(!late(row.time_ms));
            },
        );
        self.bytes = bytes.get();
    }

    /// Whether so many pending rows, of so many bytes, are more than may be.
    fn is_over(&self, rows: usize, bytes: u64) -> bool {
        rows > self.config.rows_max || bytes > self.config.bytes_max
    }

    /// Expires the waiting rows of a chunk, the first first: all of them, or until there is room.
    fn expire_rows(&mut self, number: u64, all: bool, timed_out: &mut impl FnMut(&Chunk, usize)) -> u64 {
        let rows: Vec<usize> = self.chunks[&number].open_rows().collect();
        let mut left = 0;
        for row in rows {
            if !all && !self.is_over(self.pending(), self.bytes) {
                break;
            }
            let id = self.chunks[&number].chunk.id_hashes[row];
            self.take(id);
            timed_out(&self.chunks[&number].chunk, row);
            self.finished.push(id, f32::NAN, Outcome::Expired);
            left += 1;
        }
        self.tidy(number);
        left
    }

    /// When the next row times out, by entry time.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let on_disk = self.spilled.as_ref().and_then(Spilled::oldest_ms);
        let oldest =
            on_disk.or_else(|| self.chunks.first_key_value().map(|(_, waiting)| waiting.chunk.time_ms));
        let since = [oldest, self.early.oldest_ms()].into_iter().flatten().min()?;
        Some(since.saturating_add(self.config.timeout_ms))
    }

    fn find(&self, id: u128) -> Option<Slot> {
        self.index.find(id as u64, |slot| id_at(&self.chunks, *slot) == id).copied()
    }

    /// Takes a pending row out of the index; its chunk is there until `tidy`.
    fn take(&mut self, id: u128) -> Option<Slot> {
        let chunks = &self.chunks;
        let found = self.index.find_entry(id as u64, |slot| id_at(chunks, *slot) == id).ok()?;
        let (slot, _) = found.remove();
        let waiting = self.chunks.get_mut(&slot.chunk).expect("the index names chunks that are there");
        waiting.close(slot.row as usize);
        self.sum = self.sum.wrapping_sub(waiting.hashes[slot.row as usize]);
        self.bytes -= encoded_len(&waiting.chunk, slot.row as usize);
        Some(slot)
    }

    /// Drops a chunk without waiting rows, and makes one small of which few still wait: one late label must not hold
    /// the memory of thousands.
    fn tidy(&mut self, number: u64) {
        let waiting = &self.chunks[&number];
        if waiting.open_count == 0 {
            self.chunks.remove(&number);
        } else if waiting.open_count * COMPACT_BELOW < waiting.chunk.len() {
            for row in waiting.open_rows() {
                let id = waiting.chunk.id_hashes[row];
                let chunks = &self.chunks;
                if let Ok(found) = self.index.find_entry(id as u64, |slot| id_at(chunks, *slot) == id) {
                    found.remove();
                }
            }
            let small = waiting.compacted();
            self.chunks.insert(number, small);
            self.index_rows(number);
        }
    }
}

/// One in so many rows in memory goes to disk at a time.
const SPILL_PART: usize = 16;

/// A chunk is made small when fewer than one in so many rows still wait.
const COMPACT_BELOW: usize = 4;

fn id_at(chunks: &BTreeMap<u64, Waiting>, slot: Slot) -> u128 {
    chunks[&slot.chunk].chunk.id_hashes[slot.row as usize]
}

fn again(first: f32, now: f32) -> LabelOutcome {
    if first.to_bits() == now.to_bits() { LabelOutcome::Duplicate } else { LabelOutcome::Correction }
}
