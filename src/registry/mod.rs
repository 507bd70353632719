//! Revisions and versions: what readers get, and what is stored.

mod revision;
mod versions;

pub use revision::{Revision, Serving};
pub use versions::{Digests, Manifest, RegistryError, StoredVersion, VersionStore};
