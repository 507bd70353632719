//! Files and folders that survive a power cut: a name does only when its folder is synced, too.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Creates a folder and those above it that are missing, and syncs whatever holds a new name.
pub fn create_folders(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folders(above)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        created => created?,
    }
    sync_folder(above)
}

/// Makes the names in a folder durable.
pub fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a whole file and makes its bytes durable; its name is not until its folder is synced.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_folders_are_created_and_a_file_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("pipelines/elec2/journal");
        create_folders(&deep).unwrap();
        create_folders(&deep).unwrap();
        assert!(deep.is_dir());

        fs::write(dir.path().join("file"), "").unwrap();
        assert!(create_folders(&dir.path().join("file")).is_err());
        assert!(create_folders(&dir.path().join("file/below")).is_err());
    }
}
