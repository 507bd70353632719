//! From a checkpoint and the journal to the state after its last entry: at start, after a panic, for `rebuild`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::decode::{Decoded, Decoder, Skips, panic_message, skip_key, skip_of};
use super::effects::Effects;
use super::machine::{Cold, Machine, MachineError};
use super::probe::Probed;
use super::setup::{Places, Setup};
use crate::join::ColdError;
use crate::journal::{Body, CheckpointStore, Entry, JournalError, RecordSource, Replay, Scan, Skip, parts};
use crate::schema::SchemaError;
use crate::state::TensorMap;
use crate::stream::Records;

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
    #[error("entry {entry} panics whichever rows are left out: {message}")]
    Panics { entry: u64, message: String },
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
    pub probe: Probed,
    /// For pending events; the machine of a run is the only one that uses it.
    pub cold: Cold,
    /// Newest entry whose checkpoint may be used; 0: none, the journal is applied from entry 1.
    pub checkpoint_max: u64,
    /// The last entry to apply.
    pub to: u64,
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

impl Recovery<'_> {
    /// First entry that has to be applied: the one after the newest checkpoint.
    pub fn from(&self) -> Result<u64, RecoverError> {
        let checkpoints = CheckpointStore::new(&self.places.root);
        Ok(checkpoints.newest(self.checkpoint_max)?.map_or(1, |found| found.entry + 1))
    }

    /// Applies the journal up to entry `to`. `records` makes a source of the records from entry `from` on.
    pub fn run(&self, records: &mut OpenRecords<'_>, sink: &mut dyn Sink) -> Result<Recovered, RecoverError> {
        let (start, from) = self.start()?;
        let scan = Scan::of(&self.places.journal, from)?;
        if scan.last + 1 < from {
            return Err(RecoverError::Short {
                last: scan.last,
                what: "a checkpoint".into(),
                entry: from - 1,
            });
        }
        let mut after = std::collections::HashMap::new();
        let mut skips = Skips::new();
        for (number, skip) in &scan.skips {
            after.insert(skip.entry, *number);
            skips.insert(skip_key(skip));
        }
        let mut run = Run { journal: &self.places.journal, skips, after, sink };
        let mut machine = self.machine(&start)?;
        let mut next = from;
        let mut source = records(&scan)?;
        loop {
            match run.apply_range(machine, next, self.to, source.as_mut(), &self.probe) {
                Ok(machine) => return Ok(Recovered { machine, skips: run.skips }),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Panicked { entry, message }) => {
                    tracing::error!(entry, message, "an entry panicked; going back to before it");
                    metrics::counter!("tidewheel_stage_panics_total", "stage" => "state").increment(1);
                    source = records(&scan)?;
                    machine = match run.apply_range(
                        self.machine(&start)?,
                        from,
                        entry - 1,
                        source.as_mut(),
                        &self.probe,
                    ) {
                        Ok(machine) => machine,
                        Err(Stop::Failed(error)) => return Err(error),
                        // An earlier entry this time: the loop meets it again and treats it the same way.
                        Err(Stop::Panicked { .. }) => {
                            next = from;
                            source = records(&scan)?;
                            machine = self.machine(&start)?;
                            continue;
                        }
                    };
                    machine = run.without_bad_rows(machine, entry, source.as_mut(), &self.probe)?;
                    next = entry + 1;
                }
            }
        }
    }

    fn start(&self) -> Result<(Option<TensorMap>, u64), RecoverError> {
        Ok(match CheckpointStore::new(&self.places.root).newest(self.checkpoint_max)? {
            Some(checkpoint) => (Some(checkpoint.state), checkpoint.entry + 1),
            None => (None, 1),
        })
    }

    fn machine(&self, start: &Option<TensorMap>) -> Result<Machine, RecoverError> {
        Ok(match start {
            Some(state) => Machine::load(&self.setup.name, state, self.probe.clone(), self.cold.clone())?,
            None => Machine::new(self.setup.clone(), self.probe.clone(), self.cold.clone())?,
        })
    }
}

struct Run<'a> {
    journal: &'a Path,
    skips: Skips,
    /// For entries with skipped rows: the highest `skip` that names one.
    after: std::collections::HashMap<u64, u64>,
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
        probe: &Probed,
    ) -> Result<Machine, Stop> {
        if from > to {
            return Ok(machine);
        }
        let mut decoder = Decoder::new(machine.setup(), probe.clone())?;
        let mut replay = Replay::open(self.journal, from, to)?;
        while let Some(entry) = replay.next_entry()? {
            let records = fetch(source, &entry)?;
            let decoded = match records {
                Some(records) => Some(self.decode(&decoder, entry.n, records)?),
                None => None,
            };
            let applied = catch_unwind(AssertUnwindSafe(|| machine.apply(&entry, decoded)));
            match applied {
                Ok(effects) => {
                    let after = self.after.get(&entry.n).copied().unwrap_or(entry.n);
                    self.sink.effects(after.max(entry.n), effects.map_err(RecoverError::from)?);
                }
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

    fn decode(&mut self, decoder: &Decoder, entry: u64, records: Records) -> Result<Decoded, RecoverError> {
        let (sink, after) = (&mut self.sink, &mut self.after);
        let (decoded, _) = decoder.decode_guarded(entry, records, &mut self.skips, |skip| {
            let number = sink.skip(&skip)?;
            let highest = after.entry(entry).or_insert(number);
            *highest = number.max(*highest);
            Ok::<u64, RecoverError>(number)
        })?;
        Ok(decoded)
    }

    /// Applies one entry a second time; where it panics again, finds the rows that make it panic, and applies it
    /// without them.
    fn without_bad_rows(
        &mut self,
        before: Machine,
        number: u64,
        source: &mut dyn RecordSource,
        probe: &Probed,
    ) -> Result<Machine, RecoverError> {
        let entry = Replay::open(self.journal, number, number)?.next_entry()?.ok_or(JournalError::Closed)?;
        let records = fetch(source, &entry)?;
        let state = before.save();
        let (name, cold) = (before.setup().name.clone(), before.join().cold());
        let decoder = Decoder::new(before.setup(), probe.clone())?;
        drop(before);
        loop {
            let attempt =
                |rows: usize, skips: &Skips| -> Result<Result<(Machine, Effects), String>, RecoverError> {
                    let mut machine = Machine::load(&name, &state, probe.clone(), cold.clone())?;
                    let mut without = skips.clone();
                    let decoded = records.clone().map(|records| {
                        for row in rows..records.len() {
                            without.insert(skip_key(&skip_of(number, &records.get(row), "", "")));
                        }
                        decoder.decode(number, records, &without)
                    });
                    match catch_unwind(AssertUnwindSafe(|| machine.apply(&entry, decoded))) {
                        Ok(effects) => Ok(Ok((machine, effects?))),
                        Err(panic) => Ok(Err(panic_message(panic.as_ref()))),
                    }
                };
            let all = records.as_ref().map_or(0, Records::len);
            let message = match attempt(all, &self.skips)? {
                Ok((machine, effects)) => {
                    let after = self.after.get(&number).copied().unwrap_or(number);
                    self.sink.effects(after, effects);
                    return Ok(machine);
                }
                Err(message) => message,
            };
            if let Err(message) = attempt(0, &self.skips)? {
                return Err(RecoverError::Panics { entry: number, message });
            }
            // The last row of the shortest beginning of the batch that panics; `low` rows do not, `high` rows do.
            let (mut low, mut high) = (0, all);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if attempt(middle, &self.skips)?.is_err() { high = middle } else { low = middle }
            }
            let records = records.as_ref().expect("an entry without rows does not come here");
            let skip = skip_of(number, &records.get(high - 1), "state", &message);
            let written = self.sink.skip(&skip)?;
            let highest = self.after.entry(number).or_insert(written);
            *highest = written.max(*highest);
            if !self.skips.insert(skip_key(&skip)) {
                return Err(RecoverError::Panics { entry: number, message });
            }
        }
    }
}

fn fetch(source: &mut dyn RecordSource, entry: &Entry) -> Result<Option<Records>, JournalError> {
    match &entry.body {
        Body::Batch { .. } => source.fetch(entry.n, parts(&entry.body)).map(Some),
        _ => Ok(None),
    }
}
