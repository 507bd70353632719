//! Kafka: batches of records in, records out, topics, the embedded broker.

mod client;
mod consumer;
mod delivery;
mod embedded;
mod log;
mod native;
mod output;
mod producer;
mod records;
mod single;
mod topics;
mod transaction;
#[cfg(test)]
mod trial;

pub use client::{Endpoint, StreamError, let_go};
pub use consumer::{Position, SourceConsumer, Wanted};
pub use delivery::{Delivery, Refusal, RefusalKind};
pub use embedded::EmbeddedBroker;
pub use log::{LogReader, LogRecord};
pub use output::{OutputRecord, Outputs, SpareMemory};
pub use producer::OutputProducer;
pub use records::{RecordView, Records, RecordsBuilder};
pub use single::SingleProducer;
pub use topics::{TopicSpec, delete_before, ensure_topics};
pub use transaction::{Aborted, Transactions};
