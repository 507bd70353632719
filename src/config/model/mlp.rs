use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
