use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::float::shortest;

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
