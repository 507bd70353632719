//! Records that are known by their offsets, read again.

use std::time::{Duration, Instant};

use super::{Position, SourceConsumer};
use crate::stream::client::{StreamError, is_out_of_range, is_passing};
use crate::stream::native::known_watermarks;
use crate::stream::records::RecordsBuilder;

/// How long a call waits for records: after it, the stop flag is looked at.
const READ: Duration = Duration::from_millis(5);
/// How long a partition is first asked what it has; then twice as long each time, for a broker far away.
const ASK: Duration = Duration::from_millis(500);
const ASK_MAX: Duration = Duration::from_secs(30);

/// Records of one partition that were there once.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub topic: &'a str,
    pub partition: i32,
    /// Offset of the first and of the last; there may be gaps in between.
    pub first: i64,
    pub last: i64,
    pub count: usize,
}

impl SourceConsumer {
    /// Reads the next records of one partition, which must be the `wanted` ones, into `sink`.
    ///
    /// Slow is not gone: while nothing comes it goes on, with a line in the log every `patience`, until `stop` says so
    /// ([`StreamError::Stopped`]). [`StreamError::Gap`] needs a broker's word: what the partition holds now, or a record
    /// from behind the last one. After an error the source is to be thrown away.
    pub fn read_exactly(
        &mut self,
        wanted: &Wanted<'_>,
        patience: Duration,
        stop: &dyn Fn() -> bool,
        sink: &mut RecordsBuilder,
    ) -> Result<(), StreamError> {
        let place = (self.topic_index(wanted.topic), wanted.partition);
        let mut missing = Missing { wanted, next: wanted.first, count: wanted.count, ask: ASK };
        let mut heard = Instant::now();
        while missing.count > 0 {
            if stop() {
                return Err(StreamError::Stopped { topic: wanted.topic.into(), partition: wanted.partition });
            }
            let queue = self.queues.get_mut(&place).expect("made by `apart` for all partitions");
            let (got, error) = queue.read(READ, missing.count, &self.topics, sink);
            if got > 0 {
                heard = Instant::now();
                missing.count -= got;
                missing.next = sink.last_offset().expect("records were added") + 1;
                if missing.next > wanted.last && missing.count > 0 || missing.next > wanted.last + 1 {
                    // Some in between are gone: their place was passed.
                    let known = known_watermarks(&self.consumer, wanted.topic, wanted.partition);
                    let (low, high) = known.unwrap_or((wanted.first, missing.next));
                    return Err(missing.gap(low, high));
                }
            }
            match error {
                Some(error) if is_out_of_range(error.code) => self.again_unless_gone(&mut missing)?,
                Some(error) if !is_passing(error.code) => return Err(self.explain(&error)),
                _ => {}
            }
            if missing.count > 0 && heard.elapsed() >= patience {
                // Asking costs a slow broker the time that its records need: only to confirm what a fetch told already.
                let known = known_watermarks(&self.consumer, wanted.topic, wanted.partition);
                if known.is_some_and(|(low, high)| missing.are_gone(low, high)) {
                    self.refuse_gap(&mut missing)?;
                }
                let (topic, partition) = (wanted.topic, wanted.partition);
                let (offset, waited) = (missing.next, heard.elapsed());
                tracing::warn!(
                    topic,
                    partition,
                    offset,
                    ?waited,
                    "kafka: records are slow to come; waiting on"
                );
                heard = Instant::now();
            }
            self.serve_events();
        }
        Ok(())
    }

    /// After an offset out of range: an error when the records are gone; else begins again where they are.
    fn again_unless_gone(&self, missing: &mut Missing<'_>) -> Result<(), StreamError> {
        self.refuse_gap(missing)?;
        let Wanted { topic, partition, .. } = *missing.wanted;
        tracing::warn!(topic, partition, offset = missing.next, "kafka: out of range, and not gone: again");
        self.begin_again(&Position { topic: topic.into(), partition, next: missing.next })
    }

    /// An error when the partition says that it no longer has all that is missing; no error while it says nothing.
    fn refuse_gap(&self, missing: &mut Missing<'_>) -> Result<(), StreamError> {
        let Wanted { topic, partition, .. } = *missing.wanted;
        match self.watermarks(topic, partition, missing.ask) {
            Ok((low, high)) if missing.are_gone(low, high) => Err(missing.gap(low, high)),
            Ok(_) => Ok(()),
            Err(StreamError::Kafka(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {
                missing.ask = (missing.ask * 2).min(ASK_MAX);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Serves librdkafka's own events (logs, errors) of a consumer whose partitions are read apart.
    fn serve_events(&self) {
        if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
            tracing::warn!(%error, "kafka");
        }
    }
}

/// What is still to come.
struct Missing<'w> {
    wanted: &'w Wanted<'w>,
    next: i64,
    count: usize,
    ask: Duration,
}

impl Missing<'_> {
    /// Whether a partition that now has `low` up to before `high` cannot give all of it.
    fn are_gone(&self, low: i64, high: i64) -> bool {
        self.next < low || self.wanted.last >= high
    }

    fn gap(&self, low: i64, high: i64) -> StreamError {
        let Wanted { topic, partition, first, last, .. } = *self.wanted;
        StreamError::Gap { topic: topic.into(), partition, first, last, low, high }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::stream::trial::{Trial, WITHIN, values_of};

    const IMPATIENT: Duration = Duration::from_millis(200);

    fn never() -> bool {
        false
    }

    /// Ends a test that would wait for ever.
    fn in_the_end() -> impl Fn() -> bool {
        let start = Instant::now();
        move || start.elapsed() > WITHIN
    }

    #[test]
    fn records_that_come_slower_than_the_patience_are_no_gap() {
        let trial = Trial::new(1);
        trial.fill(0, 4);
        trial.broker.cluster().broker_round_trip_time(1, Duration::from_millis(700)).unwrap();
        let start = Instant::now();
        let records = trial.recover((0, 3, 4), IMPATIENT, &in_the_end()).unwrap();
        assert_eq!(values_of(&records), [b"0", b"1", b"2", b"3"]);
        assert!(start.elapsed() > IMPATIENT * 2, "they were not slow: {:?}", start.elapsed());
    }

    #[test]
    fn a_broker_that_is_away_for_longer_than_the_patience_is_no_gap() {
        let trial = Trial::new(1);
        trial.fill(0, 2);
        trial.broker.cluster().broker_down(1).unwrap();
        let start = Instant::now();
        let (up_again, away) = (Cell::new(false), IMPATIENT * 4);
        let stop = || {
            if start.elapsed() > away && !up_again.replace(true) {
                trial.broker.cluster().broker_up(1).unwrap();
            }
            start.elapsed() > WITHIN
        };
        let records = trial.recover((0, 1, 2), IMPATIENT, &stop).unwrap();
        assert_eq!(records.len(), 2);
        assert!(up_again.get(), "it was not away");
    }

    #[test]
    fn a_stop_ends_the_wait_soon() {
        let trial = Trial::new(1);
        trial.fill(0, 1);
        trial.broker.cluster().broker_down(1).unwrap();
        let start = Instant::now();
        let stop = || start.elapsed() > Duration::from_millis(300);
        let stopped = trial.recover((0, 0, 1), WITHIN, &stop);
        assert!(matches!(stopped, Err(StreamError::Stopped { .. })), "{stopped:?}");
        assert!(start.elapsed() < WITHIN / 2, "{:?}", start.elapsed());
    }

    #[test]
    fn records_behind_the_end_are_a_gap() {
        let trial = Trial::new(1);
        trial.fill(0, 3);
        // The first three are there, and the last of what was read once is not.
        let gap = trial.recover((0, 3, 4), IMPATIENT, &in_the_end());
        assert!(matches!(gap, Err(StreamError::Gap { first: 0, last: 3, low: 0, high: 3, .. })), "{gap:?}");
        // Not even the first is there: the broker says out of range.
        let gap = trial.recover((7, 8, 2), WITHIN, &in_the_end());
        assert!(matches!(gap, Err(StreamError::Gap { first: 7, last: 8, low: 0, high: 3, .. })), "{gap:?}");
    }

    #[test]
    fn records_that_retention_took_are_a_gap() {
        let trial = Trial::new(1);
        let mut producer = trial.producer(&[("linger.ms", "0"), ("compression.type", "none")]);
        // The embedded broker keeps 5 MiB.
        let value = vec![b'x'; 900_000];
        for number in 0..8 {
            let outputs = trial.outputs(0, &[&value]);
            crate::stream::trial::deliver(&mut producer, number, &outputs);
        }
        let gap = trial.recover((0, 7, 8), WITHIN, &in_the_end());
        assert!(matches!(gap, Err(StreamError::Gap { low: 1.., high: 8, .. })), "{gap:?}");
    }

    #[test]
    fn a_record_from_behind_the_last_is_a_gap_at_once() {
        let trial = Trial::new(1);
        trial.fill(0, 6);
        let gap = trial.recover((0, 3, 5), WITHIN, &never);
        assert!(matches!(gap, Err(StreamError::Gap { first: 0, last: 3, .. })), "{gap:?}");
    }

    #[test]
    fn out_of_range_is_not_believed_where_the_partition_has_the_records() {
        let trial = Trial::new(1);
        trial.fill(0, 3);
        let once = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE];
        trial.broker.cluster().request_errors(RDKafkaApiKey::Fetch, &once);
        let records = trial.recover((1, 2, 2), WITHIN, &in_the_end()).unwrap();
        assert_eq!(values_of(&records), [b"1", b"2"]);
    }
}
