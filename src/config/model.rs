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
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            learner: LearnerKind::Linear,
            seed: 1,
            categories_max: 64,
            linear: LinearConfig::default(),
            mlp: MlpConfig::default(),
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

/// Writes the shortest number that reads back as the same `f32`: 0.3, not 0.30000001192092896.
fn shortest<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    let shortest: f64 = value.to_string().parse().expect("a printed float parses");
    serializer.serialize_f64(shortest)
}
