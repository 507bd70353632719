use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state::{StateError, TensorMap, create_folders, sync_folder, write_synced};

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("{action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("version {version} is not stored in {dir}")]
    Unknown { version: u64, dir: PathBuf },
    #[error("{path}: {message}")]
    Corrupt { path: PathBuf, message: String },
}

/// What is known about a stored version, beside its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1, 2, 3…
    pub version: u64,
    /// Number of the entry that published the revision.
    pub revision: u64,
    /// Number of the entry that stored it; the digests are of the state after that entry.
    pub entry: u64,
    pub epoch: u64,
    /// The version before it; 0 for the first.
    pub parent: u64,
    /// Examples learned so far.
    pub examples: u64,
    /// Next offset of each (topic, partition) that was read.
    pub offsets: Vec<(String, i32, i64)>,
    /// Scores at that entry, as the monitor reports them.
    pub metrics: serde_json::Value,
    /// SHA-256 of the effective configuration.
    pub config: String,
    /// SHA-256 of its keys that the model was made for: where it is the same, the version can go on.
    pub made_for: String,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    pub digests: Digests,
    /// Time of the entry, RFC 3339.
    pub at: String,
    /// Why it was stored.
    pub why: String,
    /// Build, CPU class and threads that digests are comparable between.
    pub machine: String,
}

/// Digests of a state and of its three parts, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    pub model: String,
    pub monitors: String,
    pub join: String,
    pub state: String,
}

/// A version read back.
pub struct StoredVersion {
    pub manifest: Manifest,
    /// `predictor/…` and `learner/…`.
    pub tensors: TensorMap,
}

/// The folder of a pipeline's versions: `versions/N/{manifest.json, model.safetensors}`.
#[derive(Debug, Clone)]
pub struct VersionStore {
    dir: PathBuf,
}

const MANIFEST: &str = "manifest.json";
const TENSORS: &str = "model.safetensors";

impl VersionStore {
    pub fn new(pipeline_dir: &Path) -> Self {
        Self { dir: pipeline_dir.join("versions") }
    }

    /// Stores a version: written aside, synced, renamed. Storing again what is stored changes nothing.
    pub fn store(&self, manifest: &Manifest, tensors: &TensorMap) -> Result<(), RegistryError> {
        let place = self.place(manifest.version);
        if place.join(MANIFEST).exists() {
            return Ok(());
        }
        let aside = self.dir.join(format!(".{}.writing", manifest.version));
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| RegistryError::Io { action, path, source }
        };
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(io("remove", &aside))?;
        }
        create_folders(&aside).map_err(io("create", &aside))?;
        let tensors = tensors
            .to_safetensors()
            .map_err(|error| RegistryError::Corrupt { path: aside.clone(), message: error.to_string() })?;
        let manifest = serde_json::to_vec_pretty(manifest).expect("a manifest has only string keys");
        write_synced(&aside.join(TENSORS), &tensors).map_err(io("write", &aside))?;
        write_synced(&aside.join(MANIFEST), &manifest).map_err(io("write", &aside))?;
        sync_folder(&aside).map_err(io("sync", &aside))?;
        fs::rename(&aside, &place).map_err(io("rename to", &place))?;
        sync_folder(&self.dir).map_err(io("sync", &self.dir))
    }

    /// Numbers of the stored versions, ascending.
    pub fn numbers(&self) -> Result<Vec<u64>, RegistryError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(RegistryError::Io { action: "list", path: self.dir.clone(), source }),
        };
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub fn latest(&self) -> Result<Option<u64>, RegistryError> {
        Ok(self.numbers()?.last().copied())
    }

    pub fn manifest(&self, version: u64) -> Result<Manifest, RegistryError> {
        let path = self.place(version).join(MANIFEST);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RegistryError::Unknown { version, dir: self.dir.clone() },
            _ => RegistryError::Io { action: "read", path: path.clone(), source },
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| RegistryError::Corrupt { path, message: error.to_string() })
    }

    pub fn load(&self, version: u64) -> Result<StoredVersion, RegistryError> {
        let manifest = self.manifest(version)?;
        let path = self.place(version).join(TENSORS);
        let bytes = fs::read(&path).map_err(|source| RegistryError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let tensors = TensorMap::from_safetensors(&bytes).map_err(|error: StateError| {
            RegistryError::Corrupt { path: path.clone(), message: error.to_string() }
        })?;
        let digest = tensors.digest().to_string();
        if digest != manifest.digests.model {
            let message = format!("its digest is {digest}, its manifest says {}", manifest.digests.model);
            return Err(RegistryError::Corrupt { path, message });
        }
        Ok(StoredVersion { manifest, tensors })
    }

    /// Removes all but the newest `keep` versions.
    pub fn retain(&self, keep: usize) -> Result<(), RegistryError> {
        let numbers = self.numbers()?;
        for version in &numbers[..numbers.len().saturating_sub(keep.max(1))] {
            let place = self.place(*version);
            fs::remove_dir_all(&place).map_err(|source| RegistryError::Io {
                action: "remove",
                path: place,
                source,
            })?;
        }
        Ok(())
    }

    fn place(&self, version: u64) -> PathBuf {
        self.dir.join(version.to_string())
    }
}
