//! An event's whole way through a real Apache Kafka, and everything that may go wrong on it.

mod exit_codes;
mod input;
mod kills;
mod labels;
mod partitions;
mod rebuild;
mod stop;
mod takeover;
mod trouble;
