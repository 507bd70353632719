//! From a checkpoint and the journal to the state after its last entry: at start, after a panic, for `rebuild`.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::blame::{Suspects, Verdict};
use super::decode::{Decoded, Decoder, Skips, panic_message, skip_key};
use super::effects::Effects;
use super::machine::{Cold, Machine, MachineError};
use super::probe::Probed;
use super::setup::{Places, Setup};
use crate::join::ColdError;
use crate::journal::{Body, CheckpointStore, Entry, Home, JournalError, RecordSource, Replay, Scan, Skip};
use crate::schema::SchemaError;
use crate::state::TensorMap;
use crate::stream::{Records, StreamError};

#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Pending events on disk (exit code 6).
    #[error(transparent)]
    Cold(#[from] ColdError),
    /// Versions or checkpoints say that the journal was longer (exit code 6).
    #[error(
        "the journal ends at entry {last}, but {what} is of entry {entry}: entries are missing at its end"
    )]
    Short { last: u64, what: String, entry: u64 },
    /// It is not a row's fault.
    #[error("entry {entry} panics {when}: {message}")]
    Panics { entry: u64, when: String, message: String },
    /// It was told to stop; nothing is lost.
    #[error("stopped at entry {entry}, before the journal was applied")]
    Stopped { entry: u64 },
    /// A row panics where nothing may be written.
    #[error("entry {entry} panics, and the journal may not be changed here: {message}")]
    ReadOnly { entry: u64, message: String },
}

/// Who gets what recovery finds.
pub trait Sink {
    /// The effects of an entry that was applied; may come again for the same entry.
    fn effects(&mut self, after: u64, effects: Effects);

    /// Writes a row that cannot be used into the journal and returns the number of that entry.
    fn skip(&mut self, skip: &Skip) -> Result<u64, RecoverError>;
}

/// Makes a source of the records that a scan names.
pub type OpenRecords<'a> = dyn FnMut(&Scan) -> Result<Box<dyn RecordSource>, JournalError> + 'a;

/// What recovery works on.
pub struct Recovery<'a> {
    pub setup: &'a Arc<Setup>,
    pub places: &'a Places,
    pub journal: &'a Home,
    pub probe: Probed,
    /// For pending events; the machine of a run is the only one that uses it.
    pub cold: Cold,
    /// Newest entry whose checkpoint may be used; 0: none, the journal is applied from entry 1.
    pub checkpoint_max: u64,
    /// The last entry to apply.
    pub to: u64,
    /// Asked before every entry: whether to give up.
    pub stop: &'a dyn Fn() -> bool,
}

/// The state after the last entry, and with what decoder it goes on.
pub struct Recovered {
    pub machine: Machine,
    pub skips: Skips,
}

/// Why a run ended early.
enum Stop {
    Panicked { entry: u64, message: String },
    Failed(RecoverError),
}

impl<E: Into<RecoverError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A state to begin with: a checkpoint's, or none for the one before entry 1.
struct Start {
    state: Option<TensorMap>,
    /// The first entry to apply.
    from: u64,
}

impl Recovery<'_> {
    /// Applies the journal up to entry `to`. `records` makes a source of the records from entry `from` on.
    pub fn run(&self, records: &mut OpenRecords<'_>, sink: &mut dyn Sink) -> Result<Recovered, RecoverError> {
        let (start, mut machine) = self.start()?;
        let from = start.from;
        let scan = Scan::of(self.journal, from)?;
        if scan.last + 1 < from {
            return Err(RecoverError::Short {
                last: scan.last,
                what: "a checkpoint".into(),
                entry: from - 1,
            });
        }
        let mut after = HashMap::new();
        let mut skips = Skips::new();
        for (number, skip) in &scan.skips {
            after.insert(skip.entry, *number);
            skips.insert(skip_key(skip));
        }
        let mut run = Run { recovery: self, skips, after, sink };
        let mut next = from;
        let mut source = records(&scan)?;
        loop {
            match run.apply_range(machine, next, self.to, source.as_mut()) {
                Ok(machine) => return Ok(Recovered { machine, skips: run.skips }),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Panicked { entry, message }) => {
                    tracing::error!(entry, message, "an entry panicked; going back to before it");
                    let labels = [("pipeline", self.setup.name.to_string()), ("stage", "state".to_owned())];
                    metrics::counter!("tidewheel_stage_panics_total", &labels).increment(1);
                    source = records(&scan)?;
                    let before = self.machine(start.state.as_ref())?;
                    machine = match run.apply_range(before, from, entry - 1, source.as_mut()) {
                        Ok(machine) => machine,
                        Err(Stop::Failed(error)) => return Err(error),
                        // An earlier entry this time: the loop meets it again and treats it the same way.
                        Err(Stop::Panicked { .. }) => {
                            next = from;
                            source = records(&scan)?;
                            machine = self.machine(start.state.as_ref())?;
                            continue;
                        }
                    };
                    machine = run.without_bad_rows(machine, entry, source.as_mut())?;
                    next = entry + 1;
                }
            }
        }
    }

    /// The newest checkpoint that verifies and can be loaded, else the state before entry 1.
    fn start(&self) -> Result<(Start, Machine), RecoverError> {
        let checkpoints = CheckpointStore::new(&self.places.root);
        for checkpoint in checkpoints.newest_first(self.checkpoint_max)? {
            match self.machine(Some(&checkpoint.state)) {
                Ok(machine) => {
                    let start = Start { state: Some(checkpoint.state), from: checkpoint.entry + 1 };
                    return Ok((start, machine));
                }
                Err(error) => {
                    // Its pending events on disk may be gone, or it is of another build.
                    tracing::error!(entry = checkpoint.entry, %error, "a checkpoint cannot be used; trying the one before");
                    let pipeline = self.setup.name.to_string();
                    metrics::counter!("tidewheel_checkpoints_unusable_total", "pipeline" => pipeline)
                        .increment(1);
                }
            }
        }
        Ok((Start { state: None, from: 1 }, self.machine(None)?))
    }

    fn machine(&self, state: Option<&TensorMap>) -> Result<Machine, RecoverError> {
        let (probe, cold) = (self.probe.clone(), self.cold.clone());
        Ok(match state {
            Some(state) => Machine::load(&self.setup.name, state, probe, cold)?,
            None => Machine::new(self.setup.clone(), probe, cold)?,
        })
    }
}

struct Run<'a> {
    recovery: &'a Recovery<'a>,
    skips: Skips,
    /// For entries with skipped rows: the highest `skip` that names one.
    after: HashMap<u64, u64>,
    sink: &'a mut dyn Sink,
}

impl Run<'_> {
    /// Applies entries `from` to `to`, both included, live ones and their effects alike.
    fn apply_range(
        &mut self,
        mut machine: Machine,
        from: u64,
        to: u64,
        source: &mut dyn RecordSource,
    ) -> Result<Machine, Stop> {
        if from > to {
            return Ok(machine);
        }
        let probe = &self.recovery.probe;
        let mut decoder = Decoder::new(machine.setup(), probe.clone())?;
        let mut replay = Replay::open(self.recovery.journal, from, to)?;
        while let Some(entry) = replay.next_entry()? {
            if (self.recovery.stop)() {
                return Err(Stop::Failed(RecoverError::Stopped { entry: entry.n }));
            }
            let decoded = match self.fetch(source, &entry)? {
                Some(records) => Some(self.decode(&decoder, entry.n, records)?),
                None => None,
            };
            let applied = catch_unwind(AssertUnwindSafe(|| machine.apply(&entry, decoded, &self.skips)));
            match applied {
                Ok(effects) => self.hand_over(entry.n, effects.map_err(RecoverError::from)?),
                Err(panic) => {
                    return Err(Stop::Panicked { entry: entry.n, message: panic_message(panic.as_ref()) });
                }
            }
            if matches!(entry.body, Body::Epoch { .. }) {
                decoder = Decoder::new(machine.setup(), probe.clone())?;
            }
        }
        Ok(machine)
    }

    fn decode(&mut self, decoder: &Decoder, entry: u64, records: Records) -> Result<Decoded, Stop> {
        let (sink, after) = (&mut self.sink, &mut self.after);
        let skips = &mut self.skips;
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decoder.decode_guarded(entry, records, skips, |skip| {
                let number = sink.skip(&skip)?;
                let highest = after.entry(entry).or_insert(number);
                *highest = number.max(*highest);
                Ok::<u64, RecoverError>(number)
            })
        }));
        match decoded {
            Ok(decoded) => Ok(decoded?.0),
            Err(panic) => Err(Stop::Panicked { entry, message: panic_message(panic.as_ref()) }),
        }
    }

    fn hand_over(&mut self, entry: u64, effects: Effects) {
        let after = self.after.get(&entry).copied().unwrap_or(entry);
        self.sink.effects(after.max(entry), effects);
    }

    /// Applies one entry a second time; where it panics again, finds the rows that make it panic, and applies it
    /// without them.
    fn without_bad_rows(
        &mut self,
        before: Machine,
        number: u64,
        source: &mut dyn RecordSource,
    ) -> Result<Machine, RecoverError> {
        let journal = self.recovery.journal;
        let entry = Replay::open(journal, number, number)?.next_entry()?.ok_or(JournalError::Closed)?;
        let records = self.fetch(source, &entry)?;
        let skips_max = before.setup().config.journal.skips_max;
        let suspects = Suspects::new(before, entry, records, self.recovery.probe.clone())?;
        let mut found = 0;
        loop {
            let skip = match suspects.search(&self.skips)? {
                Verdict::Applied(applied) => {
                    let (machine, effects) = *applied;
                    self.hand_over(number, effects);
                    return Ok(machine);
                }
                Verdict::Row(skip) => skip,
                Verdict::NoRow { when, message } => {
                    return Err(RecoverError::Panics { entry: number, when: when.into(), message });
                }
            };
            found += 1;
            if found > skips_max {
                let when = format!("at more rows than journal.skips_max = {skips_max} allows to leave out");
                return Err(RecoverError::Panics { entry: number, when, message: skip.reason });
            }
            let written = self.sink.skip(&skip)?;
            let highest = self.after.entry(number).or_insert(written);
            *highest = written.max(*highest);
            self.skips.insert(skip_key(&skip));
        }
    }

    /// The records of a batch; a source that is slow is waited for until recovery is told to stop.
    fn fetch(&self, source: &mut dyn RecordSource, entry: &Entry) -> Result<Option<Records>, RecoverError> {
        let Body::Batch { parts } = &entry.body else { return Ok(None) };
        match source.fetch(entry.n, parts, self.recovery.stop) {
            Ok(records) => Ok(Some(records)),
            Err(JournalError::Stream(StreamError::Stopped { .. })) => {
                Err(RecoverError::Stopped { entry: entry.n })
            }
            Err(error) => Err(error.into()),
        }
    }
}
