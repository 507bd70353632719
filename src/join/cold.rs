//! The store on disk of the pending rows that have waited longest: a redb database, by age and by id.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use metrics::{Counter, Gauge, counter, gauge};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, Durability, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::chunk::Chunk;
use super::cold_row::{decode, encode, time_ms};
use super::waiting::Waiting;

/// Why pending rows on disk cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ColdError {
    #[error(
        "{place} cannot be opened as the store of pending events: {reason}; without it recovery has to start from a \
         checkpoint that names no savepoint, or from the journal's first entry"
    )]
    Open { place: String, reason: String },
    #[error("{place} is in use by a running process, expected that it is stopped")]
    InUse { place: String },
    #[error("{place}: pending events cannot be read or written: {source}")]
    Storage { place: String, source: Box<redb::Error> },
    #[error("{place} has no savepoint {id}; it has {found:?}")]
    NoSavepoint { place: String, id: u64, found: Vec<u64> },
    #[error("savepoint {id} is named, but there is no store; expected none, or a store of pending events")]
    NoStore { id: u64 },
    /// What the savepoint holds is not what was saved.
    #[error("savepoint {id} of {place} has {found}, expected {expected}")]
    OtherRows { place: String, id: u64, found: String, expected: String },
}

/// Where a row is: the number of its chunk, and its place there. Ascending: oldest first.
pub(super) type At = (u64, u32);

/// A row's bytes by its age. Rows come and go at the ends, so neighbours share pages.
const ROWS: TableDefinition<At, &[u8]> = TableDefinition::new("rows");
/// Where the row with an id is.
const IDS: TableDefinition<u128, At> = TableDefinition::new("ids");

/// Pages that redb keeps in memory: the inner nodes of both trees, and the leaves of the ids of about a million rows.
/// What does not fit is in the page cache of the system, as long as that has room.
const CACHE_BYTES: usize = 64 << 20;

/// Ids that are taken out at once, in their own order: each leaf of the tree is then changed once.
const IDS_AT_ONCE: usize = 1 << 14;

/// Pending rows on disk. Between savepoints nothing is synced: a crash goes back to the last savepoint.
pub struct ColdRows {
    /// For messages.
    place: String,
    /// Where the size can be read.
    path: Option<PathBuf>,
    /// What has changed since the last commit. Before the database: it has to be dropped first.
    writing: Option<WriteTransaction>,
    database: Database,
    /// The row that was read last.
    row: Chunk,
    meters: Meters,
}

struct Meters {
    rows: Gauge,
    bytes: Gauge,
    spills: Counter,
}

impl std::fmt::Debug for ColdRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColdRows").field("place", &self.place).finish_non_exhaustive()
    }
}

impl ColdRows {
    /// Opens or makes the store at `path`, whose folder exists; `pipeline` is for the metrics. After a crash the rows
    /// are those of the last savepoint or later: say which state goes on by [`ColdRows::restore`] or
    /// [`ColdRows::clear`].
    pub fn open(path: &Path, pipeline: &str) -> Result<Self, ColdError> {
        let labels = [("pipeline", pipeline.to_owned())];
        let meters = Meters {
            rows: gauge!("tidewheel_pending_spilled_events", &labels),
            bytes: gauge!("tidewheel_pending_store_bytes", &labels),
            spills: counter!("tidewheel_pending_spills_total", &labels),
        };
        let place = path.display().to_string();
        let database = opened(&place, || Ok(builder().create(path)?))?;
        Ok(Self::new(place, Some(path.to_owned()), database, meters))
    }

    /// An empty store in the system's folder for temporary files; it goes with this value.
    pub fn temporary() -> Result<Self, ColdError> {
        let place = "a temporary file";
        let file = tempfile::tempfile().map_err(|error| open_error(place, &error))?;
        Self::unnamed(place.into(), file)
    }

    /// A temporary copy of the store at `path`, which is only read, and which no process may have open.
    pub fn copy_of(path: &Path) -> Result<Self, ColdError> {
        let place = format!("a copy of {}", path.display());
        let fail = |error| open_error(&place, &error);
        let mut from = File::open(path).map_err(fail)?;
        // redb holds this lock on what it has open for writing.
        if from.try_lock_shared().is_err() {
            return Err(ColdError::InUse { place: path.display().to_string() });
        }
        let mut file = tempfile::tempfile().map_err(fail)?;
        std::io::copy(&mut from, &mut file).map_err(fail)?;
        Self::unnamed(place, file)
    }

    fn unnamed(place: String, file: File) -> Result<Self, ColdError> {
        let database = opened(&place, || Ok(builder().create_with_backend(FileBackend::new(file)?)?))?;
        let meters = Meters { rows: Gauge::noop(), bytes: Gauge::noop(), spills: Counter::noop() };
        Ok(Self::new(place, None, database, meters))
    }

    fn new(place: String, path: Option<PathBuf>, database: Database, meters: Meters) -> Self {
        Self { place, path, writing: None, database, row: Chunk::default(), meters }
    }

    /// What messages call it.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Rows in the store.
    pub fn len(&mut self) -> Result<u64, ColdError> {
        self.on(|txn, _| Ok(txn.open_table(ROWS)?.len()?))
    }

    pub fn is_empty(&mut self) -> Result<bool, ColdError> {
        Ok(self.len()? == 0)
    }

    /// Whether a row with this id is in the store.
    pub fn contains(&mut self, id: u128) -> Result<bool, ColdError> {
        self.on(|txn, _| Ok(txn.open_table(IDS)?.get(id)?.is_some()))
    }

    /// Takes the waiting rows of chunks in, all younger than what is there, in one commit that is not synced.
    pub(super) fn put(&mut self, chunks: &[(u64, Waiting)]) -> Result<(), ColdError> {
        self.on(|txn, _| {
            let mut places = Vec::new();
            let mut bytes = Vec::new();
            let mut rows = txn.open_table(ROWS)?;
            for (number, waiting) in chunks {
                for row in waiting.open_rows() {
                    let at = (*number, row as u32);
                    bytes.clear();
                    encode(&waiting.chunk, row, &mut bytes);
                    rows.insert(at, bytes.as_slice())?;
                    places.push((waiting.chunk.id_hashes[row], at));
                }
            }
            places.sort_unstable();
            let mut ids = txn.open_table(IDS)?;
            for (id, at) in places {
                ids.insert(id, at)?;
            }
            Ok(())
        })?;
        self.meters.spills.increment(1);
        self.commit()
    }

    /// Takes the row with this id out: where it was, and a chunk of it alone.
    pub(super) fn take(&mut self, id: u128) -> Result<Option<(At, &Chunk)>, ColdError> {
        let taken = self.on(|txn, row| {
            let Some(at) = txn.open_table(IDS)?.remove(id)?.map(|at| at.value()) else { return Ok(None) };
            let mut rows = txn.open_table(ROWS)?;
            let bytes = rows.remove(at)?;
            read(at, bytes.as_ref().map(|bytes| bytes.value()), row)?;
            Ok(Some(at))
        })?;
        Ok(taken.map(|at| (at, &self.row)))
    }

    /// Where the oldest row is, and the time of its entry.
    pub(super) fn oldest(&mut self) -> Result<Option<(At, u64)>, ColdError> {
        self.on(|txn, _| match txn.open_table(ROWS)?.first()? {
            Some((at, bytes)) => Ok(Some((at.value(), time(at.value(), bytes.value())?))),
            None => Ok(None),
        })
    }

    /// Takes rows out, oldest first, while `due` says so of the time of their entry; `left` gets each as a chunk of it
    /// alone.
    pub(super) fn expire_oldest(
        &mut self,
        mut due: impl FnMut(u64) -> bool,
        mut left: impl FnMut(&Chunk),
    ) -> Result<(), ColdError> {
        self.on(|txn, row| {
            let mut rows = txn.open_table(ROWS)?;
            let mut ids = txn.open_table(IDS)?;
            let mut gone = Vec::new();
            loop {
                let oldest = match rows.first()? {
                    Some((at, bytes)) => Some(time(at.value(), bytes.value())?),
                    None => None,
                };
                let more = oldest.is_some_and(&mut due);
                if !more || gone.len() == IDS_AT_ONCE {
                    gone.sort_unstable();
                    for id in gone.drain(..) {
                        ids.remove(id)?;
                    }
                }
                if !more {
                    return Ok(());
                }
                if let Some((at, bytes)) = rows.pop_first()? {
                    read(at.value(), Some(bytes.value()), row)?;
                    gone.push(row.id_hashes[0]);
                    left(row);
                }
            }
        })
    }

    /// Hands out every row, oldest first, as a chunk of it alone.
    pub(super) fn scan(&mut self, mut each: impl FnMut(At, &Chunk)) -> Result<(), ColdError> {
        let place = self.place.clone();
        sound(&place, || {
            self.on(|txn, row| {
                let rows = txn.open_table(ROWS)?;
                for item in rows.iter()? {
                    let (at, bytes) = item?;
                    read(at.value(), Some(bytes.value()), row)?;
                    each(at.value(), row);
                }
                Ok(())
            })
        })
    }

    /// Lets go of all rows; savepoints stay.
    pub fn clear(&mut self) -> Result<(), ColdError> {
        self.abandon()?;
        self.on(|txn, _| {
            txn.delete_table(ROWS)?;
            txn.delete_table(IDS)?;
            Ok(())
        })?;
        self.commit()
    }

    /// Makes the rows durable and returns the number of a savepoint that [`ColdRows::restore`] comes back to, as often
    /// as asked, also after a crash. It holds on to the pages it needs until it is dropped.
    pub fn savepoint(&mut self) -> Result<u64, ColdError> {
        // Its transaction must have changed nothing yet; being synced, it makes the commits before it durable too.
        self.commit()?;
        let id = self.durably(|txn| Ok(txn.persistent_savepoint()?))?;
        if let Some(size) = self.path.as_ref().and_then(|path| fs::metadata(path).ok()) {
            self.meters.bytes.set(size.len() as f64);
        }
        Ok(id)
    }

    /// Goes back to the rows of a savepoint. Younger savepoints are lost.
    pub fn restore(&mut self, id: u64) -> Result<(), ColdError> {
        self.abandon()?;
        let found = self.savepoints()?;
        if !found.contains(&id) {
            return Err(ColdError::NoSavepoint { place: self.place.clone(), id, found });
        }
        let place = self.place.clone();
        sound(&place, || {
            self.durably(|txn| {
                let savepoint = txn.get_persistent_savepoint(id)?;
                Ok(txn.restore_savepoint(&savepoint)?)
            })
        })
    }

    /// The savepoints that are there, ascending.
    pub fn savepoints(&mut self) -> Result<Vec<u64>, ColdError> {
        let ids: BTreeSet<u64> = self.on(|txn, _| Ok(txn.list_persistent_savepoints()?.collect()))?;
        Ok(ids.into_iter().collect())
    }

    /// Lets go of a savepoint; one that is not there is gone already.
    pub fn drop_savepoint(&mut self, id: u64) -> Result<(), ColdError> {
        self.drop_savepoints(|other| other == id)
    }

    /// Lets go of the savepoints before this one: to be called with that of the oldest checkpoint that is kept, after
    /// the newest was renamed.
    pub fn forget_savepoints_before(&mut self, id: u64) -> Result<(), ColdError> {
        self.drop_savepoints(|other| other < id)
    }

    fn drop_savepoints(&mut self, which: impl Fn(u64) -> bool) -> Result<(), ColdError> {
        let gone: Vec<u64> = self.savepoints()?.into_iter().filter(|id| which(*id)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.durably(|txn| {
            gone.iter().try_for_each(|id| Ok(txn.delete_persistent_savepoint(*id).map(drop)?))
        })
    }

    /// Tells the metrics how many rows there are.
    pub(super) fn measure(&self, rows: usize) {
        self.meters.rows.set(rows as f64);
    }

    /// Works on what has changed since the last commit.
    fn on<T>(
        &mut self,
        work: impl FnOnce(&WriteTransaction, &mut Chunk) -> Result<T, redb::Error>,
    ) -> Result<T, ColdError> {
        let Self { writing, database, row, .. } = self;
        let result = match writing {
            Some(txn) => work(txn, row),
            None => unsynced(database).and_then(|txn| work(writing.insert(txn), row)),
        };
        result.map_err(|source| storage(&self.place, source))
    }

    /// Ends the open transaction without a sync.
    fn commit(&mut self) -> Result<(), ColdError> {
        let result = self.writing.take().map_or(Ok(()), |txn| txn.commit().map_err(redb::Error::from));
        result.map_err(|source| storage(&self.place, source))
    }

    /// Drops what has changed since the last commit: a panic may have left it half done.
    fn abandon(&mut self) -> Result<(), ColdError> {
        let result = self.writing.take().map_or(Ok(()), |txn| txn.abort().map_err(redb::Error::from));
        result.map_err(|source| storage(&self.place, source))
    }

    /// Works in the open transaction, or a new one, and syncs.
    fn durably<T>(
        &mut self,
        work: impl FnOnce(&mut WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, ColdError> {
        let run = || {
            let mut txn = match self.writing.take() {
                Some(txn) => txn,
                None => self.database.begin_write()?,
            };
            txn.set_durability(Durability::Immediate)?;
            // Else opening after a crash reads the whole file.
            txn.set_quick_repair(true);
            let result = work(&mut txn)?;
            txn.commit()?;
            Ok(result)
        };
        run().map_err(|source| storage(&self.place, source))
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn unsynced(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut txn = database.begin_write()?;
    txn.set_durability(Durability::None)?;
    Ok(txn)
}

fn opened(place: &str, open: impl FnOnce() -> Result<Database, redb::Error>) -> Result<Database, ColdError> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => Err(ColdError::InUse { place: place.into() }),
        Ok(Err(error)) => Err(open_error(place, &error)),
        // What redb does with some files that were changed by others.
        Err(_) => Err(open_error(place, &"it is damaged")),
    }
}

fn open_error(place: &str, reason: &dyn std::fmt::Display) -> ColdError {
    ColdError::Open { place: place.into(), reason: reason.to_string() }
}

fn storage(place: &str, source: redb::Error) -> ColdError {
    ColdError::Storage { place: place.into(), source: Box::new(source) }
}

/// Reads pages whose content nothing has verified yet: redb may panic over damaged ones.
fn sound<T>(place: &str, read: impl FnOnce() -> Result<T, ColdError>) -> Result<T, ColdError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(storage(place, damaged("a page is damaged"))))
}

fn damaged(what: impl Into<String>) -> redb::Error {
    redb::Error::Corrupted(what.into())
}

/// Makes `row` the row that these bytes are.
fn read(at: At, bytes: Option<&[u8]>, row: &mut Chunk) -> Result<(), redb::Error> {
    bytes.and_then(|bytes| decode(bytes, row)).ok_or_else(|| damaged(format!("no row is at {at:?}")))
}

fn time(at: At, bytes: &[u8]) -> Result<u64, redb::Error> {
    time_ms(bytes).ok_or_else(|| damaged(format!("no row is at {at:?}")))
}
