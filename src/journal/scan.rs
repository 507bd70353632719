use std::collections::BTreeMap;

use super::entry::{Body, Skip};
use super::error::JournalError;
use super::frame::Line;
use super::home::Home;
use super::lines::Lines;

/// What a journal says, from some entry on.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Last entry; 0 for an empty journal.
    pub last: u64,
    pub last_time_ms: u64,
    pub epoch: u64,
    /// Outputs up to this entry were acknowledged.
    pub mark: u64,
    /// Each with the number of its entry. A skip comes after the entry that it names, so that those of all entries from
    /// `from` on are here.
    pub skips: Vec<(u64, Skip)>,
    /// For each (topic, partition) in the entries from `from` on: first offset named, and the one after the last.
    pub offsets: BTreeMap<(String, i32), (i64, i64)>,
    /// The configuration of the newest epoch seen.
    pub config: Option<serde_json::Value>,
}

impl Scan {
    /// Reads what a journal says from entry `from` on, changing nothing; a torn tail is left out. An error where `from`
    /// was removed.
    pub fn of(home: &Home, from: u64) -> Result<Self, JournalError> {
        Self::read(home.lines(from)?.as_mut(), from)
    }

    pub(super) fn read(reader: &mut dyn Lines, from: u64) -> Result<Self, JournalError> {
        let mut scan = Scan::default();
        while let Some(line) = reader.next_line()? {
            let entry = match line {
                Line::Mark { mark } => {
                    scan.mark = scan.mark.max(mark);
                    continue;
                }
                Line::Entry(entry) => entry,
            };
            if scan.last == 0 && entry.n > from {
                return Err(reader.begins(entry.n, from));
            }
            scan.last = entry.n;
            scan.last_time_ms = scan.last_time_ms.max(entry.time_ms);
            match entry.body {
                Body::Epoch { epoch, config, .. } => {
                    scan.epoch = epoch;
                    scan.config = Some(config);
                }
                Body::Skip(skip) if skip.entry >= entry.n => {
                    let reason =
                        format!("entry {} skips a row of entry {}, a later one", entry.n, skip.entry);
                    return Err(reader.corrupt(reason));
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
        if scan.mark > scan.last {
            let reason = format!("a mark names entry {}, but the last is {}", scan.mark, scan.last);
            return Err(reader.corrupt(reason));
        }
        Ok(scan)
    }
}
