use std::path::PathBuf;

use crate::journal::error::JournalError;
use crate::journal::frame::Line;
use crate::journal::lines::Lines;
use crate::stream::{Endpoint, LogReader};

/// Where so few records are left to be looked through, they are read one by one.
const SEARCH_ABOVE: i64 = 1_000;

/// Reads the lines of a journal's topic, those that are committed.
pub struct TopicReader {
    log: LogReader,
    topic: String,
    /// Offset of the last line.
    offset: i64,
    /// The last entry that was read.
    entry: Option<u64>,
}

impl TopicReader {
    /// Begins a little before entry `from`; where entries were removed that far, at the first that there is.
    pub fn open(endpoint: &Endpoint, topic: &str, from: u64) -> Result<Self, JournalError> {
        let log = LogReader::open(endpoint, topic, 0)?;
        let (mut low, mut high) = (log.low, log.high);
        let mut reader = Self { log, topic: topic.to_owned(), offset: low, entry: None };
        if from <= 1 {
            return Ok(reader);
        }
        while high - low > SEARCH_ABOVE {
            let middle = low + (high - low) / 2;
            match reader.entry_from(middle)? {
                Some(entry) if entry < from => low = middle,
                _ => high = middle,
            }
        }
        reader.log.seek(low)?;
        reader.entry = None;
        Ok(reader)
    }

    /// Offset of the last line that was read.
    pub(super) fn offset(&self) -> i64 {
        self.offset
    }

    /// Number of the first entry at or after an offset.
    fn entry_from(&mut self, offset: i64) -> Result<Option<u64>, JournalError> {
        self.log.seek(offset)?;
        self.entry = None;
        while let Some(line) = self.next_line()? {
            if let Line::Entry(entry) = line {
                return Ok(Some(entry.n));
            }
        }
        Ok(None)
    }
}

impl Lines for TopicReader {
    fn next_line(&mut self) -> Result<Option<Line>, JournalError> {
        let Some((offset, value)) = self.log.next_record()? else { return Ok(None) };
        self.offset = offset;
        let line: Line =
            serde_json::from_slice(&value).map_err(|error| self.corrupt(format!("not an entry: {error}")))?;
        if let Line::Entry(entry) = &line {
            if let Some(before) = self.entry.filter(|before| entry.n != before + 1) {
                return Err(self.corrupt(format!("entry {} follows entry {before}", entry.n)));
            }
            self.entry = Some(entry.n);
        }
        Ok(Some(line))
    }

    fn corrupt(&self, reason: String) -> JournalError {
        JournalError::Foreign { topic: self.topic.clone(), offset: self.offset, reason }
    }

    fn begins(&self, first: u64, from: u64) -> JournalError {
        JournalError::Begins { path: place(&self.topic), first, from }
    }
}

/// How errors that name a place name a topic.
pub(super) fn place(topic: &str) -> PathBuf {
    format!("topic {topic}").into()
}
