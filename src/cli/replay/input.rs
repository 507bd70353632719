use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::cli::exit::Failure;
use crate::schema::csv::{CsvError, CsvReader};

pub type Reader = CsvReader<Box<dyn Read>>;

/// How much of a file was read.
#[derive(Debug, Clone)]
pub struct FileRead {
    done: Arc<AtomicU64>,
    bytes: u64,
}

impl FileRead {
    /// From 0 to 1.
    pub fn share(&self) -> f64 {
        self.done.load(Ordering::Relaxed) as f64 / self.bytes.max(1) as f64
    }
}

/// Opens a CSV file, gzipped or not: its first bytes say it.
pub fn open(path: &Path) -> Result<(Reader, FileRead), Failure> {
    let unreadable = |error: io::Error| {
        Failure::Usage(format!("cannot read {}: {error}; expected a CSV file, maybe gzipped", path.display()))
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        let problem = format!("{} is no regular file; expected one, since it is read twice", path.display());
        return Err(Failure::Usage(problem));
    }
    let bytes = about.len();
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic).map_err(unreadable)?;
    let read = FileRead { done: Arc::default(), bytes };
    let gzipped = magic == [0x1f, 0x8b];
    let whole = io::Cursor::new(magic).chain(Counting { inner: file, done: read.done.clone() });
    let whole: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    let reader = CsvReader::new(whole).map_err(|error| failure(path, &error))?;
    Ok((reader, read))
}

/// What is wrong with the file.
pub fn failure(path: &Path, error: &CsvError) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

struct Counting {
    inner: File,
    done: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
