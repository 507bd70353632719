use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[pipeline.NAME.monitor]`: what is watched and when it alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// Examples in the sliding window.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub window: usize,
    /// Drift of the served error.
    pub drift: DriftConfig,
    /// A threshold on the served score.
    pub quality: QualityConfig,
    /// A resolved alert stays on its topic so long (by entry time), then a tombstone follows, in milliseconds.
    #[schemars(range(min = 0, max = 31_536_000_000_u64))]
    pub alert_age_ms: u64,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            window: 1_000,
            drift: DriftConfig::default(),
            quality: QualityConfig::default(),
            alert_age_ms: 3_600_000,
        }
    }
}

/// `[pipeline.NAME.monitor.drift]`: ADWIN (Bifet and Gavaldà, 2007) on the served error; only a rise alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriftConfig {
    /// Whether drift is looked for.
    pub enabled: bool,
    /// Confidence of the test: the smaller, the fewer false alarms.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub delta: f64,
    /// A drift alert is resolved after so many labelled examples without a further rise.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub resolve_after: u64,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self { enabled: true, delta: 0.002, resolve_after: 5_000 }
    }
}

/// `[pipeline.NAME.monitor.quality]`: a threshold on a sliding score of the served predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QualityConfig {
    /// Whether the score is judged.
    pub enabled: bool,
    /// The score: `accuracy`, `logloss` and `auc` (two classes) of a classification, `mae` of a regression.
    pub metric: QualityMetric,
    /// The alert fires when the sliding score is on the wrong side of it: below, for a loss above.
    #[schemars(range(min = 0, max = 1e12))]
    pub threshold: f64,
    /// How far the score must come back over the threshold before the alert is resolved.
    #[schemars(range(min = 0, max = 1e12))]
    pub hysteresis: f64,
    /// Labelled examples before the first judgement.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub examples_min: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualityMetric {
    /// Share of right predictions.
    Accuracy,
    /// Mean of -ln(probability of the true class); a loss.
    Logloss,
    /// Area under the ROC curve; two classes.
    Auc,
    /// Mean absolute error; a loss, of a regression.
    Mae,
}

impl Default for QualityConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            metric: QualityMetric::Accuracy,
            threshold: 0.6,
            hysteresis: 0.01,
            examples_min: 500,
        }
    }
}
