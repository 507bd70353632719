use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::journal::error::JournalError;
use crate::journal::frame::highest_mark;
use crate::journal::segment::segment_path;
use crate::state::sync_folder;

/// The segment that is written. It ends with a whole frame, or is cut back to one before anything is added.
pub(super) struct Tail {
    path: PathBuf,
    file: File,
    /// Bytes of whole frames.
    len: u64,
    /// Whether the file may hold more than that.
    dirty: bool,
}

impl Tail {
    /// Goes on with a segment whose whole frames end at `len` with entry `last`: cuts off what follows, and syncs what
    /// is left, since a frame that the last owner wrote may not have been synced, and counts as durable from here on.
    pub(super) fn reopen(path: &Path, len: u64, last: u64) -> Result<Self, JournalError> {
        let io = |source| JournalError::io("cut the torn tail of", path, source);
        let file = OpenOptions::new().read(true).append(true).open(path).map_err(io)?;
        let found = file.metadata().map_err(io)?.len();
        if found > len {
            let lost = mark_behind(&file, len).map_err(io)?;
            if lost > last {
                let reason = format!("no frame, but a mark behind it says that entry {lost} was durable");
                return Err(JournalError::Corrupt { path: path.to_owned(), place: len, reason });
            }
            tracing::warn!(path = %path.display(), bytes = found - len, "cut a torn tail off the journal");
            file.set_len(len).map_err(io)?;
        }
        let sync = |source| JournalError::io("sync", path, source);
        file.sync_all().map_err(sync)?;
        sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(sync)?;
        Ok(Self { path: path.to_owned(), file, len, dirty: false })
    }

    /// The segment that begins with entry `first`. One that is there from an attempt that failed is taken when it is
    /// empty; entries are never overwritten.
    pub(super) fn create(dir: &Path, first: u64) -> io::Result<Self> {
        let path = segment_path(dir, first);
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        if file.metadata()?.len() > 0 {
            let message = format!("{} has entries already", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        sync_folder(dir)?;
        Ok(Self { path, file, len: 0, dirty: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds whole frames, all or, on an error, none: what was written of them is cut off now or before the next.
    pub(super) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        self.cut()?;
        self.dirty = true;
        if let Err(error) = self.file.write_all(frames) {
            // Where this fails too, the next attempt begins with it.
            let _ = self.cut();
            return Err(error);
        }
        self.dirty = false;
        self.len += frames.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Takes the last `bytes` back, so that no later owner believes frames that could not be synced.
    pub(super) fn take_back(&mut self, bytes: u64) -> io::Result<()> {
        self.len -= bytes;
        self.dirty = true;
        self.cut()
    }

    fn cut(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.len)?;
            self.dirty = false;
        }
        Ok(())
    }
}

/// The highest mark after the first `len` bytes. A mark is written when what it names is durable, so that none can be
/// of an entry that a torn tail held.
fn mark_behind(mut file: &File, len: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(len))?;
    highest_mark(&mut file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_failed_write_left_is_cut_off_before_the_next_one() {
        // Given a segment on a device that is full, which cannot be cut either,
        let dir = tempfile::tempdir().unwrap();
        let mut tail = Tail::create(dir.path(), 1).unwrap();
        tail.append(b"whole").unwrap();
        let real =
            std::mem::replace(&mut tail.file, OpenOptions::new().append(true).open("/dev/full").unwrap());
        assert_eq!(tail.append(b"lost").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(tail.append(b"lost").unwrap_err().kind(), io::ErrorKind::InvalidInput, "it is cut first");

        // when half of it had reached the file, and there is room again,
        (&real).write_all(b"lo").unwrap();
        tail.file = real;
        tail.append(b" again").unwrap();

        // then nothing stands between what was there and what is added.
        assert_eq!(fs::read(tail.path()).unwrap(), b"whole again");
        assert_eq!(tail.len(), 11);
    }

    #[test]
    fn a_segment_that_has_entries_is_never_created_again_and_an_empty_one_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        drop(Tail::create(dir.path(), 7).unwrap());
        let mut tail = Tail::create(dir.path(), 7).unwrap();
        tail.append(b"entries").unwrap();
        assert_eq!(Tail::create(dir.path(), 7).map(|_| ()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(tail.path()).unwrap(), b"entries");
    }
}
