//! Segment files: frames of a length, a CRC32C and a JSON object.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::home::JournalError;

/// What a frame holds: an entry, or the mark of acknowledged outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Entry(Entry),
    Mark {
        /// Outputs of entries up to this one are acknowledged.
        mark: u64,
    },
}

/// Bytes before a payload: its length and its CRC32C, both u32 little-endian.
pub(super) const HEADER: usize = 8;
/// A longer payload is a torn or foreign file.
const PAYLOAD_MAX: u32 = 16 << 20;

pub(super) fn frame(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Name of the segment whose first entry is `first`.
pub(super) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.journal"))
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
        let first = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".journal")?.parse().ok());
        found.extend(first.map(|first| (first, path)));
    }
    found.sort();
    Ok(found)
}

/// Reads frames in order across segments; stops at the end or at a torn tail of the last segment.
pub struct SegmentReader {
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    current: Option<(PathBuf, BufReader<File>, u64)>,
    /// Whether the current segment is the last: only there may a frame be torn.
    last: bool,
    payload: Vec<u8>,
}

enum Frame {
    Whole,
    End,
    Torn(&'static str),
}

impl SegmentReader {
    /// Begins at the segment that holds entry `from`; earlier entries of it come too.
    pub fn open(dir: &Path, from: u64) -> Result<Self, JournalError> {
        let all = segments(dir)?;
        let start = all.iter().rposition(|(first, _)| *first <= from).unwrap_or(0);
        let rest: Vec<_> = all.into_iter().skip(start).collect();
        Ok(Self { segments: rest.into_iter(), current: None, last: false, payload: Vec::new() })
    }

    /// The next frame, or None at the end.
    pub fn next_line(&mut self) -> Result<Option<Line>, JournalError> {
        loop {
            let Some((path, reader, place)) = &mut self.current else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            let frame = read_frame(reader, &mut self.payload)
                .map_err(|source| JournalError::io("read", path, source))?;
            match frame {
                Frame::Whole => {
                    let line =
                        serde_json::from_slice(&self.payload).map_err(|error| JournalError::Corrupt {
                            path: path.clone(),
                            place: *place,
                            reason: format!("not an entry: {error}"),
                        })?;
                    *place += (HEADER + self.payload.len()) as u64;
                    return Ok(Some(line));
                }
                Frame::End if self.last => return Ok(None),
                Frame::End => self.current = None,
                Frame::Torn(_) if self.last => return Ok(None),
                Frame::Torn(reason) => {
                    let (path, place) = (path.clone(), *place);
                    return Err(JournalError::Corrupt { path, place, reason: reason.into() });
                }
            }
        }
    }

    /// The segment being read and the length of its whole frames so far: where an owner cuts a torn tail off.
    pub(super) fn tail(&self) -> Option<(&Path, u64)> {
        self.current.as_ref().map(|(path, _, place)| (path.as_path(), *place))
    }

    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some((_, path)) = self.segments.next() else { return Ok(false) };
        let file = File::open(&path).map_err(|source| JournalError::io("open", &path, source))?;
        self.last = self.segments.len() == 0;
        self.current = Some((path, BufReader::with_capacity(1 << 16, file), 0));
        Ok(true)
    }
}

fn read_frame(reader: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Frame> {
    let mut header = [0; HEADER];
    match read_up_to(reader, &mut header)? {
        0 => return Ok(Frame::End),
        HEADER => {}
        _ => return Ok(Frame::Torn("the header of a frame is cut off")),
    }
    let [a, b, c, d, e, f, g, h] = header;
    let (len, crc) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if len == 0 || len > PAYLOAD_MAX {
        return Ok(Frame::Torn("a frame has an impossible length"));
    }
    payload.resize(len as usize, 0);
    if read_up_to(reader, payload)? < payload.len() {
        return Ok(Frame::Torn("a frame is cut off"));
    }
    if crc32c::crc32c(payload) != crc {
        return Ok(Frame::Torn("a frame has the wrong CRC32C"));
    }
    Ok(Frame::Whole)
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
