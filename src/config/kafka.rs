use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Masked;

/// `[kafka]`: how to reach the brokers.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Bootstrap brokers, `host:port`, separated by commas.
    #[schemars(length(min = 1))]
    pub brokers: String,
    /// How long the first contact may take before the process gives up with exit code 3, in milliseconds.
    #[schemars(range(min = 100, max = 600_000))]
    pub connect_timeout_ms: u64,
    /// Create missing topics at start; otherwise a missing topic is an error.
    pub create_topics: bool,
    /// Replication factor of the topics that are created.
    #[schemars(range(min = 1, max = 100))]
    pub replication: i32,
    /// Bound on prefetched records, in bytes (librdkafka's `queued.max.messages.kbytes`).
    #[schemars(range(min = 65_536, max = 2_147_482_624))]
    pub fetch_bytes_max: usize,
    /// Further librdkafka properties for every client, such as `security.protocol`; they are kept out of the journal, and
    /// secrets among them out of the log.
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".into(),
            connect_timeout_ms: 15_000,
            create_topics: true,
            replication: 1,
            fetch_bytes_max: 16 << 20,
            properties: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, connect_timeout_ms, create_topics, replication, fetch_bytes_max, properties } =
            self;
        f.debug_struct("KafkaConfig")
            .field("brokers", brokers)
            .field("connect_timeout_ms", connect_timeout_ms)
            .field("create_topics", create_topics)
            .field("replication", replication)
            .field("fetch_bytes_max", fetch_bytes_max)
            .field("properties", &Masked(properties))
            .finish()
    }
}
