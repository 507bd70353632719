//! Which row makes an entry panic: the entry is applied again and again to the state before it, with ever fewer rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::decode::{Decoded, Decoder, Skips, panic_message, skip_key, skip_of};
use super::effects::Effects;
use super::machine::{Cold, Machine};
use super::probe::Probed;
use super::recover::RecoverError;
use crate::journal::{Entry, Skip};
use crate::state::TensorMap;
use crate::stream::Records;

/// How often a search may end without a verdict because the panic comes and goes.
const SEARCHES_MAX: usize = 5;

/// How often a row must panic again before it is blamed.
const CONFIRMATIONS: usize = 2;

/// What a search has found.
pub(super) enum Verdict {
    /// This time nothing panicked.
    Applied(Box<(Machine, Effects)>),
    /// Without this row, and those after it, nothing panics; with it, it does.
    Row(Skip),
    /// No row can be blamed.
    NoRow { when: &'static str, message: String },
}

/// An entry that panics, the state before it, and the rows that it touches in their order: those of its batch, then the
/// pending events that may expire.
pub(super) struct Suspects {
    entry: Entry,
    records: Option<Records>,
    before: TensorMap,
    name: Arc<str>,
    cold: Cold,
    probe: Probed,
    decoder: Decoder,
    rows: Vec<Skip>,
}

impl Suspects {
    pub(super) fn new(
        before: Machine,
        entry: Entry,
        records: Option<Records>,
        probe: Probed,
    ) -> Result<Self, RecoverError> {
        let setup = before.setup().clone();
        let mut rows: Vec<Skip> = records
            .iter()
            .flat_map(|records| records.iter().map(|record| skip_of(entry.n, &record, "state", "")))
            .collect();
        let (state, cold) = (before.save(), before.join().cold());
        for (partition, offset) in before.into_expiring(entry.time_ms, rows.len()) {
            let topic = setup.events_topic.to_string();
            rows.push(Skip { entry: entry.n, topic, partition, offset, reason: String::new() });
        }
        let decoder = Decoder::new(&setup, probe.clone())?;
        Ok(Self { entry, records, before: state, name: setup.name.clone(), cold, probe, decoder, rows })
    }

    /// Applies the entry without the rows that `skips` names; where that panics, finds a row to blame.
    pub(super) fn search(&self, skips: &Skips) -> Result<Verdict, RecoverError> {
        let mut message = String::new();
        for _ in 0..SEARCHES_MAX {
            match self.attempt(self.rows.len(), skips)? {
                Ok(applied) => return Ok(Verdict::Applied(applied)),
                Err(panic) => message = panic,
            }
            if let Err(message) = self.attempt(0, skips)? {
                return Ok(Verdict::NoRow { when: "whichever rows are left out", message });
            }
            // `low` rows do not panic, `high` rows do.
            let (mut low, mut high) = (0, self.rows.len());
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if self.attempt(middle, skips)?.is_err() { high = middle } else { low = middle }
            }
            let row = &self.rows[high - 1];
            if !skips.contains(&skip_key(row))
                && let Some(message) = self.confirm(high, skips)?
            {
                let reason = format!("state panicked: {message}");
                return Ok(Verdict::Row(Skip { reason, ..row.clone() }));
            }
        }
        Ok(Verdict::NoRow { when: "now with one row and now with another", message })
    }

    /// What the first `rows` suspects panic with, if they do so twice more and not without the last of them: a panic
    /// that passes may have misled the search.
    fn confirm(&self, rows: usize, skips: &Skips) -> Result<Option<String>, RecoverError> {
        let mut last = None;
        for _ in 0..CONFIRMATIONS {
            let (with, without) = (self.attempt(rows, skips)?, self.attempt(rows - 1, skips)?);
            match (with, without) {
                (Err(message), Ok(_)) => last = Some(message),
                _ => return Ok(None),
            }
        }
        Ok(last)
    }

    /// The entry with the first `rows` suspects only; a panic is returned as what it said.
    fn attempt(
        &self,
        rows: usize,
        skips: &Skips,
    ) -> Result<Result<Box<(Machine, Effects)>, String>, RecoverError> {
        let mut machine = Machine::load(&self.name, &self.before, self.probe.clone(), self.cold.clone())?;
        let mut without = skips.clone();
        without.extend(self.rows[rows..].iter().map(skip_key));
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let decoded = self.records.as_ref().map(|records| Decoded {
                rows: self.decoder.decode(self.entry.n, records, &without),
                records: records.clone(),
            });
            machine.apply(&self.entry, decoded, &without)
        }));
        Ok(match tried {
            Ok(effects) => Ok(Box::new((machine, effects?))),
            Err(panic) => Err(panic_message(panic.as_ref())),
        })
    }
}
