use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
