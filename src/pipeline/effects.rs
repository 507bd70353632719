use std::collections::BTreeMap;
use std::sync::Arc;

use super::cursor::Arrivals;
use crate::journal::Checkpoint;
use crate::learn::Predictions;
use crate::monitor::AlertChange;
use crate::registry::{Manifest, Revision};
use crate::schema::{Notices, Rows, Texts};
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
    /// When the labels arrived that the published revision has learned and no revision before it.
    pub arrivals: Arrivals,
    /// Where the sources stand after the entry.
    pub positions: Vec<Position>,
    /// Transitions of alerts, for the log; their records are among the outputs.
    pub alerts: Vec<AlertChange>,
    /// For metrics.
    pub counts: EntryCounts,
    /// The model begins anew: what readers know of the old one is worth nothing.
    pub begun_anew: bool,
}

/// Predicted rows with their keys.
pub struct Answers {
    pub keys: Texts,
    pub rows: Rows,
    pub predictions: Predictions,
    /// The revision that predicted them.
    pub revision: Arc<Revision>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryCounts {
    pub predicted: u64,
    pub learned: u64,
    /// Dead letters by source (`events`, `labels`) and the rule that was broken.
    pub dead_letters: BTreeMap<(&'static str, &'static str), u64>,
    /// What was accepted and put right or noted.
    pub notices: Notices,
}

impl EntryCounts {
    pub fn dead_letter(&mut self, is_event: bool, kind: &'static str) {
        *self.dead_letters.entry((if is_event { "events" } else { "labels" }, kind)).or_default() += 1;
    }
}
