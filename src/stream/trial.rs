//! What the tests of this room share: an embedded broker with a topic, and records on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    Delivery, EmbeddedBroker, Endpoint, OutputProducer, Outputs, Position, Records, RecordsBuilder,
    SourceConsumer, StreamError, Wanted,
};
use crate::config::KafkaConfig;

pub(super) const TOPIC: &str = "trial";
/// A hang must end; under valgrind all is slow.
pub(super) const WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Trial {
    pub(super) broker: EmbeddedBroker,
    pub(super) topic: Arc<str>,
}

impl Trial {
    /// A broker with one topic of so many partitions.
    pub(super) fn new(partitions: i32) -> Self {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic(TOPIC, partitions).unwrap();
        Self { broker, topic: TOPIC.into() }
    }

    pub(super) fn endpoint(&self, properties: &[(&str, &str)]) -> Endpoint {
        let properties: BTreeMap<String, String> =
            properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Endpoint::new(&KafkaConfig { brokers: self.broker.address(), properties, ..KafkaConfig::default() })
    }

    pub(super) fn producer(&self, properties: &[(&str, &str)]) -> OutputProducer {
        OutputProducer::new(&self.endpoint(properties)).unwrap()
    }

    /// Puts `count` records of the values `0`, `1`, … on a partition, each acknowledged before the next, so that each is a
    /// batch of its own.
    pub(super) fn fill(&self, partition: i32, count: usize) {
        let mut producer = self.producer(&[("linger.ms", "0")]);
        for number in 0..count {
            let outputs = self.outputs(partition, &[number.to_string().as_bytes()]);
            assert_eq!(deliver(&mut producer, number, &outputs), Delivery::Done);
        }
    }

    pub(super) fn outputs(&self, partition: i32, values: &[&[u8]]) -> Outputs {
        let mut outputs = Outputs::default();
        for value in values {
            outputs.push(&self.topic, Some(partition), Some(b"key"), Some(value), Vec::new());
        }
        outputs
    }

    pub(super) fn position(&self, partition: i32, next: i64) -> Position {
        Position { topic: self.topic.clone(), partition, next }
    }

    /// Reads `count` records of partition 0 from `first` on, as a recovery does.
    pub(super) fn recover(
        &self,
        (first, last, count): (i64, i64, usize),
        patience: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Records, StreamError> {
        let mut source = SourceConsumer::apart(&self.endpoint(&[]), "trial", &[self.position(0, first)])?;
        let wanted = Wanted { topic: TOPIC, partition: 0, first, last, count };
        let mut sink = RecordsBuilder::new(source.topics().clone());
        source.read_exactly(&wanted, patience, stop, &mut sink)?;
        Ok(sink.take())
    }

    /// All that a partition holds, from its first record on, once there are `count` and half a second more has brought
    /// none.
    pub(super) fn everything(&self, partition: i32, count: usize) -> Vec<Vec<u8>> {
        let mut source =
            SourceConsumer::live(&self.endpoint(&[]), "trial", &[self.position(partition, 0)]).unwrap();
        let mut values = Vec::new();
        let start = Instant::now();
        loop {
            let quiet = Duration::from_millis(500);
            match source.next_batch(quiet, Duration::ZERO, 1_000).unwrap() {
                Some(records) => values.extend(values_of(&records)),
                None if values.len() >= count => return values,
                None => assert!(start.elapsed() < WITHIN, "{} of {count} records", values.len()),
            }
        }
    }
}

pub(super) fn values_of(records: &Records) -> Vec<Vec<u8>> {
    records.iter().map(|record| record.value().unwrap_or_default().to_vec()).collect()
}

/// Sends all of `outputs` and waits for what becomes of them.
pub(super) fn deliver(producer: &mut OutputProducer, group: usize, outputs: &Outputs) -> Delivery {
    let mut sent = 0;
    while sent < outputs.len() {
        sent = producer.send(group, outputs, sent).unwrap();
        producer.poll(Duration::from_millis(1));
    }
    await_delivery(producer, group)
}

pub(super) fn await_delivery(producer: &OutputProducer, group: usize) -> Delivery {
    let start = Instant::now();
    loop {
        match producer.delivery(group) {
            Delivery::Waiting(count) => assert!(start.elapsed() < WITHIN, "{count} records on their way"),
            decided => return decided,
        }
        producer.poll(Duration::from_millis(1));
    }
}
