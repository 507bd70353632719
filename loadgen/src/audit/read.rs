use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{AuditError, Record};

/// How long the first contact, or an answer about offsets, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long nothing may come before a topic's end.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// Reads topics from their beginning to the end that they have now: committed records only, by assignment, in no group.
pub(super) struct Reader {
    consumer: BaseConsumer,
    brokers: String,
}

/// A partition as it was when its reading began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartitionRange {
    pub partition: i32,
    /// First offset that the topic has.
    pub begin: i64,
    /// The offset that the next record will get.
    pub end: i64,
}

impl Reader {
    pub fn new(brokers: &str, properties: &[(String, String)]) -> Result<Self, AuditError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("client.id", "loadgen-audit")
            // librdkafka wants a name before it assigns; nothing joins it and nothing is committed to it.
            .set("group.id", "loadgen-audit")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("fetch.queue.backoff.ms", "5");
        for (key, value) in properties {
            config.set(key, value);
        }
        let consumer = config.create().map_err(AuditError::Config)?;
        Ok(Self { consumer, brokers: brokers.into() })
    }

    /// The partitions of a topic, and what they hold now.
    pub fn ranges(&self, topic: &str) -> Result<Vec<PartitionRange>, AuditError> {
        let unreachable = |cause| AuditError::Unreachable {
            brokers: self.brokers.clone(),
            seconds: CONNECT_TIMEOUT.as_secs(),
            cause,
        };
        let metadata = self.consumer.fetch_metadata(None, CONNECT_TIMEOUT).map_err(unreachable)?;
        let known = metadata.topics().iter().find(|known| known.name() == topic);
        let known = known
            .ok_or_else(|| AuditError::NoTopic { topic: topic.into(), brokers: self.brokers.clone() })?;
        let range = |partition: i32| {
            let offsets = self.consumer.fetch_watermarks(topic, partition, CONNECT_TIMEOUT);
            let (begin, end) = offsets.map_err(unreachable)?;
            Ok(PartitionRange { partition, begin, end })
        };
        known.partitions().iter().map(|partition| range(partition.id())).collect()
    }

    /// Hands each record of the ranges to `each`; a partition's in the order of their offsets.
    pub fn read(
        &self,
        topic: &str,
        ranges: &[PartitionRange],
        mut each: impl FnMut(&Record<'_>),
    ) -> Result<(), AuditError> {
        let fault = |cause| AuditError::Read { topic: topic.into(), cause };
        let mut open: Vec<PartitionRange> =
            ranges.iter().filter(|range| range.begin < range.end).copied().collect();
        let mut assignment = TopicPartitionList::new();
        for range in &open {
            let begin = Offset::Offset(range.begin);
            assignment.add_partition_offset(topic, range.partition, begin).map_err(fault)?;
        }
        self.consumer.assign(&assignment).map_err(fault)?;
        let mut heard = Instant::now();
        while !open.is_empty() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (partition, offset) = (message.partition(), message.offset());
                    // What was written since the reading began is left to the next audit.
                    let Some(range) = open.iter().find(|range| range.partition == partition) else {
                        continue;
                    };
                    let last = range.end - 1;
                    if offset <= last {
                        each(&record(topic, &message));
                    }
                    if offset >= last {
                        open.retain(|range| range.partition != partition);
                    }
                }
                // The end of what is committed: only markers and open transactions follow.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    open.retain(|range| range.partition != partition);
                }
                Some(Err(cause)) => return Err(fault(cause)),
                None if heard.elapsed() > STALL_TIMEOUT => {
                    return Err(AuditError::Stalled {
                        topic: topic.into(),
                        partitions: open.iter().map(|range| range.partition).collect(),
                        seconds: STALL_TIMEOUT.as_secs(),
                    });
                }
                None => {}
            }
        }
        self.consumer.unassign().map_err(fault)
    }
}

fn record<'a>(topic: &'a str, message: &'a BorrowedMessage<'_>) -> Record<'a> {
    let headers = message
        .headers()
        .map_or_else(Vec::new, |headers| headers.iter().map(|header| (header.key, header.value)).collect());
    Record {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key(),
        value: message.payload(),
        headers,
    }
}
