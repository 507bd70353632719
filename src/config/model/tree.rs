use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[pipeline.NAME.model.tree]`: the Hoeffding tree and the Hoeffding adaptive tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TreeConfig {
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
    /// Memory that the tree may take, in bytes; then the leaves that promise least stop growing.
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub memory_bytes_max: usize,
    /// Of the adaptive tree: ADWIN's confidence that a branch has changed; the smaller, the fewer false alarms.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub drift_delta: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeafVote {
    /// The shares of the classes, or the mean.
    Majority,
    /// Naive Bayes over the leaf's columns; of a regression a line, learned online.
    NaiveBayes,
    /// Whichever of the two was right more often in the leaf.
    Adaptive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NominalSplit {
    /// One category against all others.
    Binary,
    /// A branch for each category where that tells the classes apart better.
    Multiway,
}

impl Default for TreeConfig {
    fn default() -> Self {
        Self {
            grace_period: 50,
            split_confidence: 0.01,
            tie_threshold: 0.07,
            leaf: LeafVote::Adaptive,
            nominal_split: NominalSplit::Binary,
            categories_max: 256,
            memory_bytes_max: 64 << 20,
            drift_delta: 0.02,
        }
    }
}
