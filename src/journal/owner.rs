use std::fs::{self, File};
use std::path::Path;

use super::error::JournalError;
use crate::state::create_folders;

/// Makes a folder ours for as long as the file that is returned is open; creates it where it is not there.
pub(super) fn own(dir: &Path) -> Result<File, JournalError> {
    create_folders(dir).map_err(|source| JournalError::io("create", dir, source))?;
    let path = dir.join("owner.lock");
    let file = File::create(&path).map_err(|source| JournalError::io("create", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(JournalError::Owned(dir.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(JournalError::io("lock", &path, source)),
    }
}
