mod exact;
mod live;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

pub use exact::Wanted;

use super::client::{Endpoint, StreamError, is_passing};
use super::native::{ConsumerQueue, ReadError, known_watermarks};
use super::records::RecordsBuilder;

/// A partition without a leader is asked again after this long.
const LEADERLESS: Duration = Duration::from_millis(50);

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
        Ok(self.consumer.assign(&list(positions)?)?)
    }

    /// Begins again at `position`: after an offset out of range librdkafka reads nothing more of a partition, and refuses
    /// a seek.
    fn begin_again(&self, position: &Position) -> Result<(), StreamError> {
        let place = list(std::slice::from_ref(position))?;
        self.consumer.incremental_unassign(&place)?;
        Ok(self.consumer.incremental_assign(&place)?)
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
        Ok(watermarks(&self.consumer, topic, partition, timeout)?)
    }

    /// Records after `next` in a partition, as of the last fetch; 0 before the first.
    pub fn lag(&self, position: &Position) -> u64 {
        known_watermarks(&self.consumer, &position.topic, position.partition)
            .map_or(0, |(_, high)| u64::try_from(high - position.next).unwrap_or(0))
    }

    /// Tells the group's coordinator how far the pipeline is, for lag tools: nothing of ours ever reads it.
    pub fn commit(&self, positions: &[Position]) -> Result<(), StreamError> {
        Ok(self.consumer.commit(&list(positions)?, CommitMode::Async)?)
    }

    fn topic_index(&self, topic: &str) -> usize {
        self.topics.iter().position(|name| &**name == topic).expect("one of the assigned topics")
    }

    fn explain(&self, error: &ReadError) -> StreamError {
        let topic = error.place.as_ref().map_or_else(|| self.topics.join(", "), |place| place.topic.clone());
        StreamError::Topic { topic, message: format!("{}: {}", error.code, error.message) }
    }
}

/// See [`SourceConsumer::watermarks`].
pub(super) fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<(i64, i64), KafkaError> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.fetch_watermarks(topic, partition, left) {
            Err(error) if error.rdkafka_error_code().is_some_and(may_appear) && !left.is_zero() => {
                std::thread::sleep(LEADERLESS.min(left));
            }
            found => return found,
        }
    }
}

fn list(positions: &[Position]) -> Result<TopicPartitionList, StreamError> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for position in positions {
        list.add_partition_offset(&position.topic, position.partition, Offset::Offset(position.next))?;
    }
    Ok(list)
}

/// Whether waiting may help: a topic that was just created is known before its partitions are, each broker learning of it
/// in its time.
fn may_appear(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    is_passing(code)
        || matches!(code, Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::UnknownTopic)
}
