use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LeafVote, NominalSplit, TreeConfig};

/// `[pipeline.NAME.model.forest]`: the adaptive random forest and streaming random patches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForestConfig {
    /// Trees that vote; each may have another growing in the background.
    #[schemars(range(min = 1, max = 1_000))]
    pub trees: usize,
    /// Mean of the Poisson weights that make the trees differ (online bagging).
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 100))]
    pub lambda: f64,
    /// Share of the columns that is watched, drawn at random for each leaf (`arf`) or each tree (`srp`).
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 1))]
    pub columns: f64,
    /// ADWIN's confidence at which a tree in the background begins to grow.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub warning_delta: f64,
    /// ADWIN's confidence at which a tree is replaced.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub drift_delta: f64,
    /// Weight of the examples that a leaf takes in between two tries to split.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub grace_period: u32,
    /// Probability that a split is not the one that endless data would choose: the smaller, the later the splits.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub split_confidence: f64,
    /// Once chance explains no larger difference in merit than this, the best test is taken, however close the second.
    #[schemars(range(min = 0, max = 1))]
    pub tie_threshold: f64,
    /// How a leaf answers.
    pub leaf: LeafVote,
    /// How categorical columns are split.
    pub nominal_split: NominalSplit,
    /// Most categories of a column that a leaf counts apart; further ones share "other".
    #[schemars(range(min = 1, max = 65_536))]
    pub categories_max: usize,
    /// Memory that the forest may take, in bytes; each tree, voting or in the background, gets an equal part.
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub memory_bytes_max: usize,
}

impl Default for ForestConfig {
    fn default() -> Self {
        Self {
            trees: 10,
            lambda: 6.0,
            columns: 0.8,
            warning_delta: 0.2,
            drift_delta: 0.02,
            grace_period: 50,
            split_confidence: 0.01,
            tie_threshold: 0.06,
            leaf: LeafVote::Adaptive,
            nominal_split: NominalSplit::Binary,
            categories_max: 256,
            memory_bytes_max: 512 << 20,
        }
    }
}

impl ForestConfig {
    /// The settings of each of its trees, of which as many may grow in the background.
    pub fn of_a_tree(&self) -> TreeConfig {
        let &Self {
            grace_period, split_confidence, tie_threshold, leaf, nominal_split, categories_max, ..
        } = self;
        let memory_bytes_max = self.memory_bytes_max / (2 * self.trees);
        TreeConfig {
            grace_period,
            split_confidence,
            tie_threshold,
            leaf,
            nominal_split,
            categories_max,
            memory_bytes_max,
            drift_delta: self.drift_delta,
        }
    }
}

/// `[pipeline.NAME.model.bagging]`: online bagging and leveraging bagging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BaggingConfig {
    /// Trees that vote.
    #[schemars(range(min = 1, max = 1_000))]
    pub trees: usize,
    /// Of leveraging bagging: ADWIN's confidence at which the worst tree is replaced.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub drift_delta: f64,
    /// Weight of the examples that a leaf takes in between two tries to split.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub grace_period: u32,
    /// Probability that a split is not the one that endless data would choose: the smaller, the later the splits.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub split_confidence: f64,
    /// Once chance explains no larger difference in merit than this, the best test is taken, however close the second.
    #[schemars(range(min = 0, max = 1))]
    pub tie_threshold: f64,
    /// How a leaf answers.
    pub leaf: LeafVote,
    /// How categorical columns are split.
    pub nominal_split: NominalSplit,
    /// Most categories of a column that a leaf counts apart; further ones share "other".
    #[schemars(range(min = 1, max = 65_536))]
    pub categories_max: usize,
    /// Memory that the trees may take, in bytes; each gets an equal part.
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub memory_bytes_max: usize,
}

impl Default for BaggingConfig {
    fn default() -> Self {
        Self {
            trees: 10,
            drift_delta: 0.2,
            grace_period: 50,
            split_confidence: 0.01,
            tie_threshold: 0.06,
            leaf: LeafVote::Adaptive,
            nominal_split: NominalSplit::Binary,
            categories_max: 256,
            memory_bytes_max: 256 << 20,
        }
    }
}

impl BaggingConfig {
    /// The settings of each of its trees.
    pub fn of_a_tree(&self) -> TreeConfig {
        let &Self {
            grace_period, split_confidence, tie_threshold, leaf, nominal_split, categories_max, ..
        } = self;
        let memory_bytes_max = self.memory_bytes_max / self.trees;
        TreeConfig {
            grace_period,
            split_confidence,
            tie_threshold,
            leaf,
            nominal_split,
            categories_max,
            memory_bytes_max,
            drift_delta: self.drift_delta,
        }
    }
}
