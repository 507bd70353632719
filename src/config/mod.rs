//! The typed configuration: one file a section, every key with its default and its limits.
//!
//! A key is named here once; the annotated reference in `config/reference.toml`, the JSON Schema and the faults that
//! `tidewheel check` prints all follow from these types.

mod check;
mod data;
mod effective;
mod encode;
mod env;
mod http;
mod json_schema;
mod kafka;
mod load;
mod log;
mod model;
mod monitor;
mod overlay;
mod pipeline;
#[cfg(test)]
mod reference;
mod schema;
mod secrets;

pub(crate) use check::nearest_word;
pub use check::{Fault, Origin};
pub use data::DataConfig;
pub use effective::{change_class, made_for};
pub use encode::{EncoderConfig, EncoderKind};
pub use http::HttpConfig;
pub use kafka::KafkaConfig;
pub use load::ConfigError;
pub use log::{LogConfig, LogFormat};
pub use model::{
    AdaptConfig, AutoConfig, BaggingConfig, BoostingConfig, DriftResponse, ForestConfig, FtrlConfig,
    KnnConfig, LeafVote, LearnerKind, LinearConfig, MlpConfig, MlpEngine, ModelConfig, NaiveBayesConfig,
    NominalSplit, Optimiser, RaceConfig, RaceKey, SamKnnConfig, SparseScaling, SparseStep, StepSize,
    TreeConfig, Vote, Weighting,
};
pub use monitor::{DriftConfig, MonitorConfig, QualityConfig, QualityMetric};
pub use overlay::Overlay;
pub use pipeline::{
    BatchConfig, Batching, CacheConfig, CheckpointConfig, CreditConfig, DedupeConfig, EventsConfig,
    JoinConfig, JournalConfig, JournalKind, LabelsConfig, OnGap, OnTimeout, OutputsConfig, PipelineConfig,
    PublishConfig, VersionConfig,
};
pub use schema::{ColumnKind, SchemaConfig, Task};
pub use secrets::Masked;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A whole configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub data: DataConfig,
    #[serde(default)]
    pub http: HttpConfig,
    #[serde(default)]
    pub kafka: KafkaConfig,
    #[serde(default)]
    pub log: LogConfig,
    /// The pipelines that the process runs, by name: letters, digits, `-` and `_`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 256))]
    pub pipeline: BTreeMap<String, PipelineConfig>,
}
