//! The service as a whole: the built binary against a real Apache Kafka, by its contracts only.

mod embedded;
mod journey;
mod support;
