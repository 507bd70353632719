use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::float::shortest;

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
