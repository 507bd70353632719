use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

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
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            learner: LearnerKind::Linear,
            seed: 1,
            categories_max: 64,
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
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Experts of all families and rates, combined online; the choice where nothing speaks for another.
    Auto,
    /// Logistic, softmax or least squares, by the task.
    Linear,
    /// Sparse and hashed: FTRL-Proximal, or Vowpal Wabbit's steps.
    Ftrl,
    /// The nearest of the rows learned last.
    Knn,
    /// Nearest neighbours with self-adjusting memory.
    SamKnn,
    /// Naive Bayes: normal numbers, counted categories; a classification.
    NaiveBayes,
    /// The shares of the classes so far; a classification.
    Majority,
    /// The label that was learned last.
    NoChange,
    /// The mean of the values so far; a regression.
    Mean,
    /// Multi-layer perceptron.
    Mlp,
    /// Hoeffding tree.
    HoeffdingTree,
    /// Hoeffding adaptive tree: branches that went bad are replaced.
    HoeffdingAdaptiveTree,
    /// Adaptive random forest.
    Arf,
    /// Streaming random patches: a forest whose trees each see some columns.
    Srp,
    /// Online bagging of Hoeffding trees.
    OnlineBagging,
    /// Leveraging bagging: heavier weights, and the worst tree is replaced on drift.
    LeveragingBagging,
    /// Online gradient boosting.
    Boosting,
}

impl LearnerKind {
    pub const ALL: [Self; 17] = [
        Self::Auto,
        Self::Linear,
        Self::Ftrl,
        Self::Knn,
        Self::SamKnn,
        Self::NaiveBayes,
        Self::Majority,
        Self::NoChange,
        Self::Mean,
        Self::Mlp,
        Self::HoeffdingTree,
        Self::HoeffdingAdaptiveTree,
        Self::Arf,
        Self::Srp,
        Self::OnlineBagging,
        Self::LeveragingBagging,
        Self::Boosting,
    ];

    /// The learner of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Linear => "linear",
            Self::Ftrl => "ftrl",
            Self::Knn => "knn",
            Self::SamKnn => "sam_knn",
            Self::NaiveBayes => "naive_bayes",
            Self::Majority => "majority",
            Self::NoChange => "no_change",
            Self::Mean => "mean",
            Self::Mlp => "mlp",
            Self::HoeffdingTree => "hoeffding_tree",
            Self::HoeffdingAdaptiveTree => "hoeffding_adaptive_tree",
            Self::Arf => "arf",
            Self::Srp => "srp",
            Self::OnlineBagging => "online_bagging",
            Self::LeveragingBagging => "leveraging_bagging",
            Self::Boosting => "boosting",
        }
    }

    /// The section under `model` that holds its settings; a name that no section has where it has none.
    pub fn section(self) -> &'static str {
        match self {
            Self::HoeffdingTree | Self::HoeffdingAdaptiveTree => "tree",
            Self::Arf | Self::Srp => "forest",
            Self::OnlineBagging | Self::LeveragingBagging => "bagging",
            other => other.name(),
        }
    }
}

/// `[pipeline.NAME.model.auto]`: the combination of experts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoConfig {
    /// Trees of its adaptive random forest.
    #[schemars(range(min = 1, max = 1_000))]
    pub trees: usize,
    /// Rows of its short memory of neighbours: the last ones learned.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub window: usize,
    /// Rows of its long memory of neighbours, about.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub memory_rows_max: usize,
    /// Base-2 logarithm of the number of weights for categories, bins and their pairs, in each of two tables.
    #[schemars(range(min = 8, max = 26))]
    pub bits: u32,
    /// Inputs up to which a linear model learns with a full matrix of second order.
    #[schemars(range(min = 0, max = 1_000))]
    pub matrix_inputs_max: usize,
    /// Memory that the forest may take, in bytes, and as much again that the long memory may.
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub memory_bytes_max: usize,
}

impl Default for AutoConfig {
    fn default() -> Self {
        Self {
            trees: 10,
            window: 1_000,
            memory_rows_max: 100_000,
            bits: 17,
            matrix_inputs_max: 104,
            memory_bytes_max: 256 << 20,
        }
    }
}

/// `[pipeline.NAME.model.linear]`: the linear models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinearConfig {
    /// Learning rate.
    #[serde(serialize_with = "shortest")]
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 100))]
    pub rate: f32,
    /// How the rate changes from step to step.
    pub step: StepSize,
    /// L2 penalty a step.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0, max = 1))]
    pub l2: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepSize {
    /// The rate as it is: never dies, follows drift.
    Constant,
    /// AdaGrad (Duchi, Hazan and Singer, 2011): per-weight rates that shrink with the squared gradients seen.
    Adagrad,
    /// RMSProp (Tieleman and Hinton, 2012): AdaGrad that forgets, so that it can follow drift.
    Rmsprop,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { rate: 0.02, step: StepSize::Constant, l2: 0.0 }
    }
}

/// `[pipeline.NAME.model.ftrl]`: the sparse, hashed linear models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FtrlConfig {
    /// How the weights step.
    pub step: SparseStep,
    /// Base-2 logarithm of the number of weights; with more than two classes they share them.
    #[schemars(range(min = 10, max = 26))]
    pub bits: u32,
    /// Learning rate (FTRL's alpha); of passive-aggressive steps the aggressiveness, C.
    #[serde(serialize_with = "shortest")]
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 100))]
    pub rate: f32,
    /// FTRL's beta: the larger, the smaller the first steps.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0, max = 1_000))]
    pub beta: f32,
    /// L1 penalty: FTRL's lambda 1, or what an adaptive step takes off; passive-aggressive steps have none.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0, max = 1_000))]
    pub l1: f32,
    /// L2 penalty: FTRL's lambda 2, or what an adaptive step takes off; passive-aggressive steps have none.
    #[serde(serialize_with = "shortest")]
    #[schemars(range(min = 0, max = 1_000))]
    pub l2: f32,
    /// What is done to numeric values.
    pub scaling: SparseScaling,
    /// Pairs of features that are features themselves, each as `"first*second"`: pairs of categories, products of numbers.
    #[schemars(length(max = 1_000))]
    pub crosses: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SparseStep {
    /// FTRL-Proximal (McMahan et al., 2013).
    Ftrl,
    /// Adaptive, normalised and importance-aware, as Vowpal Wabbit's (Ross, Mineiro and Langford, 2013).
    Adaptive,
    /// Passive-aggressive, PA-I (Crammer et al., 2006).
    PassiveAggressive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SparseScaling {
    /// Mean 0 and deviation 1 over the rows learned.
    Standardise,
    /// Divided by the largest magnitude learned; 0 stays 0.
    Largest,
    /// As they are, within a million.
    Raw,
}

impl Default for FtrlConfig {
    fn default() -> Self {
        Self {
            step: SparseStep::Ftrl,
            bits: 18,
            rate: 0.5,
            beta: 1.0,
            l1: 0.0,
            l2: 0.0,
            scaling: SparseScaling::Standardise,
            crosses: Vec::new(),
        }
    }
}

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

/// `[pipeline.NAME.model.naive_bayes]`: naive Bayes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NaiveBayesConfig {
    /// Examples of a class after which its statistics forget; 0: never.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub examples_max: u64,
}

/// `[pipeline.NAME.model.mlp]`: the multi-layer perceptron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlpConfig {
    /// Units of each hidden layer.
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 4_096)))]
    pub hidden: Vec<usize>,
    /// What turns gradients into steps.
    pub optimiser: Optimiser,
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 10))]
    pub rate: f64,
    /// Most examples in one optimiser step; a larger batch is learned in several. 1 learns most from a stream; hundreds
    /// are ten times as fast.
    #[schemars(range(min = 1, max = 65_536))]
    pub step_rows_max: usize,
    /// Longest gradient, by its norm; longer ones are cut to it. 0: none is cut. Far below what single examples have, it
    /// makes probabilities too sure.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub clip_norm: f64,
    /// Share of each weight, times the rate, that a step takes off.
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
    /// Steps over which the rate rises from 0 to its level.
    #[schemars(range(max = 1_000_000_000))]
    pub warmup_steps: u64,
    /// What computes its steps, from and to the same state.
    pub engine: MlpEngine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MlpEngine {
    /// Passes by hand over flat arrays; the same bits on every machine.
    Native,
    /// The tensor library burn.
    Burn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// Plain stochastic gradient descent.
    Sgd,
    /// Adam (Kingma and Ba, 2015).
    Adam,
    /// AdaGrad (Duchi, Hazan and Singer, 2011): rates that shrink with the squared gradients seen.
    Adagrad,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden: vec![32, 32],
            optimiser: Optimiser::Adam,
            rate: 0.002,
            step_rows_max: 1,
            clip_norm: 20.0,
            weight_decay: 0.01,
            warmup_steps: 0,
            engine: MlpEngine::Native,
        }
    }
}

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

/// Writes the shortest number that reads back as the same `f32`: 0.3, not 0.30000001192092896.
fn shortest<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    let shortest: f64 = value.to_string().parse().expect("a printed float parses");
    serializer.serialize_f64(shortest)
}

fn all_shortest<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    struct Shortest(f32);
    impl Serialize for Shortest {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            shortest(&self.0, serializer)
        }
    }
    serializer.collect_seq(values.iter().map(|value| Shortest(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_has_the_name_that_a_configuration_gives_it() {
        for kind in LearnerKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(LearnerKind::named(kind.name()), Some(kind));
        }
        assert_eq!(LearnerKind::named("oracle"), None);
    }
}
