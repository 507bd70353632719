use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Endpoint, StreamError, is_passing};
use super::native::{ConsumerQueue, known_watermarks};
use super::records::{Records, RecordsBuilder};

/// A partition without a leader is asked again after this long.
const LEADERLESS: Duration = Duration::from_millis(50);

const WATERMARKS_WITHIN: Duration = Duration::from_secs(10);

/// Where to read on: the next offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub topic: Arc<str>,
    pub partition: i32,
    pub next: i64,
}

/// A consumer of assigned partitions, from given offsets on: the group's committed offsets are never asked.
pub struct SourceConsumer {
    consumer: Arc<BaseConsumer>,
    topics: Arc<[Arc<str>]>,
    /// One for all partitions, or one each.
    queues: BTreeMap<(usize, i32), ConsumerQueue>,
    common: Option<ConsumerQueue>,
    builder: RecordsBuilder,
}

impl SourceConsumer {
    /// Reads whatever arrives on any of the partitions.
    pub fn live(endpoint: &Endpoint, group: &str, positions: &[Position]) -> Result<Self, StreamError> {
        let mut source = Self::unassigned(endpoint, group, positions)?;
        source.assign(positions)?;
        source.common = Some(ConsumerQueue::all(source.consumer.clone()));
        Ok(source)
    }

    /// Reads nothing: for asking what partitions hold.
    pub fn unread(endpoint: &Endpoint, group: &str) -> Result<Self, StreamError> {
        Self::unassigned(endpoint, group, &[])
    }

    /// Reads each partition apart, so that one far ahead of the others waits in librdkafka's bounded queue.
    pub fn apart(endpoint: &Endpoint, group: &str, positions: &[Position]) -> Result<Self, StreamError> {
        let mut source = Self::unassigned(endpoint, group, positions)?;
        for position in positions {
            // Before `assign`, so that no record can be on its way to the common queue already.
            let queue =
                ConsumerQueue::partition(source.consumer.clone(), &position.topic, position.partition)?;
            let topic = source.topic_index(&position.topic);
            source.queues.insert((topic, position.partition), queue);
        }
        source.assign(positions)?;
        Ok(source)
    }

    fn unassigned(endpoint: &Endpoint, group: &str, positions: &[Position]) -> Result<Self, StreamError> {
        let consumer: Arc<BaseConsumer> = Arc::new(endpoint.consumer(group).create()?);
        let mut topics: Vec<Arc<str>> = positions.iter().map(|position| position.topic.clone()).collect();
        topics.sort();
        topics.dedup();
        let topics: Arc<[Arc<str>]> = topics.into();
        let builder = RecordsBuilder::new(topics.clone());
        Ok(Self { consumer, topics, queues: BTreeMap::new(), common: None, builder })
    }

    fn assign(&self, positions: &[Position]) -> Result<(), StreamError> {
        let mut list = TopicPartitionList::new();
        for position in positions {
            list.add_partition_offset(&position.topic, position.partition, Offset::Offset(position.next))?;
        }
        Ok(self.consumer.assign(&list)?)
    }

    /// Names of the topics, sorted.
    pub fn topics(&self) -> &Arc<[Arc<str>]> {
        &self.topics
    }

    /// First offset that a partition has, and the one after its last. Asks again for up to `timeout` while the
    /// partition has no leader yet: a topic that was just created, a broker that was just restarted.
    pub fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), StreamError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A topic that was just created is known before its partitions are, each broker learning of it in its time.
            let passes = |code| {
                use RDKafkaErrorCode as Code;
                is_passing(code)
                    || matches!(
                        code,
                        Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::UnknownTopic
                    )
            };
            match self.consumer.fetch_watermarks(topic, partition, left) {
                Err(error) if error.rdkafka_error_code().is_some_and(passes) && !left.is_zero() => {
                    std::thread::sleep(LEADERLESS.min(left));
                }
                found => return Ok(found?),
            }
        }
    }

    /// Records after `next` in a partition, as of the last fetch; 0 before the first.
    pub fn lag(&self, position: &Position) -> u64 {
        known_watermarks(&self.consumer, &position.topic, position.partition)
            .map_or(0, |(_, high)| u64::try_from(high - position.next).unwrap_or(0))
    }

    /// Tells the group's coordinator how far the pipeline is, for lag tools: nothing of ours ever reads it.
    pub fn commit(&self, positions: &[Position]) -> Result<(), StreamError> {
        let mut list = TopicPartitionList::new();
        for position in positions {
            list.add_partition_offset(&position.topic, position.partition, Offset::Offset(position.next))?;
        }
        Ok(self.consumer.commit(&list, CommitMode::Async)?)
    }

    /// A batch of what arrives: waits up to `idle` for a first record, then up to `linger` for others, and ends at
    /// `rows_max` rows. None when nothing came.
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
            while self.builder.len() < rows_max {
                let left = deadline.saturating_duration_since(Instant::now());
                let got = self.read_common(left, rows_max - self.builder.len())?;
                if got == 0 && left.is_zero() {
                    break;
                }
            }
        }
        Ok((!self.builder.is_empty()).then(|| self.builder.take()))
    }

    /// Collects until `rows_max` rows are there, across calls; None while there are fewer.
    pub fn full_batch(&mut self, idle: Duration, rows_max: usize) -> Result<Option<Records>, StreamError> {
        let missing = rows_max - self.builder.len();
        self.read_common(idle, missing)?;
        Ok((self.builder.len() == rows_max).then(|| self.builder.take()))
    }

    /// What a batch that did not become full holds.
    pub fn remainder(&mut self) -> Option<Records> {
        (!self.builder.is_empty()).then(|| self.builder.take())
    }

    fn read_common(&mut self, timeout: Duration, rows_max: usize) -> Result<usize, StreamError> {
        let queue = self.common.as_mut().expect("made by `live`");
        let (count, error) = queue.read(timeout, rows_max, &self.topics, &mut self.builder);
        match error {
            Some((code, _)) if is_out_of_range(code) => Err(self.find_gap(code)?),
            Some((code, message)) if !is_passing(code) => Err(self.explain(code, message)),
            Some((code, message)) => {
                tracing::warn!(%code, message, "kafka: waiting");
                Ok(count)
            }
            None => Ok(count),
        }
    }

    /// Which partition no longer has what is to be read next, retention having overtaken us.
    fn find_gap(&self, code: RDKafkaErrorCode) -> Result<StreamError, StreamError> {
        for place in self.consumer.position()?.elements() {
            let (topic, partition) = (place.topic().to_owned(), place.partition());
            let (low, high) = self.watermarks(&topic, partition, WATERMARKS_WITHIN)?;
            match place.offset() {
                Offset::Offset(first) if first < low => {
                    return Ok(StreamError::Gap { topic, partition, first, last: low - 1, low, high });
                }
                Offset::Offset(first) if first > high => {
                    return Ok(StreamError::Gap { topic, partition, first, last: first, low, high });
                }
                _ => {}
            }
        }
        Ok(self.explain(code, "no partition lacks what is read next".into()))
    }

    /// Reads the next `count` records of one partition, whose offsets are `first` to `last`, into `sink`.
    pub fn read_exactly(
        &mut self,
        topic: &str,
        partition: i32,
        (first, last, count): (i64, i64, usize),
        patience: Duration,
        sink: &mut RecordsBuilder,
    ) -> Result<(), StreamError> {
        let index = self.topic_index(topic);
        let mut left = count;
        let mut deadline = Instant::now() + patience;
        while left > 0 {
            let queue = self.queues.get_mut(&(index, partition)).expect("made by `apart` for all partitions");
            let (got, error) = queue.read(Duration::from_millis(5), left, &self.topics, sink);
            left -= got;
            if got > 0 {
                deadline = Instant::now() + patience;
            }
            let out_of_range = match error {
                Some((code, _)) if is_out_of_range(code) => true,
                Some((code, message)) if !is_passing(code) => return Err(self.explain(code, message)),
                _ => false,
            };
            if out_of_range || (left > 0 && Instant::now() > deadline) {
                let (low, high) = self.watermarks(topic, partition, patience)?;
                return Err(StreamError::Gap { topic: topic.into(), partition, first, last, low, high });
            }
            self.serve_events();
        }
        Ok(())
    }

    /// Serves librdkafka's own events (logs, errors) of a consumer whose partitions are read apart.
    fn serve_events(&self) {
        let _ = self.consumer.poll(Duration::ZERO);
    }

    fn topic_index(&self, topic: &str) -> usize {
        self.topics.iter().position(|name| &**name == topic).expect("one of the assigned topics")
    }

    fn explain(&self, code: RDKafkaErrorCode, message: String) -> StreamError {
        StreamError::Topic { topic: self.topics.join(", "), message: format!("{code}: {message}") }
    }
}

/// What the broker says, or with `auto.offset.reset=error` the client, when an offset is no longer there.
fn is_out_of_range(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
}
