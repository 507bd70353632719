use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

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
    pub linear: LinearConfig,
    pub mlp: MlpConfig,
    pub tree: TreeConfig,
    pub forest: ForestConfig,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            learner: LearnerKind::Linear,
            seed: 1,
            categories_max: 64,
            linear: LinearConfig::default(),
            mlp: MlpConfig::default(),
            tree: TreeConfig::default(),
            forest: ForestConfig::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Logistic, softmax or least squares, by the task.
    Linear,
    /// Multi-layer perceptron (burn).
    Mlp,
    /// Hoeffding tree.
    HoeffdingTree,
    /// Hoeffding adaptive tree: branches that went bad are replaced.
    HoeffdingAdaptiveTree,
    /// Adaptive random forest.
    Arf,
}

impl LearnerKind {
    /// The section under `model` that holds its settings.
    pub fn section(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Mlp => "mlp",
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
    /// Most examples in one optimiser step; a larger batch is learned in several.
    #[schemars(range(min = 1, max = 65_536))]
    pub step_rows_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// Plain stochastic gradient descent.
    Sgd,
    /// Adam (Kingma and Ba, 2015).
    Adam,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { hidden: vec![32, 32], optimiser: Optimiser::Adam, rate: 0.002, step_rows_max: 256 }
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
    /// The shares of the classes.
    Majority,
    /// Naive Bayes over the leaf's columns.
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

/// `[pipeline.NAME.model.forest]`: the adaptive random forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForestConfig {
    /// Trees that vote; each may have another growing in the background.
    #[schemars(range(min = 1, max = 1_000))]
    pub trees: usize,
    /// Mean of the Poisson weights that make the trees differ (online bagging).
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 100))]
    pub lambda: f64,
    /// Share of the columns that a leaf watches, drawn at random for each leaf.
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

/// Writes the shortest number that reads back as the same `f32`: 0.3, not 0.30000001192092896.
fn shortest<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    let shortest: f64 = value.to_string().parse().expect("a printed float parses");
    serializer.serialize_f64(shortest)
}
