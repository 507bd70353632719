use std::sync::Arc;

use crate::journal::Checkpoint;
use crate::learn::Predictions;
use crate::registry::{Manifest, Revision};
use crate::schema::{Rows, Texts};
use crate::state::TensorMap;
use crate::stream::{Outputs, Position};

/// What one entry causes outside of the state; none of it happens before the entry is durable.
#[derive(Default)]
pub struct Effects {
    pub n: u64,
    pub time_ms: u64,
    /// Records for topics, in order.
    pub outputs: Outputs,
    /// For readers, when something was published.
    pub revision: Option<Arc<Revision>>,
    /// For the cache: what was predicted.
    pub answers: Option<Answers>,
    /// To be stored.
    pub version: Option<Box<(Manifest, TensorMap)>>,
    /// To be stored once the outputs up to here are acknowledged.
    pub checkpoint: Option<Checkpoint>,
    /// When the labels arrived that the published revision has learned and no revision before it; milliseconds since
    /// 1970.
    pub labels_arrived_ms: Vec<i64>,
    /// Where the sources stand after the entry.
    pub positions: Vec<Position>,
    /// For log and metrics.
    pub counts: EntryCounts,
}

/// Predicted rows with their keys.
pub struct Answers {
    pub keys: Texts,
    pub rows: Rows,
    pub predictions: Predictions,
    /// The revision that predicted them.
    pub revision: Arc<Revision>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntryCounts {
    pub predicted: u64,
    pub learned: u64,
    pub dead_letters: u64,
    pub alerts: u64,
}
