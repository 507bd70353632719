use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[pipeline.NAME.model.adapt]`: what any learner does when its own error rises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptConfig {
    /// What follows an alarm.
    pub response: DriftResponse,
    /// Of background: ADWIN's confidence of a first sign, from which on a second learner grows.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub warning_delta: f64,
    /// ADWIN's confidence of an alarm: the smaller, the fewer false ones.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub drift_delta: f64,
    /// Of background: examples after which a second learner that has not taken over is dropped.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub background_rows_max: u64,
    /// Of raise_rate: how many times its level the rate is at an alarm.
    #[schemars(range(min = 1, max = 1_000))]
    pub rate_times: f64,
    /// Of raise_rate: examples in which what it is above its level becomes a half.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub rate_half_life: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftResponse {
    /// Nothing; errors are not watched.
    None,
    /// A second learner, begun at the first sign, takes over once it is better.
    Background,
    /// The learner begins anew.
    Reset,
    /// Larger steps for a while; of linear and mlp.
    RaiseRate,
}

impl Default for AdaptConfig {
    fn default() -> Self {
        Self {
            response: DriftResponse::None,
            warning_delta: 0.05,
            drift_delta: 0.002,
            background_rows_max: 10_000,
            rate_times: 10.0,
            rate_half_life: 500,
        }
    }
}
