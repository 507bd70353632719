use std::fs;
use std::io;
use std::path::Path;

use crate::journal::error::JournalError;
use crate::journal::segment::segments;
use crate::state::sync_folder;

/// Removes the segments whose entries are all before `before`, never the last one; returns the bytes freed.
pub(super) fn trim(dir: &Path, before: u64) -> Result<u64, JournalError> {
    let all = segments(dir)?;
    let mut freed = 0;
    for pair in all.windows(2) {
        let ((_, path), (next, _)) = (&pair[0], &pair[1]);
        if *next > before {
            break;
        }
        let bytes = match fs::metadata(path).and_then(|found| fs::remove_file(path).map(|()| found.len())) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(JournalError::io("remove", path, source)),
        };
        // One at a time: a power cut must not leave a hole behind an older segment that came back.
        sync_folder(dir).map_err(|source| JournalError::io("sync", dir, source))?;
        freed += bytes;
    }
    Ok(freed)
}
