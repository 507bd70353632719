use std::future::Future;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::eventually;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of the test's own: it knows nothing of the service.
pub struct Kafka {
    config: ClientConfig,
    producer: FutureProducer,
}

/// A record to be sent, to partition 0 and without key and headers unless told otherwise.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    /// None: a null value.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Sent {
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

impl Kafka {
    pub fn at(brokers: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("linger.ms", "0").set("message.max.bytes", "8000000");
        let producer = config.create().unwrap();
        Self { config, producer }
    }

    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let results = wait(self.admin().create_topics([&topic], &AdminOptions::new())).unwrap();
        results.into_iter().for_each(|result| assert!(result.is_ok(), "{result:?}"));
        eventually("a created topic is known", TIMEOUT, || self.partitions(name).map(drop));
    }

    /// Returns when the topic is gone.
    pub fn delete_topic(&self, name: &str) {
        let results = wait(self.admin().delete_topics(&[name], &AdminOptions::new())).unwrap();
        results.into_iter().for_each(|result| assert!(result.is_ok(), "{result:?}"));
        eventually("a deleted topic is gone", TIMEOUT, || match self.partitions(name) {
            Ok(partitions) => Err(partitions),
            Err(_) => Ok(()),
        });
    }

    /// Retention at work: partition 0 begins at `offset` from now on.
    pub fn delete_records_before(&self, topic: &str, offset: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
        wait(self.admin().delete_records(&offsets, &AdminOptions::new())).unwrap();
        eventually("records are deleted", TIMEOUT, || {
            let (low, _) = self.consumer().fetch_watermarks(topic, 0, TIMEOUT).unwrap();
            if low == offset { Ok(()) } else { Err(low) }
        });
    }

    pub fn partitions(&self, topic: &str) -> Result<i32, String> {
        let metadata = self.consumer().fetch_metadata(None, TIMEOUT).map_err(|error| error.to_string())?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        found.map(|found| found.partitions().len() as i32).ok_or_else(|| format!("no topic {topic}"))
    }

    /// Sends records in their order, each acknowledged before the next; returns their offsets.
    pub fn send(&self, topic: &str, records: &[Sent]) -> Vec<i64> {
        let send = |record: &Sent| {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut out = FutureRecord::<[u8], [u8]>::to(topic).partition(record.partition).headers(headers);
            out.key = record.key.as_deref();
            out.payload = record.value.as_deref();
            let sent = wait(self.producer.send(out, TIMEOUT));
            sent.map_err(|(error, _)| error).unwrap().offset
        };
        records.iter().map(send).collect()
    }

    /// All records that a topic has now, partition after partition.
    pub fn read(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer = self.consumer();
        let mut records = Vec::new();
        for partition in 0..self.partitions(topic).unwrap() {
            let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT).unwrap();
            let mut assignment = TopicPartitionList::new();
            assignment.add_partition_offset(topic, partition, Offset::Offset(low)).unwrap();
            consumer.assign(&assignment).unwrap();
            let mut next = low;
            while next < high {
                let record = consumer.poll(TIMEOUT).expect("a record before the end").unwrap();
                next = record.offset() + 1;
                records.push(record.detach());
            }
        }
        records
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config.create().unwrap()
    }

    fn consumer(&self) -> BaseConsumer {
        let mut config = self.config.clone();
        config.set("group.id", "it").set("enable.auto.commit", "false").create().unwrap()
    }
}

/// A header's text.
pub fn header(record: &OwnedMessage, name: &str) -> Option<String> {
    let found = record.headers()?.iter().find(|header| header.key == name)?.value?;
    Some(String::from_utf8_lossy(found).into_owned())
}
