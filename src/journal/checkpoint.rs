use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::JournalError;
use crate::state::{TensorMap, create_folders, sync_folder, write_synced};

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
/// Ends of the names of folders that are of no use.
const WRITING: &str = ".writing";
const REMOVING: &str = ".removing";

impl CheckpointStore {
    pub fn new(pipeline_dir: &Path) -> Self {
        Self { dir: pipeline_dir.join("checkpoints") }
    }

    /// Stores a checkpoint: written aside, synced, renamed. One of the same entry stays where it verifies. What an
    /// attempt that was cut short left behind is removed.
    pub fn store(&self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        let place = self.place(checkpoint.entry);
        if place.exists() {
            match self.load(checkpoint.entry) {
                Ok(_) => return Ok(()),
                Err(reason) => {
                    tracing::warn!(
                        entry = checkpoint.entry,
                        reason,
                        "replacing a checkpoint that does not verify"
                    );
                    self.remove(checkpoint.entry)?;
                }
            }
        }
        let aside = self.dir.join(format!(".{}{WRITING}", checkpoint.entry));
        let written = self.clean().and_then(|()| self.write(checkpoint, &aside, &place));
        written.map_err(|source| JournalError::io("write", &aside, source))
    }

    fn write(&self, checkpoint: &Checkpoint, aside: &Path, place: &Path) -> io::Result<()> {
        create_folders(aside)?;
        let bytes = checkpoint.state.to_safetensors().map_err(io::Error::other)?;
        let manifest = Manifest { entry: checkpoint.entry, digest: checkpoint.state.digest().to_string() };
        write_synced(&aside.join(STATE), &bytes)?;
        write_synced(&aside.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
        sync_folder(aside)?;
        fs::rename(aside, place)?;
        sync_folder(&self.dir)
    }

    /// Removes what was not finished: folders that were being written or removed.
    fn clean(&self) -> io::Result<()> {
        let listing = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listing => listing?,
        };
        for item in listing {
            let item = item?;
            let name = item.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && (name.ends_with(WRITING) || name.ends_with(REMOVING)) {
                fs::remove_dir_all(item.path())?;
            }
        }
        Ok(())
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

    /// The newest checkpoint that verifies, of entry `to` or before.
    pub fn newest(&self, to: u64) -> Result<Option<Checkpoint>, JournalError> {
        Ok(self.newest_first(to)?.next())
    }

    /// The checkpoints of entry `to` and before that verify, the newest first, each read when it is asked for: where one
    /// cannot be used after all, the next is to be tried. Ones that do not verify are left out, and said.
    pub fn newest_first(&self, to: u64) -> Result<impl Iterator<Item = Checkpoint>, JournalError> {
        let entries = self.entries()?.into_iter().rev().filter(move |entry| *entry <= to);
        Ok(entries.filter_map(|entry| {
            self.load(entry)
                .inspect_err(|reason| {
                    tracing::error!(entry, reason, "a checkpoint does not verify; trying the one before");
                    metrics::counter!("tidewheel_checkpoints_corrupt_total").increment(1);
                })
                .ok()
        }))
    }

    fn load(&self, entry: u64) -> Result<Checkpoint, String> {
        let place = self.place(entry);
        let manifest = fs::read(place.join(MANIFEST)).map_err(|error| error.to_string())?;
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        if manifest.entry != entry {
            return Err(format!("its manifest is of entry {}", manifest.entry));
        }
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
            self.remove(*entry)?;
        }
        Ok(())
    }

    /// Under another name first: what is left when this is cut short must not look like a checkpoint.
    fn remove(&self, entry: u64) -> Result<(), JournalError> {
        let (place, going) = (self.place(entry), self.dir.join(format!(".{entry}{REMOVING}")));
        let removed = self.clean().and_then(|()| {
            fs::rename(&place, &going)?;
            sync_folder(&self.dir)?;
            fs::remove_dir_all(&going)
        });
        removed.map_err(|source| JournalError::io("remove", &place, source))
    }

    fn place(&self, entry: u64) -> PathBuf {
        self.dir.join(format!("{entry:020}"))
    }
}
