//! Kafka: batches of records in, records out, topics, the embedded broker.

mod client;
mod consumer;
mod embedded;
mod native;
mod output;
mod producer;
mod records;
mod topics;

pub use client::{Endpoint, StreamError, let_go};
pub use consumer::{Position, SourceConsumer};
pub use embedded::EmbeddedBroker;
pub use output::{OutputRecord, Outputs};
pub use producer::{Delivery, OutputProducer, SingleProducer};
pub use records::{RecordView, Records, RecordsBuilder};
pub use topics::{TopicSpec, ensure_topics};
