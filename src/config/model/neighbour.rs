use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::float::shortest;

/// `[pipeline.NAME.model.knn]`: nearest neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KnnConfig {
    /// Rows that are remembered: the last ones learned.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub window: usize,
    /// Neighbours that vote.
    #[schemars(range(min = 1, max = 256))]
    pub k: usize,
    /// How much a vote weighs.
    pub vote: Vote,
    /// Squared distance of two categories; numeric columns are counted in deviations.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0, max = 1_000))]
    pub mismatch: f32,
    /// How columns count beside each other.
    pub weighting: Weighting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// All alike, as the distance has them.
    None,
    /// By what they say about the target, estimated along the stream (ReliefF: Kononenko, 1994).
    Relevance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// All neighbours alike.
    Uniform,
    /// In inverse proportion to the distance.
    Distance,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { window: 1_000, k: 5, vote: Vote::Distance, mismatch: 2.0, weighting: Weighting::Relevance }
    }
}

/// `[pipeline.NAME.model.sam_knn]`: nearest neighbours with self-adjusting memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamKnnConfig {
    /// Rows that the short-term and the long-term memory have together.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub rows_max: usize,
    /// Least rows of the short-term memory that its size is tried with.
    #[schemars(range(min = 2, max = 1_000))]
    pub short_rows_min: usize,
    /// Share of the rows from which on the long-term memory is compressed when there is no room.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 0.9))]
    pub long_share: f64,
    /// Neighbours that vote.
    #[schemars(range(min = 1, max = 256))]
    pub k: usize,
    /// How much a vote weighs.
    pub vote: Vote,
    /// Squared distance of two categories; numeric columns are counted in deviations.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0, max = 1_000))]
    pub mismatch: f32,
}

impl Default for SamKnnConfig {
    fn default() -> Self {
        Self {
            rows_max: 5_000,
            short_rows_min: 50,
            long_share: 0.4,
            k: 5,
            vote: Vote::Distance,
            mismatch: 2.0,
        }
    }
}
