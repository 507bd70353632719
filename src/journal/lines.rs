use super::error::JournalError;
use super::frame::Line;
use super::home::Home;
use super::segment::SegmentReader;
use super::topic::TopicReader;

/// What a journal holds, in its order, whichever home it has.
pub trait Lines {
    /// The next line, or None at the end.
    fn next_line(&mut self) -> Result<Option<Line>, JournalError>;

    /// An error at the place that is being read.
    fn corrupt(&self, reason: String) -> JournalError;

    /// An error for a reader of entry `from`, when the first that is there is `first`.
    fn begins(&self, first: u64, from: u64) -> JournalError;
}

impl Home {
    /// Begins a little before entry `from`; where entries were removed that far, at the first that there is.
    pub fn lines(&self, from: u64) -> Result<Box<dyn Lines>, JournalError> {
        Ok(match self {
            Self::Files(dir) => Box::new(SegmentReader::open(dir, from)?),
            Self::Topic { endpoint, topic } => Box::new(TopicReader::open(endpoint, topic, from)?),
        })
    }

    /// The first entry that it may still hold: 1 unless it was trimmed, and for an empty journal.
    pub fn first_entry(&self) -> Result<u64, JournalError> {
        match self {
            Self::Files(dir) => super::segment::first_entry(dir),
            Self::Topic { endpoint, topic } => {
                let mut reader = TopicReader::open(endpoint, topic, 0)?;
                while let Some(line) = reader.next_line()? {
                    if let Line::Entry(entry) = line {
                        return Ok(entry.n);
                    }
                }
                Ok(1)
            }
        }
    }
}
