use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::journal::entry::{Body, Skip};
use crate::journal::home::JournalError;
use crate::journal::segment::{Line, SegmentReader};

/// What a journal's files say, from some entry on.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Last entry; 0 for an empty journal.
    pub last: u64,
    pub last_time_ms: u64,
    pub epoch: u64,
    /// Outputs up to this entry were acknowledged.
    pub mark: u64,
    /// Each with the number of its entry.
    pub skips: Vec<(u64, Skip)>,
    /// For each (topic, partition) in the entries from `from` on: first offset named, and the one after the last.
    pub offsets: BTreeMap<(String, i32), (i64, i64)>,
    /// The configuration of the newest epoch seen.
    pub config: Option<serde_json::Value>,
}

impl Scan {
    /// Reads what the files say from entry `from` on, changing nothing; a torn tail is left out.
    pub fn of(dir: &Path, from: u64) -> Result<Self, JournalError> {
        let mut reader = SegmentReader::open(dir, from)?;
        Self::read(&mut reader, from)
    }

    pub(super) fn read(reader: &mut SegmentReader, from: u64) -> Result<Self, JournalError> {
        let mut scan = Scan::default();
        while let Some(line) = reader.next_line()? {
            let entry = match line {
                Line::Mark { mark } => {
                    scan.mark = scan.mark.max(mark);
                    continue;
                }
                Line::Entry(entry) => entry,
            };
            if scan.last != 0 && entry.n != scan.last + 1 {
                let (path, place) = reader.tail().map_or((PathBuf::new(), 0), |(p, at)| (p.to_owned(), at));
                let reason = format!("entry {} follows entry {}", entry.n, scan.last);
                return Err(JournalError::Corrupt { path, place, reason });
            }
            scan.last = entry.n;
            scan.last_time_ms = entry.time_ms;
            match entry.body {
                Body::Epoch { epoch, config, .. } => {
                    scan.epoch = epoch;
                    scan.config = Some(config);
                }
                Body::Skip(skip) => scan.skips.push((entry.n, skip)),
                Body::Batch { parts } if entry.n >= from => {
                    for part in parts {
                        let place =
                            scan.offsets.entry((part.topic, part.partition)).or_insert((part.first, 0));
                        place.1 = part.last + 1;
                    }
                }
                _ => {}
            }
        }
        Ok(scan)
    }
}
