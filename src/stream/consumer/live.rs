//! Batches of whatever arrives on any of the partitions.

use std::time::{Duration, Instant};

use super::{Position, SourceConsumer};
use crate::stream::client::{StreamError, is_out_of_range, is_passing};
use crate::stream::native::{Place, ReadError};
use crate::stream::records::Records;

/// A partition is asked for at most this long what it has.
const WATERMARKS_WITHIN: Duration = Duration::from_secs(10);
/// Most rows of one call to librdkafka, which looks at neither clock nor bytes while there are more.
const CALL_ROWS_MAX: usize = 1_000;
/// A batch ends when it holds this much, rows wanting or not: a batch's bytes are addressed with 32 bits.
const BATCH_BYTES_MAX: usize = 256 << 20;

impl SourceConsumer {
    /// A batch of what arrives: waits up to `idle` for a first record, then up to `linger` for others, and ends at
    /// `rows_max` rows, or at 256 MiB. None when nothing came.
    pub fn next_batch(
        &mut self,
        idle: Duration,
        linger: Duration,
        rows_max: usize,
    ) -> Result<Option<Records>, StreamError> {
        if self.builder.is_empty() {
            self.read_common(idle, 1)?;
        }
        if !self.builder.is_empty() {
            let deadline = Instant::now() + linger;
            while self.has_room(rows_max) {
                let left = deadline.saturating_duration_since(Instant::now());
                let got = self.read_common(left, rows_max - self.builder.len())?;
                if got == 0 && left.is_zero() {
                    break;
                }
            }
        }
        Ok(self.remainder())
    }

    /// Collects until `rows_max` rows (or 256 MiB) are there, across calls; None while there are fewer. Waits up to `idle`.
    pub fn full_batch(&mut self, idle: Duration, rows_max: usize) -> Result<Option<Records>, StreamError> {
        let deadline = Instant::now() + idle;
        while self.has_room(rows_max) {
            let left = deadline.saturating_duration_since(Instant::now());
            let got = self.read_common(left, rows_max - self.builder.len())?;
            if got == 0 && left.is_zero() {
                return Ok(None);
            }
        }
        Ok(self.remainder())
    }

    /// What a batch that did not become full holds.
    pub fn remainder(&mut self) -> Option<Records> {
        (!self.builder.is_empty()).then(|| self.builder.take())
    }

    fn has_room(&self, rows_max: usize) -> bool {
        self.builder.len() < rows_max && self.builder.bytes() < BATCH_BYTES_MAX
    }

    fn read_common(&mut self, timeout: Duration, rows_max: usize) -> Result<usize, StreamError> {
        let queue = self.common.as_mut().expect("made by `live`");
        let rows_max = rows_max.min(CALL_ROWS_MAX);
        let (count, error) = queue.read(timeout, rows_max, &self.topics, &mut self.builder);
        match error {
            None => Ok(count),
            Some(error) if is_out_of_range(error.code) => self.find_gap(&error).map(|()| count),
            Some(ReadError { code, message, .. }) if is_passing(code) => {
                tracing::warn!(%code, message, "kafka: waiting");
                Ok(count)
            }
            Some(error) => Err(self.explain(&error)),
        }
    }

    /// Tells the gap where a partition no longer has what is to be read next. Where it has it all the same (a leader that
    /// had just been elected did not know yet), begins there again.
    fn find_gap(&self, error: &ReadError) -> Result<(), StreamError> {
        let Some(Place { topic, partition, offset: next }) = &error.place else {
            return Err(self.explain(error));
        };
        let (topic, partition, first) = (topic.clone(), *partition, *next);
        let (low, high) = self.watermarks(&topic, partition, WATERMARKS_WITHIN)?;
        if first < low {
            return Err(StreamError::Gap { topic, partition, first, last: low - 1, low, high });
        }
        if first > high {
            return Err(StreamError::Gap { topic, partition, first, last: first, low, high });
        }
        tracing::warn!(topic, partition, offset = first, low, high, "kafka: out of range, and there: again");
        self.begin_again(&Position { topic: topic.into(), partition, next: first })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::stream::trial::{Trial, WITHIN, values_of};

    const IDLE: Duration = Duration::from_millis(50);

    fn live(trial: &Trial, positions: &[Position]) -> SourceConsumer {
        SourceConsumer::live(&trial.endpoint(&[]), "trial", positions).unwrap()
    }

    /// The next batch, or the error in its place.
    fn next(source: &mut SourceConsumer, rows_max: usize) -> Result<Records, StreamError> {
        let start = Instant::now();
        loop {
            if let Some(records) = source.next_batch(IDLE, IDLE, rows_max)? {
                return Ok(records);
            }
            assert!(start.elapsed() < WITHIN, "neither records nor an error");
        }
    }

    #[test]
    fn a_gap_is_told_of_a_partition_that_nothing_was_read_of_yet() {
        let trial = Trial::new(2);
        trial.fill(0, 1);
        let mut source = live(&trial, &[trial.position(0, 1), trial.position(1, 500)]);
        let gap = next(&mut source, 10);
        let expected = StreamError::Gap {
            topic: trial.topic.to_string(),
            partition: 1,
            first: 500,
            last: 500,
            low: 0,
            high: 0,
        };
        assert_eq!(gap.unwrap_err().to_string(), expected.to_string());
    }

    #[test]
    fn reading_goes_on_after_an_out_of_range_that_is_not_true() {
        let trial = Trial::new(1);
        trial.fill(0, 2);
        let mut source = live(&trial, &[trial.position(0, 0)]);
        let once = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE];
        let mut values = values_of(&next(&mut source, 10).unwrap());
        trial.broker.cluster().request_errors(RDKafkaApiKey::Fetch, &once);
        std::thread::sleep(IDLE * 4);
        trial.fill(0, 2);
        while values.len() < 4 {
            values.extend(values_of(&next(&mut source, 10).unwrap()));
        }
        assert_eq!(values, [b"0", b"1", b"0", b"1"]);
    }

    #[test]
    fn a_full_batch_is_handed_over_when_it_is_full() {
        let trial = Trial::new(1);
        trial.fill(0, 5);
        let mut source = live(&trial, &[trial.position(0, 0)]);
        let mut sizes = Vec::new();
        let start = Instant::now();
        while sizes.len() < 2 && start.elapsed() < WITHIN {
            sizes.extend(source.full_batch(IDLE, 2).unwrap().map(|records| records.len()));
        }
        assert_eq!(sizes, [2, 2]);
        while source.full_batch(IDLE, 2).unwrap().is_none() && source.builder.is_empty() {
            assert!(start.elapsed() < WITHIN, "the fifth does not come");
        }
        assert_eq!(source.remainder().map(|records| records.len()), Some(1));
        assert!(source.remainder().is_none());
    }
}
