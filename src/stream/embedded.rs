use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::client::StreamError;

/// librdkafka's mock cluster as a broker in the process: real sockets, the real client code, nothing on disk.
///
/// It keeps 5 MiB or 100,000 batches a partition and drops what is older in silence: producers must be held to what has been
/// consumed. Its transactions are a façade.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    pub fn start() -> Result<Self, StreamError> {
        Ok(Self { cluster: MockCluster::new(1)? })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// For making trouble.
    #[cfg(test)]
    pub(super) fn cluster(&self) -> &MockCluster<'static, DefaultProducerContext> {
        &self.cluster
    }

    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), StreamError> {
        Ok(self.cluster.create_topic(topic, partitions, 1)?)
    }
}
