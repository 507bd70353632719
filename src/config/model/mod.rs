//! `[pipeline.NAME.model]`: a file for each family of learners.

mod adapt;
mod auto;
mod bayes;
mod boosting;
mod float;
mod forest;
mod ftrl;
mod kind;
mod linear;
mod mlp;
mod neighbour;
mod race;
mod tree;

pub use adapt::{AdaptConfig, DriftResponse};
pub use auto::AutoConfig;
pub use bayes::NaiveBayesConfig;
pub use boosting::BoostingConfig;
pub use forest::{BaggingConfig, ForestConfig};
pub use ftrl::{FtrlConfig, SparseScaling, SparseStep};
pub use kind::LearnerKind;
pub use linear::{LinearConfig, StepSize};
pub use mlp::{MlpConfig, MlpEngine, Optimiser};
pub use neighbour::{KnnConfig, SamKnnConfig, Vote, Weighting};
pub use race::{RaceConfig, RaceKey};
pub use tree::{LeafVote, NominalSplit, TreeConfig};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EncoderConfig;

/// `[pipeline.NAME.model]`: which learner, and how it steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The family of models that learns.
    pub learner: LearnerKind,
    /// Seed of every random choice of the model (initial weights, noise).
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
    /// Bound on one-hot categories a categorical column may claim; further ones share "other".
    #[schemars(range(min = 1, max = 65_536))]
    pub categories_max: usize,
    pub adapt: AdaptConfig,
    pub auto: AutoConfig,
    /// What is done to the rows before the learner gets them, one after the other.
    #[schemars(length(max = 100))]
    pub encode: Vec<EncoderConfig>,
    pub linear: LinearConfig,
    pub ftrl: FtrlConfig,
    pub knn: KnnConfig,
    pub sam_knn: SamKnnConfig,
    pub naive_bayes: NaiveBayesConfig,
    pub mlp: MlpConfig,
    pub tree: TreeConfig,
    pub forest: ForestConfig,
    pub bagging: BaggingConfig,
    pub boosting: BoostingConfig,
    pub race: RaceConfig,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            learner: LearnerKind::Linear,
            seed: 1,
            categories_max: 64,
            adapt: AdaptConfig::default(),
            auto: AutoConfig::default(),
            encode: Vec::new(),
            linear: LinearConfig::default(),
            ftrl: FtrlConfig::default(),
            knn: KnnConfig::default(),
            sam_knn: SamKnnConfig::default(),
            naive_bayes: NaiveBayesConfig::default(),
            mlp: MlpConfig::default(),
            tree: TreeConfig::default(),
            forest: ForestConfig::default(),
            bagging: BaggingConfig::default(),
            boosting: BoostingConfig::default(),
            race: RaceConfig::default(),
        }
    }
}
