use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An item of `[pipeline.NAME.model].encode`: something that is done to the rows before the learner gets them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// What is done.
    pub kind: EncoderKind,
    /// Features that it is done to; none: all that are there by then of the kind that it takes.
    #[serde(default)]
    #[schemars(length(max = 10_000))]
    pub columns: Vec<String>,
    /// Of standardise and target_mean: examples after which old ones count less; 0: never.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub examples_max: u64,
    /// Of clip and quantile: values that the quantiles are over, the last ones of a column.
    #[serde(default = "default_window")]
    #[schemars(range(min = 2, max = 100_000))]
    pub window: usize,
    /// Of clip: the share of values at either end that become the border.
    #[serde(default = "default_tail")]
    #[schemars(range(min = 0, max = 0.5))]
    pub tail: f64,
    /// Of one_hot and target_mean: categories of a column that are told apart; further ones share "other".
    #[serde(default = "default_categories_max")]
    #[schemars(range(min = 1, max = 65_536))]
    pub categories_max: usize,
    /// Of hash: numbers that all its columns share.
    #[serde(default = "default_buckets")]
    #[schemars(range(min = 1, max = 65_536))]
    pub buckets: usize,
    /// Of target_mean: examples that the mean of all counts as.
    #[serde(default = "default_smoothing")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub smoothing: f64,
    /// Of cycle: lengths of the cycles, in the column's unit; a day and a week of seconds, if not given.
    #[serde(default = "default_periods")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 0.001, max = 1e15)))]
    pub periods: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncoderKind {
    /// Numbers: mean 0, deviation 1.
    Standardise,
    /// Numbers: within running quantiles.
    Clip,
    /// Numbers: the share of the last values that are lower.
    Quantile,
    /// Numbers: a missing one is the mean, with a column that says so.
    Missing,
    /// Categories: an indicator each, in place of the column.
    OneHot,
    /// Categories: numbers in hashed buckets, in place of the columns.
    Hash,
    /// Categories: beside each column the mean target of its category.
    TargetMean,
    /// Times as numbers: beside each column sine and cosine of its place in each period.
    Cycle,
    /// Categories: beside the columns one of their combinations.
    Cross,
}

impl EncoderKind {
    /// Whether it takes categorical columns; it takes numeric ones otherwise.
    pub fn takes_categories(self) -> bool {
        matches!(self, Self::OneHot | Self::Hash | Self::TargetMean | Self::Cross)
    }

    /// Whether the columns are gone after it.
    pub fn replaces(self) -> bool {
        matches!(self, Self::OneHot | Self::Hash)
    }
}

impl EncoderConfig {
    /// An encoder of all columns of its kind, with the defaults.
    pub fn of(kind: EncoderKind) -> Self {
        Self {
            kind,
            columns: Vec::new(),
            examples_max: 0,
            window: default_window(),
            tail: default_tail(),
            categories_max: default_categories_max(),
            buckets: default_buckets(),
            smoothing: default_smoothing(),
            periods: default_periods(),
        }
    }
}

fn default_window() -> usize {
    1_000
}

fn default_tail() -> f64 {
    0.01
}

fn default_categories_max() -> usize {
    64
}

fn default_buckets() -> usize {
    64
}

fn default_smoothing() -> f64 {
    10.0
}

fn default_periods() -> Vec<f64> {
    vec![86_400.0, 604_800.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_of_a_kind_alone_is_one_with_the_defaults() {
        let read: EncoderConfig = toml::from_str("kind = \"target_mean\"").unwrap();
        assert_eq!(read, EncoderConfig::of(EncoderKind::TargetMean));
    }
}
