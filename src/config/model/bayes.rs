use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[pipeline.NAME.model.naive_bayes]`: naive Bayes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NaiveBayesConfig {
    /// Examples of a class after which its statistics forget; 0: never.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub examples_max: u64,
}
