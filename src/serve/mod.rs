//! Answers: the cache actor and the HTTP server.

pub mod cache;
pub mod http;

mod model;

pub use model::{Health, Insight, LabelIntake, LabelSink, Model, SinkError};
