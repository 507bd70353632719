//! Segment files: named after the first entry in them, read in the order of their names.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::frame::{Frame, HEADER, Line, read_frame};
use super::lines::Lines;

/// Digits of the number in a segment's name.
const DIGITS: usize = 20;

/// Name of the segment whose first entry is `first`.
pub(super) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:0DIGITS$}.journal"))
}

/// The segments of a folder, by their first entry.
pub(super) fn segments(dir: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(JournalError::io("list", dir, source)),
    };
    let mut found = Vec::new();
    for item in listing {
        let path = item.map_err(|source| JournalError::io("list", dir, source))?.path();
        found.extend(first_of(&path).map(|first| (first, path)));
    }
    found.sort();
    Ok(found)
}

fn first_of(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".journal")?;
    let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// The first entry that a journal's files may still hold: 1 unless it was trimmed, and for an empty journal.
pub fn first_entry(dir: &Path) -> Result<u64, JournalError> {
    Ok(segments(dir)?.first().map_or(1, |(first, _)| *first))
}

/// Reads frames in order across segments; stops at the end or at a torn tail of the last segment.
pub struct SegmentReader {
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    current: Option<Current>,
    /// Whether the current segment is the last: only there may a frame be torn.
    last: bool,
    /// The end, or the torn tail, was met.
    ended: bool,
    /// The last entry that was read.
    entry: Option<u64>,
    payload: Vec<u8>,
}

struct Current {
    path: PathBuf,
    /// What its name says; None once its first entry was read.
    first: Option<u64>,
    reader: BufReader<File>,
    /// Length of the whole frames so far.
    place: u64,
}

impl SegmentReader {
    /// Begins at the segment that holds the entry before `from`, since the one named after `from` may be empty yet;
    /// earlier entries come too. Where entries were removed that far, begins at the first that there is.
    pub fn open(dir: &Path, from: u64) -> Result<Self, JournalError> {
        let all = segments(dir)?;
        let start = all.iter().rposition(|(first, _)| *first < from).unwrap_or(0);
        let rest: Vec<_> = all.into_iter().skip(start).collect();
        let payload = Vec::new();
        Ok(Self {
            segments: rest.into_iter(),
            current: None,
            last: false,
            ended: false,
            entry: None,
            payload,
        })
    }

    /// The line in the frame that was just read.
    fn line(&mut self) -> Result<Line, JournalError> {
        let line: Line = serde_json::from_slice(&self.payload)
            .map_err(|error| self.corrupt(format!("not an entry: {error}")))?;
        let current = self.current.as_mut().expect("a frame was read from it");
        if let Line::Entry(entry) = &line {
            let named = current.first.take();
            if let Some(before) = self.entry.filter(|before| entry.n != before + 1) {
                return Err(self.corrupt(format!("entry {} follows entry {before}", entry.n)));
            }
            if let Some(named) = named.filter(|named| *named != entry.n) {
                let reason = format!("its first entry is {}, its name says {named}", entry.n);
                return Err(self.corrupt(reason));
            }
            self.entry = Some(entry.n);
        }
        current.place += (HEADER + self.payload.len()) as u64;
        Ok(line)
    }

    /// The segment being read and the length of its whole frames so far: where an owner cuts a torn tail off.
    pub(super) fn tail(&self) -> Option<(&Path, u64)> {
        self.current.as_ref().map(|current| (current.path.as_path(), current.place))
    }

    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some((first, path)) = self.segments.next() else { return Ok(false) };
        let file = File::open(&path).map_err(|source| JournalError::io("open", &path, source))?;
        self.last = self.segments.len() == 0;
        let reader = BufReader::with_capacity(1 << 16, file);
        self.current = Some(Current { path, first: Some(first), reader, place: 0 });
        Ok(true)
    }
}

impl Lines for SegmentReader {
    fn next_line(&mut self) -> Result<Option<Line>, JournalError> {
        while !self.ended {
            let Some(current) = &mut self.current else {
                self.ended = !self.open_next()?;
                continue;
            };
            let frame = read_frame(&mut current.reader, &mut self.payload)
                .map_err(|source| JournalError::io("read", &current.path, source))?;
            match frame {
                Frame::Whole => return self.line().map(Some),
                Frame::End | Frame::Torn(_) if self.last => self.ended = true,
                Frame::End => self.current = None,
                Frame::Torn(reason) => return Err(self.corrupt(reason.into())),
            }
        }
        Ok(None)
    }

    fn corrupt(&self, reason: String) -> JournalError {
        let (path, place) = self.tail().unwrap_or((Path::new(""), 0));
        JournalError::Corrupt { path: path.to_owned(), place, reason }
    }

    fn begins(&self, first: u64, from: u64) -> JournalError {
        let path = self.tail().map_or(PathBuf::new(), |(path, _)| path.to_owned());
        JournalError::Begins { path, first, from }
    }
}
