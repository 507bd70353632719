use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::home::JournalError;
use crate::state::TensorMap;

/// The whole state after one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub entry: u64,
    pub state: TensorMap,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    entry: u64,
    /// SHA-256 over the tensors in path order.
    digest: String,
}

/// The folder of a pipeline's checkpoints: `checkpoints/ENTRY/{manifest.json, state.safetensors}`.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    dir: PathBuf,
}

const MANIFEST: &str = "manifest.json";
const STATE: &str = "state.safetensors";

impl CheckpointStore {
    pub fn new(pipeline_dir: &Path) -> Self {
        Self { dir: pipeline_dir.join("checkpoints") }
    }

    /// Stores a checkpoint: written aside, synced, renamed.
    pub fn store(&self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        let place = self.place(checkpoint.entry);
        if place.exists() {
            return Ok(());
        }
        let aside = self.dir.join(format!(".{}.writing", checkpoint.entry));
        self.write(checkpoint, &aside, &place).map_err(|source| JournalError::io("write", &aside, source))
    }

    fn write(&self, checkpoint: &Checkpoint, aside: &Path, place: &Path) -> io::Result<()> {
        if aside.exists() {
            fs::remove_dir_all(aside)?;
        }
        fs::create_dir_all(aside)?;
        let bytes = checkpoint.state.to_safetensors().map_err(io::Error::other)?;
        let manifest = Manifest { entry: checkpoint.entry, digest: checkpoint.state.digest().to_string() };
        write_synced(&aside.join(STATE), &bytes)?;
        write_synced(&aside.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
        File::open(aside)?.sync_all()?;
        fs::rename(aside, place)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Entries that have a checkpoint, ascending.
    pub fn entries(&self) -> Result<Vec<u64>, JournalError> {
        let listing = match fs::read_dir(&self.dir) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(JournalError::io("list", &self.dir, source)),
        };
        let mut entries: Vec<u64> =
            listing.filter_map(|item| item.ok()?.file_name().to_str()?.parse().ok()).collect();
        entries.sort_unstable();
        Ok(entries)
    }

    /// The newest checkpoint that verifies, of entry `to` or before; ones that do not are left out, and said.
    pub fn newest(&self, to: u64) -> Result<Option<Checkpoint>, JournalError> {
        for entry in self.entries()?.into_iter().rev().filter(|entry| *entry <= to) {
            match self.load(entry) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(reason) => {
                    tracing::error!(entry, reason, "a checkpoint does not verify; trying the one before");
                    metrics::counter!("tidewheel_checkpoints_corrupt_total").increment(1);
                }
            }
        }
        Ok(None)
    }

    fn load(&self, entry: u64) -> Result<Checkpoint, String> {
        let place = self.place(entry);
        let manifest = fs::read(place.join(MANIFEST)).map_err(|error| error.to_string())?;
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        let bytes = fs::read(place.join(STATE)).map_err(|error| error.to_string())?;
        let state = TensorMap::from_safetensors(&bytes).map_err(|error| error.to_string())?;
        let digest = state.digest().to_string();
        if digest != manifest.digest {
            return Err(format!("its digest is {digest}, its manifest says {}", manifest.digest));
        }
        Ok(Checkpoint { entry: manifest.entry, state })
    }

    /// Removes all but the newest `keep` checkpoints.
    pub fn retain(&self, keep: usize) -> Result<(), JournalError> {
        let entries = self.entries()?;
        for entry in &entries[..entries.len().saturating_sub(keep.max(1))] {
            let place = self.place(*entry);
            fs::remove_dir_all(&place).map_err(|source| JournalError::io("remove", &place, source))?;
        }
        Ok(())
    }

    fn place(&self, entry: u64) -> PathBuf {
        self.dir.join(format!("{entry:020}"))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_checkpoint_that_verifies_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let store = CheckpointStore::new(dir.path());
        assert_eq!(store.newest(u64::MAX).unwrap(), None);
        for entry in [3, 12, 40] {
            let mut state = TensorMap::new();
            state.put_u64_one("n", entry);
            store.store(&Checkpoint { entry, state }).unwrap();
        }
        assert_eq!(store.newest(u64::MAX).unwrap().unwrap().entry, 40);
        assert_eq!(store.newest(39).unwrap().unwrap().entry, 12);

        // When a byte of the newest changes, the one before it is taken.
        let file = store.place(40).join(STATE);
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(store.newest(u64::MAX).unwrap().unwrap().entry, 12);

        store.retain(1).unwrap();
        assert_eq!(store.entries().unwrap(), [40]);
    }
}
