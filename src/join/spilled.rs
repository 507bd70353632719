//! The pending rows of a join that are on disk, the oldest ones, and what is kept in memory about them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::chunk::Chunk;
use super::cold::{At, ColdError, ColdRows};
use super::filter::Filter;
use super::waiting::Waiting;

/// While `rows` is 0 the store is not looked at, and what is in it belongs to another state.
#[derive(Debug)]
pub(super) struct Spilled {
    store: Arc<Mutex<ColdRows>>,
    rows: usize,
    filter: Filter,
    /// Where the oldest row is, and the time of its entry.
    oldest: Option<(At, u64)>,
}

/// What a savepoint was found to hold.
pub(super) struct Restored {
    /// Sum of the hashes of the rows, modulo 2^128.
    pub(super) sum: u128,
    /// Above the numbers of all chunks.
    pub(super) next_chunk: u64,
}

impl Spilled {
    /// None, for a join that has up to `rows_max` pending rows.
    pub(super) fn new(store: Arc<Mutex<ColdRows>>, rows_max: usize) -> Self {
        let none = Self { store, rows: 0, filter: Filter::new(rows_max), oldest: None };
        none.store().measure(0);
        none
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Time of the entry of the row that has waited longest.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        self.oldest.map(|(_, time_ms)| time_ms)
    }

    pub(super) fn shared(&self) -> Arc<Mutex<ColdRows>> {
        self.store.clone()
    }

    pub(super) fn contains(&self, id: u128) -> bool {
        self.rows > 0 && self.filter.may_hold(id) && done(self.store().contains(id))
    }

    /// Takes the waiting rows of chunks in, which are younger than all that is here.
    pub(super) fn put(&mut self, chunks: &[(u64, Waiting)]) {
        let mut store = lock(&self.store);
        if self.rows == 0 && !done(store.is_empty()) {
            done(store.clear());
        }
        done(store.put(chunks));
        for (number, waiting) in chunks {
            for row in waiting.open_rows() {
                self.rows += 1;
                self.filter.insert(waiting.chunk.id_hashes[row]);
                self.oldest.get_or_insert(((*number, row as u32), waiting.chunk.time_ms));
            }
        }
        store.measure(self.rows);
    }

    /// Takes out the row with this id, and hands it to `found` as a chunk of it alone.
    pub(super) fn take(&mut self, id: u128, found: impl FnOnce(&Chunk)) -> bool {
        if self.rows == 0 || !self.filter.may_hold(id) {
            return false;
        }
        let mut store = lock(&self.store);
        let Some((at, row)) = done(store.take(id)) else { return false };
        found(row);
        self.rows -= 1;
        self.filter.remove(id);
        if self.oldest.is_some_and(|(oldest, _)| oldest == at) {
            self.oldest = done(store.oldest());
        }
        store.measure(self.rows);
        true
    }

    /// Takes rows out, oldest first, while `due` says so of the time of their entry.
    pub(super) fn expire(&mut self, mut due: impl FnMut(u64) -> bool, mut left: impl FnMut(&Chunk)) {
        if !self.oldest_ms().is_some_and(&mut due) {
            return;
        }
        let mut store = lock(&self.store);
        done(store.expire_oldest(due, |row| {
            self.rows -= 1;
            self.filter.remove(row.id_hashes[0]);
            left(row);
        }));
        self.oldest = done(store.oldest());
        store.measure(self.rows);
    }

    /// Takes all rows of the store out, whosever they are; savepoints keep theirs.
    pub(super) fn clear(&mut self) {
        (self.rows, self.oldest) = (0, None);
        self.filter.clear();
        let mut store = lock(&self.store);
        done(store.clear());
        store.measure(0);
    }

    /// What messages call the store.
    pub(super) fn place(&self) -> String {
        self.store().place().to_owned()
    }

    /// A savepoint of the rows, when there are any.
    pub(super) fn savepoint(&self) -> Option<u64> {
        (self.rows > 0).then(|| done(self.store().savepoint()))
    }

    /// Makes the rows those of a savepoint, or none. `hash` is that of a row.
    pub(super) fn restore(
        &mut self,
        savepoint: Option<u64>,
        mut hash: impl FnMut(&Chunk) -> u128,
    ) -> Result<Restored, ColdError> {
        (self.rows, self.oldest) = (0, None);
        self.filter.clear();
        let mut store = lock(&self.store);
        let mut restored = Restored { sum: 0, next_chunk: 0 };
        let Some(savepoint) = savepoint else {
            store.clear()?;
            store.measure(0);
            return Ok(restored);
        };
        store.restore(savepoint)?;
        store.scan(|at, row| {
            self.rows += 1;
            self.filter.insert(row.id_hashes[0]);
            self.oldest.get_or_insert((at, row.time_ms));
            restored.sum = restored.sum.wrapping_add(hash(row));
            restored.next_chunk = at.0 + 1;
        })?;
        store.measure(self.rows);
        Ok(restored)
    }

    fn store(&self) -> MutexGuard<'_, ColdRows> {
        lock(&self.store)
    }
}

/// A panic of the stage that held it leaves the store half changed; whoever goes on restores a savepoint first, or
/// clears it.
fn lock(store: &Mutex<ColdRows>) -> MutexGuard<'_, ColdRows> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While an entry is applied there is no way on without the rows: the panic has the stage thrown away and recovered
/// from a checkpoint and the journal, as after any other fault in the middle of an entry.
fn done<T>(result: Result<T, ColdError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("pending events on disk: {error}"),
    }
}
