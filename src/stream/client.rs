use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::KafkaConfig;

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// No broker answered at start (exit code 3).
    #[error("no kafka broker at {brokers} answered within {timeout_ms} ms: {source}")]
    Unreachable { brokers: String, timeout_ms: u64, source: KafkaError },
    #[error("topic {topic:?}: {message}")]
    Topic { topic: String, message: String },
    /// Kafka no longer has records that are asked for.
    #[error(
        "topic {topic:?} partition {partition} no longer has offsets {first} to {last}: it now starts at {low} and ends \
         before {high}"
    )]
    Gap { topic: String, partition: i32, first: i64, last: i64, low: i64, high: i64 },
    /// The caller's stop flag was raised while records were waited for: nothing is wrong.
    #[error("stopped while waiting for records of topic {topic:?} partition {partition}")]
    Stopped { topic: String, partition: i32 },
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
}

/// How every client of ours reaches the brokers.
#[derive(Debug, Clone)]
pub struct Endpoint {
    config: KafkaConfig,
}

impl Endpoint {
    pub fn new(config: &KafkaConfig) -> Self {
        Self { config: config.clone() }
    }

    pub fn config(&self) -> &KafkaConfig {
        &self.config
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.config.connect_timeout_ms)
    }

    /// What all clients share.
    pub(super) fn client(&self) -> ClientConfig {
        self.with_properties(self.defaults())
    }

    fn defaults(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.config.brokers).set("client.id", "tidewheel");
        client
    }

    /// The configured properties come last, so that they win.
    fn with_properties(&self, mut client: ClientConfig) -> ClientConfig {
        for (name, value) in &self.config.properties {
            client.set(name, value);
        }
        client
    }

    /// A consumer of assigned partitions that never commits and never jumps: an offset out of range is an error.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut client = self.defaults();
        let kbytes = (self.config.fetch_bytes_max / 1024).max(1).to_string();
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("queued.max.messages.kbytes", &kbytes)
            .set("queued.min.messages", "1000000")
            // The default waits a second whenever we are slower than the fetch.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "100")
            .set("allow.auto.create.topics", "false");
        self.with_properties(client)
    }

    /// An idempotent producer that keeps trying: a broker that is away only delays. `defaults` take the place of ours.
    pub(super) fn producer(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut client = self.defaults();
        client
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("batch.num.messages", "10000")
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", "500000")
            .set("queue.buffering.max.kbytes", "262144")
            // Java's partitioner, so that keys meet where other clients put them.
            .set("partitioner", "murmur2_random");
        for (name, value) in defaults {
            client.set(*name, *value);
        }
        self.with_properties(client)
    }

    /// Says that the first contact failed.
    pub(super) fn unreachable(&self, source: KafkaError) -> StreamError {
        StreamError::Unreachable {
            brokers: self.config.brokers.clone(),
            timeout_ms: self.config.connect_timeout_ms,
            source,
        }
    }
}

/// Whether waiting is all that such an error asks for.
pub(super) fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::PartitionEOF
            | Code::NetworkException
    )
}

/// Whether the broker, or with `auto.offset.reset=error` the client, says that an offset is not there.
pub(super) fn is_out_of_range(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
}

/// Drops a client on a thread of its own: librdkafka's destructors wait for brokers that may be gone, for a minute.
pub fn let_go<T: Send + 'static>(client: T) {
    // Where no thread can be started, the client was dropped with the closure, here.
    let _ = std::thread::Builder::new().name("let-go".into()).spawn(move || drop(client));
}
