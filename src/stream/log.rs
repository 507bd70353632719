use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use rdkafka::{ClientContext, TopicPartitionList};

use super::client::{Endpoint, StreamError, is_passing};
use super::consumer::watermarks;

/// How long one call waits for the broker before the time that is left is looked at.
const POLL: Duration = Duration::from_millis(100);

/// The end of a partition is news here, not an error.
struct EndIsExpected;

impl ClientContext for EndIsExpected {
    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            tracing::error!(target: "librdkafka", "{error}: {reason}");
        }
    }
}

impl ConsumerContext for EndIsExpected {}

/// One partition, read from some offset up to its end: what is committed, in order. For topics of small records, read
/// once; not for a stream of events.
pub struct LogReader {
    consumer: BaseConsumer<EndIsExpected>,
    topic: String,
    partition: i32,
    /// First offset that there is, and the one after the last, when it was opened.
    pub low: i64,
    pub high: i64,
    /// How long the broker may be silent.
    patience: Duration,
    ended: bool,
}

/// Offset and value of a record; a null value is empty.
pub type LogRecord = (i64, Vec<u8>);

impl LogReader {
    /// Stands before the first record.
    ///
    /// # Errors
    /// No broker answers, or there is no such partition.
    pub fn open(endpoint: &Endpoint, topic: &str, partition: i32) -> Result<Self, StreamError> {
        let consumer = endpoint
            .consumer("tidewheel.log")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .create_with_context::<_, BaseConsumer<_>>(EndIsExpected)?;
        let patience = endpoint.timeout();
        let (low, high) =
            watermarks(&consumer, topic, partition, patience).map_err(|error| endpoint.unreachable(error))?;
        let mut reader =
            Self { consumer, topic: topic.to_owned(), partition, low, high, patience, ended: false };
        reader.seek(low)?;
        Ok(reader)
    }

    /// Goes on with the first record at or after `offset`.
    pub fn seek(&mut self, offset: i64) -> Result<(), StreamError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, Offset::Offset(offset))?;
        self.consumer.assign(&list)?;
        self.ended = false;
        Ok(())
    }

    /// The next record, or `None` at the end of what is committed.
    pub fn next_record(&mut self) -> Result<Option<LogRecord>, StreamError> {
        let deadline = Instant::now() + self.patience;
        while !self.ended {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => return Ok(Some(record(&message))),
                Some(Err(KafkaError::PartitionEOF(_))) => self.ended = true,
                Some(Err(error)) if !error.rdkafka_error_code().is_some_and(is_passing) => {
                    return Err(error.into());
                }
                Some(Err(error)) if Instant::now() >= deadline => return Err(error.into()),
                None if Instant::now() >= deadline => return Err(self.silent()),
                _ => {}
            }
        }
        Ok(None)
    }

    fn silent(&self) -> StreamError {
        let within = self.patience.as_millis();
        StreamError::Topic {
            topic: self.topic.clone(),
            message: format!("gave neither a record nor its end within {within} ms"),
        }
    }
}

fn record(message: &BorrowedMessage<'_>) -> LogRecord {
    (message.offset(), message.payload().unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::trial::{TOPIC, Trial};

    #[test]
    fn a_partition_is_read_to_its_end_from_wherever_it_is_begun() {
        let trial = Trial::new(2);
        trial.fill(1, 5);
        let mut reader = LogReader::open(&trial.endpoint(&[]), TOPIC, 1).unwrap();
        assert_eq!((reader.low, reader.high), (0, 5));
        let all = |reader: &mut LogReader| {
            let mut found = Vec::new();
            while let Some((offset, value)) = reader.next_record().unwrap() {
                found.push((offset, String::from_utf8(value).unwrap()));
            }
            found
        };
        let expected: Vec<(i64, String)> = (0..5).map(|number| (number, number.to_string())).collect();
        assert_eq!(all(&mut reader), expected);
        assert_eq!(all(&mut reader), [], "the end stays the end");

        reader.seek(3).unwrap();
        assert_eq!(all(&mut reader), expected[3..]);
        let mut empty = LogReader::open(&trial.endpoint(&[]), TOPIC, 0).unwrap();
        assert_eq!(all(&mut empty), []);
    }

    #[test]
    fn a_partition_that_is_not_there_is_an_error() {
        let trial = Trial::new(1);
        let endpoint = trial.endpoint(&[]);
        assert!(LogReader::open(&endpoint, TOPIC, 7).is_err());
    }
}
