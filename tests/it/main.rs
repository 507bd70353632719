//! The service as a whole: the built binary against a real Apache Kafka, by its contracts only; and `replay`, without one.

mod embedded;
mod journey;
mod replay;
mod support;
