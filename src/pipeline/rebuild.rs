use std::sync::{Arc, Mutex};

use super::effects::Effects;
use super::recover::{RecoverError, Recovery, Sink};
use super::setup::{Places, Setup};
use crate::join::{ColdError, ColdRows};
use crate::journal::{KafkaRecords, Skip};
use crate::registry::{Digests, Manifest};
use crate::stream::Endpoint;

/// Applies the journal up to the entry that stored a version and returns the digests of the state it arrives at. The
/// data folder is only read, and nothing that is compared is read back.
pub fn rebuild(
    setup: Setup,
    places: &Places,
    endpoint: &Endpoint,
    manifest: &Manifest,
    from_nothing: bool,
) -> Result<Digests, RecoverError> {
    let setup = Arc::new(setup);
    // A checkpoint of the version's own entry would be the very state that is compared.
    let checkpoint_max = if from_nothing { 0 } else { manifest.entry - 1 };
    let cold = Some(Arc::new(Mutex::new(cold_copy(places, from_nothing)?)));
    let stop = &|| false;
    let journal = &setup.journal_home(places, endpoint);
    let to = manifest.entry;
    let recovery = Recovery { setup: &setup, places, journal, probe: None, cold, checkpoint_max, to, stop };
    let group = format!("tidewheel.{}.rebuild", setup.name);
    let on_gap = setup.config.journal.on_gap;
    let mut sink = Compare { entry: manifest.entry, found: None };
    recovery.run(&mut |scan| Ok(Box::new(KafkaRecords::open(endpoint, &group, scan, on_gap)?)), &mut sink)?;
    sink.found.ok_or_else(|| RecoverError::Short {
        last: manifest.entry - 1,
        what: format!("version {}", manifest.version),
        entry: manifest.entry,
    })
}

/// A store for pending events that is ours alone: what the checkpoint names, where the owner is not using it. Beside a
/// running one it is empty, and a checkpoint with events on disk cannot be used: an older one is, or none.
fn cold_copy(places: &Places, from_nothing: bool) -> Result<ColdRows, ColdError> {
    if from_nothing || !places.pending.exists() {
        return ColdRows::temporary();
    }
    match ColdRows::copy_of(&places.pending) {
        Err(ColdError::InUse { .. }) => ColdRows::temporary(),
        copied => copied,
    }
}

/// Keeps the digests of the version that the last entry makes.
struct Compare {
    entry: u64,
    found: Option<Digests>,
}

impl Sink for Compare {
    fn effects(&mut self, _after: u64, effects: Effects) {
        if effects.n == self.entry {
            self.found = effects.version.map(|version| version.0.digests);
        }
    }

    fn skip(&mut self, skip: &Skip) -> Result<u64, RecoverError> {
        Err(RecoverError::ReadOnly { entry: skip.entry, message: skip.reason.clone() })
    }
}
