//! A join with its oldest rows on disk is, seen from outside, one with all rows in memory; and both do what the words of
//! the design say, as a slow model has them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::chunk::{Chunk, Labelled, Truth};
use super::cold::{ColdError, ColdRows};
use super::model::{Bounds, Example, Ledger, Model};
use super::pending::Join;
use super::saved::LoadError;
use super::testing::{chunk, id};
use crate::config::{DedupeConfig, JoinConfig};
use crate::schema::Rows;
use crate::state::TensorMap;

/// Whether a state is sound, but the rows that it left on disk are not there any more.
fn rows_are_gone(error: &LoadError) -> bool {
    use ColdError::{NoSavepoint, NoStore, OtherRows};
    matches!(error, LoadError::Cold(NoSavepoint { .. } | NoStore { .. } | OtherRows { .. }))
}

const NUMERIC: usize = 3;
const CATEGORICAL: usize = 1;

fn config(memory_rows_max: usize, rows_max: usize) -> JoinConfig {
    JoinConfig { timeout_ms: 100, rows_max, memory_rows_max, early_labels_max: 10, ..JoinConfig::default() }
}

fn dedupe() -> DedupeConfig {
    DedupeConfig { ids_max: 30 }
}

fn labelled() -> Labelled {
    Labelled::new(Rows::new(NUMERIC, CATEGORICAL), 2)
}

fn truth(target: f32) -> Truth {
    Truth { target, weight: 0.5, arrived_ms: 77 }
}

fn shared(store: ColdRows) -> Arc<Mutex<ColdRows>> {
    Arc::new(Mutex::new(store))
}

/// A join with at most so many rows in memory, and the others in a store at `path`.
fn on_disk(path: &Path, memory_rows_max: usize, rows_max: usize) -> Join {
    let store = shared(ColdRows::open(path, "test").unwrap());
    Join::with_cold(&config(memory_rows_max, rows_max), &dedupe(), store)
}

fn savepoints(join: &Join) -> Vec<u64> {
    join.cold().unwrap().lock().unwrap().savepoints().unwrap()
}

fn savepoint(state: &TensorMap) -> Option<u64> {
    let mut outer = TensorMap::new();
    outer.nest("join", state.clone());
    Join::savepoint_in(&outer, "join")
}

#[derive(Debug, Clone)]
enum Step {
    /// An entry with so many events, and one that was there before.
    Admit {
        events: u64,
        again: u64,
    },
    /// A label for an event counted back from the newest, or ahead of it.
    Label {
        back: i64,
        target: f32,
    },
    Expire {
        after_ms: u64,
    },
    Finish,
    /// Other bounds, as a reload of the configuration brings them.
    Configure {
        timeout_ms: u64,
        rows_max: usize,
        bytes_max: u64,
        ids_max: usize,
    },
    Save,
    /// Goes back to one of the saved states, so many times.
    Load {
        which: usize,
        times: usize,
    },
    /// Opens the store again, after a clean end or with what a killed process leaves, and loads the last saved state.
    Reopen {
        killed: bool,
    },
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..9_u64, 0..60_u64).prop_map(|(events, again)| Step::Admit { events, again }),
        12 => (-4..60_i64, 0..2_i32).prop_map(|(back, target)| Step::Label { back, target: target as f32 }),
        4 => (0..60_u64).prop_map(|after_ms| Step::Expire { after_ms }),
        2 => Just(Step::Finish),
        1 => (20..200_u64, 30..90_usize, 4_000..12_000_u64, 1..60_usize).prop_map(
            |(timeout_ms, rows_max, bytes_max, ids_max)| {
                Step::Configure { timeout_ms, rows_max, bytes_max, ids_max }
            },
        ),
        2 => Just(Step::Save),
        1 => (0..9_usize, 1..4_usize).prop_map(|(which, times)| Step::Load { which, times }),
        1 => any::<bool>().prop_map(|killed| Step::Reopen { killed }),
        1 => Just(Step::Forget),
    ]
}

/// The same steps on both, and what came of them.
struct Pair {
    dir: tempfile::TempDir,
    path: PathBuf,
    files: usize,
    config: JoinConfig,
    dedupe: DedupeConfig,
    memory: Join,
    disk: Join,
    model: Model,
    ledger: Ledger,
    next_event: u64,
    entry: u64,
    now_ms: u64,
    saved: Vec<(TensorMap, TensorMap, Model, Ledger)>,
}

impl Pair {
    fn new(memory_rows_max: usize, rows_max: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.redb");
        Self {
            disk: on_disk(&path, memory_rows_max, rows_max),
            memory: Join::new(&config(memory_rows_max, rows_max), &dedupe()),
            config: config(memory_rows_max, rows_max),
            dedupe: dedupe(),
            model: Model::default(),
            ledger: Ledger::default(),
            dir,
            path,
            files: 0,
            next_event: 0,
            entry: 0,
            now_ms: 0,
            saved: Vec::new(),
        }
    }

    fn bounds(&self) -> Bounds {
        let JoinConfig { timeout_ms, rows_max, bytes_max, early_labels_max, .. } = self.config;
        Bounds { timeout_ms, rows_max, bytes_max, early_labels_max, ids_max: self.dedupe.ids_max }
    }

    /// What both joins make of it, which is the same.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut work: impl FnMut(&mut Join) -> T) -> T {
        let (memory, disk) = (work(&mut self.memory), work(&mut self.disk));
        assert_eq!(memory, disk);
        memory
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Admit { events, again } => self.admit(events, again),
            Step::Label { back, target } => self.label(self.next_event.saturating_add_signed(-back), target),
            Step::Expire { after_ms } => self.expire(after_ms),
            Step::Finish => {
                let (event, bounds) = (self.next_event, self.bounds());
                self.next_event += 1;
                self.both(|join| join.finish([(id(event), 1.0)].into_iter()));
                self.model.finish(event, Some(1.0), &bounds);
                self.ledger.events_read += 1;
                self.ledger.learned += 1;
            }
            Step::Configure { timeout_ms, rows_max, bytes_max, ids_max } => {
                self.config = JoinConfig { timeout_ms, rows_max, bytes_max, ..self.config.clone() };
                self.dedupe = DedupeConfig { ids_max };
                let (config, dedupe) = (self.config.clone(), self.dedupe.clone());
                self.both(|join| join.configure(&config, &dedupe));
                self.model.keep_to(&self.bounds());
            }
            Step::Save => {
                let (memory, disk) = (self.memory.save(), self.disk.save());
                self.saved.push((memory, disk, self.model.clone(), self.ledger.clone()));
            }
            Step::Load { which, times } if !self.saved.is_empty() => {
                // Later savepoints are of another course of events from here on.
                self.saved.truncate(which % self.saved.len() + 1);
                for _ in 0..times {
                    self.load_last();
                    // What is done in between leaves nothing behind.
                    self.disk
                        .admit(chunk(1_000_000, NUMERIC, CATEGORICAL, 900_000..900_009), &mut labelled());
                }
                self.load_last();
            }
            Step::Reopen { killed } if !self.saved.is_empty() => self.reopen(killed),
            Step::Forget => {
                if let Some(oldest) = self.saved.iter().find_map(|saved| savepoint(&saved.1)) {
                    self.disk.cold().unwrap().lock().unwrap().forget_savepoints_before(oldest).unwrap();
                    assert_eq!(savepoints(&self.disk)[0], oldest);
                }
            }
            Step::Load { .. } | Step::Reopen { .. } => {}
        }
        self.compare();
    }

    fn admit(&mut self, events: u64, again: u64) {
        self.entry += 1;
        let again = self.next_event.saturating_sub(again);
        let known = self.both(|join| join.knows(id(again)));
        assert_eq!(known, self.model.knows(again));
        let mut numbers: Vec<u64> = (self.next_event..self.next_event + events).collect();
        let mut given = chunk(self.entry, NUMERIC, CATEGORICAL, self.next_event..self.next_event + events);
        given.time_ms = self.now_ms;
        let before = again < self.next_event;
        self.next_event += events;
        if !known && before {
            given.push_from(&chunk(self.entry, NUMERIC, CATEGORICAL, again..again + 1), 0);
            numbers.push(again);
        }
        self.ledger.events_read += numbers.len() as u64 + u64::from(known);
        self.ledger.events_duplicate += u64::from(known);

        let (matched, found, _) = self.both(|join| {
            let mut out = labelled();
            let matched = join.admit(given.clone(), &mut out);
            (matched, examples(&out), format!("{out:?}"))
        });
        let expected = self.model.admit(&numbers, self.now_ms, &self.bounds());
        assert_eq!((matched, &found), (expected.len() as u64, &expected));
        self.ledger.learned += matched;
        self.ledger.matched += matched;
        assert!(self.disk.pending() - self.disk.on_disk() <= self.config.memory_rows_max);
    }

    fn label(&mut self, event: u64, target: f32) {
        let now_ms = self.now_ms;
        let (outcome, found, _) = self.both(|join| {
            let mut out = labelled();
            let outcome = join.label(id(event), truth(target), now_ms, &mut out);
            (outcome, examples(&out), format!("{out:?}"))
        });
        assert_eq!((outcome, found), self.model.label(event, target, now_ms, &self.bounds()));
        self.ledger.label(outcome);
    }

    fn expire(&mut self, after_ms: u64) {
        self.now_ms += after_ms;
        let now_ms = self.now_ms;
        let (tally, left, _) = self.both(|join| {
            let mut out = labelled();
            let tally = join.expire(now_ms, |chunk, row| out.push(chunk, row, truth(0.0)));
            (tally, examples(&out), format!("{out:?}"))
        });
        let left: Vec<u64> = left.into_iter().map(|(event, _)| event).collect();
        assert_eq!((tally, left), self.model.expire(now_ms, &self.bounds()));
        self.ledger.expire(tally);
    }

    fn load_last(&mut self) {
        let (memory, disk, model, ledger) = self.saved.last().unwrap();
        self.memory.load(memory).unwrap();
        self.disk.load(disk).unwrap();
        (self.model, self.ledger) = (model.clone(), ledger.clone());
        self.model.keep_to(&self.bounds());
    }

    fn reopen(&mut self, killed: bool) {
        self.files += 1;
        let next = self.dir.path().join(format!("{}.redb", self.files));
        if killed {
            // What a process that is killed now leaves: the file as it is, without what ends a session.
            std::fs::copy(&self.path, &next).unwrap();
            self.path = next;
        } else {
            let nowhere = ColdRows::temporary().unwrap();
            self.disk = Join::with_cold(&self.config, &self.dedupe, shared(nowhere));
        }
        let store = shared(ColdRows::open(&self.path, "test").unwrap());
        self.disk = Join::with_cold(&self.config, &self.dedupe, store);
        self.load_last();
    }

    fn compare(&mut self) {
        let newest = self.next_event + 4;
        let asked = newest.saturating_sub(70)..newest;
        let (_, counts, bytes, deadline, known) = self.both(|join| {
            let known: Vec<u64> = asked.clone().filter(|event| join.knows(id(*event))).collect();
            let counts = (join.pending(), join.early_labels(), join.finished_ids());
            (join.digest_state(), counts, join.pending_bytes(), join.next_deadline_ms(), known)
        });
        assert_eq!((counts, bytes), (self.model.counts(), self.model.bytes()));
        assert_eq!(deadline, self.model.next_deadline_ms(&self.bounds()));
        assert_eq!(known, asked.filter(|event| self.model.knows(*event)).collect::<Vec<_>>());
        self.ledger.adds_up(counts.0, counts.1);
    }
}

/// The events and labels of examples, in their order.
fn examples(labelled: &Labelled) -> Vec<Example> {
    labelled.sequences.iter().map(|sequence| sequence - 1).zip(labelled.targets.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joins_in_memory_and_on_disk_do_what_the_model_does(
        memory_rows_max in 1..30_usize,
        rows_max in 30..90_usize,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut pair = Pair::new(memory_rows_max, rows_max);
        for step in &steps {
            pair.run(step);
        }
    }
}

/// Ten events in each of ten entries, of which the newest ten stay in memory.
fn a_hundred(path: &Path) -> Join {
    let mut join = on_disk(path, 12, 1_000);
    for entry in 0..10 {
        join.admit(chunk(entry, NUMERIC, CATEGORICAL, entry * 10..entry * 10 + 10), &mut labelled());
    }
    assert_eq!((join.pending(), join.on_disk()), (100, 90));
    join
}

#[test]
fn the_oldest_expire_first_whether_by_time_or_for_want_of_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut join = a_hundred(&dir.path().join("pending.redb"));
    assert_eq!(join.next_deadline_ms(), Some(100));

    // Entries 0 to 2 are late at 120 ms; of the 70 that are left there is room for 5.
    let mut left = Vec::new();
    join.configure(&config(10, 5), &dedupe());
    let tally = join.expire(120, |chunk: &Chunk, row| left.push(chunk.sequences[row]));
    assert_eq!((tally.events_expired, tally.crowded_out), (95, 65));
    assert_eq!(left, (1..=95).collect::<Vec<u64>>());
    assert_eq!((join.pending(), join.on_disk()), (5, 0));
    assert_eq!(join.next_deadline_ms(), Some(190));
}

#[test]
fn a_bound_on_bytes_expires_the_oldest_from_disk_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut join = a_hundred(&dir.path().join("pending.redb"));
    let bytes = join.pending_bytes();
    // "event-0" and "0" to "event-9" and "9" have 8 bytes of id and key beside the 120 that every row has.
    let bytes_max = bytes - 3 * 128 + 1;
    join.configure(&JoinConfig { bytes_max, ..config(12, 1_000) }, &dedupe());
    let mut left = Vec::new();
    let tally = join.expire(0, |chunk: &Chunk, row| left.push(chunk.sequences[row]));
    assert_eq!((tally.events_expired, tally.crowded_out, left), (3, 3, vec![1, 2, 3]));
    assert_eq!((join.pending_bytes(), join.on_disk()), (bytes - 3 * 128, 87));

    join.configure(&JoinConfig { bytes_max: 5 * 132, ..config(12, 1_000) }, &dedupe());
    join.expire(0, |_, _| {});
    assert!(join.pending_bytes() <= 5 * 132 && join.on_disk() == 0, "{join:?}");
    assert!(join.knows(id(99)) && join.pending() > 0);
}

#[test]
fn a_state_without_rows_on_disk_names_no_savepoint_and_empties_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut join = on_disk(&dir.path().join("pending.redb"), 10, 1_000);
    join.admit(chunk(1, NUMERIC, CATEGORICAL, 0..5), &mut labelled());
    let state = join.save();
    let digest = join.digest_state();
    assert_eq!(savepoint(&state), None);

    join.admit(chunk(2, NUMERIC, CATEGORICAL, 5..50), &mut labelled());
    assert_eq!(join.on_disk(), 50);
    join.load(&state).unwrap();
    assert_eq!((join.pending(), join.on_disk()), (5, 0));
    assert_eq!(join.digest_state(), digest);
    assert!(join.cold().unwrap().lock().unwrap().is_empty().unwrap());
}

#[test]
fn what_is_missing_for_a_saved_state_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pending.redb");
    let state = a_hundred(&path).save();
    let id = savepoint(&state).unwrap();

    let error = Join::new(&config(10, 1_000), &dedupe()).load(&state).unwrap_err().to_string();
    assert!(error.contains("cold/savepoint") && error.contains("a store of pending events"), "{error}");

    let elsewhere = dir.path().join("other.redb");
    let error = on_disk(&elsewhere, 10, 1_000).load(&state).unwrap_err();
    assert!(rows_are_gone(&error), "{error}");
    let error = error.to_string();
    assert!(error.contains(&format!("other.redb has no savepoint {id}; it has []")), "{error}");

    // A store that has a savepoint of this number, of other rows.
    let mut other = on_disk(&elsewhere, 10, 1_000);
    other.admit(chunk(1, NUMERIC, CATEGORICAL, 0..90), &mut labelled());
    assert_eq!(savepoint(&other.save()), Some(id));
    let error = other.load(&state).unwrap_err().to_string();
    assert!(error.contains("90 rows with the sum"), "{error}");
    assert!(!rows_are_gone(&other.load(&TensorMap::new()).unwrap_err()));

    let mut back = on_disk(&path, 10, 1_000);
    back.load(&state).unwrap();
    assert_eq!((back.pending(), back.on_disk()), (100, 90));
}

#[test]
fn a_copy_serves_while_the_original_is_only_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pending.redb");
    let join = a_hundred(&path);
    let (state, digest) = (join.save(), join.digest_state());
    let error = ColdRows::copy_of(&path).unwrap_err().to_string();
    assert!(error.contains("in use by a running process"), "{error}");
    drop(join);

    let before = std::fs::read(&path).unwrap();
    let mut copy = Join::with_cold(&config(10, 1_000), &dedupe(), shared(ColdRows::copy_of(&path).unwrap()));
    copy.load(&state).unwrap();
    assert_eq!(copy.digest_state(), digest);
    copy.expire(u64::MAX, |_, _| {});
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn a_panic_in_the_middle_of_an_entry_is_recovered_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut join = a_hundred(&dir.path().join("pending.redb"));
    let (state, digest) = (join.save(), join.digest_state());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        join.expire(150, |chunk, row| assert!(chunk.sequences[row] < 42));
    }));
    assert!(panicked.is_err());

    let mut next = Join::with_cold(&config(10, 1_000), &dedupe(), join.cold().unwrap());
    next.load(&state).unwrap();
    assert_eq!(next.digest_state(), digest);
    assert_eq!(next.expire(150, |_, _| {}).events_expired, 60);
}

#[test]
fn a_damaged_file_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pending.redb");
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    let error = ColdRows::open(&path, "test").unwrap_err().to_string();
    assert!(error.contains("pending.redb cannot be opened as the store of pending events"), "{error}");
}

#[test]
fn damaged_rows_are_never_taken_for_those_that_were_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pending.redb");
    let state = a_hundred(&path).save();
    let mut bytes = std::fs::read(&path).unwrap();
    // A prediction of an event's row, which lies before its id, wherever in the file that is.
    let text = b"event-17";
    let at: Vec<usize> = (0..bytes.len() - text.len()).filter(|at| bytes[*at..].starts_with(text)).collect();
    assert!(!at.is_empty());
    for at in at {
        bytes[at - 4] ^= 1;
    }
    std::fs::write(&path, bytes).unwrap();
    let refused = match ColdRows::open(&path, "test") {
        Err(_) => true,
        Ok(store) => Join::with_cold(&config(10, 1_000), &dedupe(), shared(store)).load(&state).is_err(),
    };
    assert!(refused);
}

#[test]
fn a_state_whose_savepoint_was_dropped_says_so_and_an_older_one_loads() {
    let dir = tempfile::tempdir().unwrap();
    let mut join = a_hundred(&dir.path().join("pending.redb"));
    let (older, digest) = (join.save(), join.digest_state());
    join.admit(chunk(10, NUMERIC, CATEGORICAL, 100..150), &mut labelled());
    let newer = join.save();
    let gone = savepoint(&newer).unwrap();
    join.cold().unwrap().lock().unwrap().drop_savepoint(gone).unwrap();

    let error = join.load(&newer).unwrap_err();
    assert!(rows_are_gone(&error), "{error}");
    join.load(&older).unwrap();
    assert_eq!(join.digest_state(), digest);
}

#[test]
fn a_join_that_takes_the_place_of_another_leaves_no_row_of_it_and_older_states_stay() {
    let dir = tempfile::tempdir().unwrap();
    let join = a_hundred(&dir.path().join("pending.redb"));
    let (before, digest) = (join.save(), join.digest_state());

    let mut fresh = Join::with_cold(&config(12, 1_000), &dedupe(), join.cold().unwrap());
    drop(join);
    fresh.clear_cold();
    assert_eq!(fresh.cold().unwrap().lock().unwrap().len().unwrap(), 0);
    assert_eq!((fresh.pending(), savepoint(&fresh.save())), (0, None));

    fresh.admit(chunk(50, NUMERIC, CATEGORICAL, 500..540), &mut labelled());
    let after = (fresh.save(), fresh.digest_state());
    fresh.load(&before).unwrap();
    assert_eq!(fresh.digest_state(), digest);
    // The younger savepoint went when the older one was restored.
    assert!(rows_are_gone(&fresh.load(&after.0).unwrap_err()));
}
