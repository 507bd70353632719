use std::sync::Arc;

use actix::Addr;
use serde_json::Value;

use super::cache::Cache;
use crate::registry::{Serving, VersionStore};
use crate::schema::{EventDecoder, LabelDecoder};

/// One pipeline as serving sees it; what lives in later rooms comes in as a trait.
#[derive(Clone)]
pub struct Model {
    pub name: Arc<str>,
    pub decoder: Arc<EventDecoder>,
    pub serving: Arc<Serving>,
    pub versions: VersionStore,
    pub cache: Addr<Cache>,
    /// Where posted labels go; none where events carry their label.
    pub labels: Option<LabelIntake>,
    pub insight: Arc<dyn Insight>,
    pub health: Arc<dyn Health>,
}

/// The way of a posted label: checked by the rules of the labels topic, then sent there.
#[derive(Clone)]
pub struct LabelIntake {
    pub decoder: Arc<LabelDecoder>,
    pub sink: Arc<dyn LabelSink>,
}

/// Puts label records on the labels topic.
pub trait LabelSink: Send + Sync {
    /// Produces one record (`key` is the entity key, `value` the label's JSON object) and calls `done` exactly once,
    /// when the broker has it or has failed; never blocks.
    fn send(&self, key: &[u8], value: &[u8], done: Box<dyn FnOnce(Result<(), SinkError>) + Send>);
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SinkError {
    /// The local queue is full: try again later (503).
    #[error("the labels queue is full")]
    Full,
    /// The broker did not take it (502).
    #[error("kafka did not take the label: {0}")]
    Kafka(String),
}

/// What the monitor says.
pub trait Insight: Send + Sync {
    /// Scores, baselines, delays, accounts: the body of `GET /v1/models/{m}/monitor`.
    fn monitor(&self) -> Value;
    /// The pipeline's alerts, firing and resolved, in the form of the alerts topic.
    fn alerts(&self) -> Vec<Value>;
}

/// Whether the pipeline can do its work.
pub trait Health: Send + Sync {
    /// None when ready; otherwise the reason, for `/readyz`.
    fn not_ready(&self) -> Option<String>;
}
