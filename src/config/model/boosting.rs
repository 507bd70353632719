use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::float::{all_shortest, shortest};

/// `[pipeline.NAME.model.boosting]`: online gradient boosting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BoostingConfig {
    /// Trees that add up; each new one replaces the oldest.
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: usize,
    /// Most leaves of a tree.
    #[schemars(range(min = 2, max = 256))]
    pub leaves: usize,
    /// How much of what would be best a tree adds.
    #[serde(serialize_with = "shortest")]
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 1))]
    pub rate: f32,
    /// Steps of the leaves after each example, for as many models that share the trees; those that did better lately
    /// count more.
    #[serde(serialize_with = "all_shortest")]
    #[schemars(length(min = 1, max = 8), inner(range(min = 0, max = 100)))]
    pub steps: Vec<f32>,
    /// Share of the columns that a tree sees, drawn at random.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 1))]
    pub columns: f64,
    /// L2 penalty of the leaves.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0.001, max = 1_000_000))]
    pub l2: f32,
    /// Most rows that are remembered, from which trees are grown; up to twice as many are in memory.
    #[schemars(range(min = 32, max = 1_000_000))]
    pub rows_max: usize,
    /// ADWIN's confidence at which trees and rows from before a change are dropped; the smaller, the fewer false alarms.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub drift_delta: f64,
}

impl Default for BoostingConfig {
    fn default() -> Self {
        Self {
            trees: 100,
            leaves: 16,
            rate: 0.1,
            steps: vec![0.1, 1.0, 5.0],
            columns: 0.7,
            l2: 1.0,
            rows_max: 8_192,
            drift_delta: 0.002,
        }
    }
}
