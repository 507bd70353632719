use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ModelConfig, MonitorConfig, SchemaConfig};

/// `[pipeline.NAME]`: one configured task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineConfig {
    /// Where events come from, and where in a record things are.
    pub events: EventsConfig,
    /// The labels topic; without it the label is a field of the event (`events.label`).
    #[serde(default)]
    pub labels: Option<LabelsConfig>,
    /// The topics that the pipeline writes.
    pub outputs: OutputsConfig,
    /// What an event looks like and what is predicted.
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub schema: SchemaConfig,
    /// Which learner, and how it steps.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub model: ModelConfig,
    #[serde(default)]
    pub join: JoinConfig,
    #[serde(default)]
    pub dedupe: DedupeConfig,
    #[serde(default)]
    pub publish: PublishConfig,
    #[serde(default)]
    pub version: VersionConfig,
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// Where a batch ends: with what has arrived, or after exactly `batch.max_rows` rows.
    #[serde(default)]
    pub batching: Batching,
    #[serde(default)]
    pub batch: BatchConfig,
    #[serde(default)]
    pub journal: JournalConfig,
    #[serde(default)]
    pub credit: CreditConfig,
    #[serde(default)]
    pub cache: CacheConfig,
    #[serde(default)]
    pub monitor: MonitorConfig,
}

/// `[pipeline.NAME.events]`: where events come from, and where in a record things are. A place in a record is a top-level
/// field (`"id"`), a JSON pointer (`"/after/id"`) or a header (`"header:ce_id"`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsConfig {
    /// The topic that is read.
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub topic: String,
    /// Partitions when the topic is created.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: i32,
    /// Place of the id; none: the id is topic-partition-offset.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub id: Option<String>,
    /// Place of the entity key; none: the record's key.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub key: Option<String>,
    /// Place of the event time (RFC 3339 text or milliseconds); none: the record's timestamp.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub time: Option<String>,
    /// Place of a JSON object that holds the features; none: the top level.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub features: Option<String>,
    /// Place of the label, when events carry it.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub label: Option<String>,
    /// Place of the weight, when events carry it.
    #[serde(default)]
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub weight: Option<String>,
    /// An event time further ahead of the record's timestamp than this is clamped, in milliseconds.
    #[serde(default = "day_ms")]
    #[schemars(range(min = 0, max = 31_536_000_000_u64))]
    pub ahead_max_ms: u64,
}

fn one() -> i32 {
    1
}

fn day_ms() -> u64 {
    86_400_000
}

/// `[pipeline.NAME.labels]`: records of `{"id", "label", "weight"?}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelsConfig {
    /// The topic that is read.
    #[schemars(extend("x-tidewheel-change" = "reset"))]
    pub topic: String,
    /// Partitions when the topic is created.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: i32,
}

/// `[pipeline.NAME.outputs]`: the topics that the pipeline writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputsConfig {
    /// One record for each event.
    pub predictions: String,
    /// Alerts, compacted by their fingerprint.
    pub alerts: String,
    /// Records that could not be used, with the reason.
    pub dead_letters: String,
    /// One record for each learned example, for audits; none: not written.
    #[serde(default)]
    pub examples: Option<String>,
}

/// `[pipeline.NAME.join]`: events wait here for their labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JoinConfig {
    /// How long an event waits for its label, and a label for its event, by entry time, in milliseconds.
    #[schemars(range(min = 1, max = 31_536_000_000_u64))]
    pub timeout_ms: u64,
    /// What an event without a label becomes at its time-out.
    pub on_timeout: OnTimeout,
    /// Most pending events; beyond it the oldest expire early, which alerts.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub rows_max: usize,
    /// Most pending events in memory; the rest are in redb.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub memory_rows_max: usize,
    /// Most bytes of pending events, in memory and in redb, as redb gets them; beyond it the oldest expire early, which
    /// alerts. The file is larger: it also has the pages of the checkpoints that are kept.
    #[schemars(range(min = 1_048_576, max = 1_099_511_627_776_u64))]
    pub bytes_max: u64,
    /// Most labels that wait for their event; beyond it the oldest expire early.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub early_labels_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// It is not learned.
    Drop,
    /// It is learned as the first declared class (binary), or zero (regression).
    Negative,
}

impl Default for JoinConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 86_400_000,
            on_timeout: OnTimeout::Drop,
            rows_max: 10_000_000,
            memory_rows_max: 200_000,
            bytes_max: 8 << 30,
            early_labels_max: 100_000,
        }
    }
}

/// `[pipeline.NAME.dedupe]`: how long an id is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DedupeConfig {
    /// Finished ids that are remembered, first in, first out.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub ids_max: usize,
}

impl Default for DedupeConfig {
    fn default() -> Self {
        Self { ids_max: 100_000 }
    }
}

/// `[pipeline.NAME.publish]`: when what was learned becomes a revision. Both 0: with every entry that learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PublishConfig {
    /// After so many learned examples; 0: never by their number.
    #[serde(deserialize_with = "zero_is_never")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub every_examples: Option<u64>,
    /// After so long, by entry time, in milliseconds, when something was learned; 0: never by time.
    #[serde(deserialize_with = "zero_is_never")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub every_ms: Option<u64>,
}

/// Reads 0 as "never": TOML has no way to unset a key whose default is a number.
fn zero_is_never<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.filter(|every| *every > 0))
}

/// `[pipeline.NAME.version]`: when a revision is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VersionConfig {
    /// After so many learned examples; 0: never by their number.
    #[serde(deserialize_with = "zero_is_never")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub every_examples: Option<u64>,
    /// After so long, by entry time, in milliseconds; 0: never by time.
    #[serde(deserialize_with = "zero_is_never")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub every_ms: Option<u64>,
    /// Stored versions that are kept; older ones are removed.
    #[schemars(range(min = 1, max = 100_000))]
    pub keep: usize,
}

impl Default for VersionConfig {
    fn default() -> Self {
        Self { every_examples: None, every_ms: Some(60_000), keep: 100 }
    }
}

/// `[pipeline.NAME.checkpoint]`: how much journal a recovery has to apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// After so many learned examples; 0: never by their number.
    #[serde(deserialize_with = "zero_is_never")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub every_examples: Option<u64>,
    /// After so long, by entry time, in milliseconds; 0: never by time.
    #[serde(deserialize_with = "zero_is_never")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub every_ms: Option<u64>,
    /// Checkpoints that are kept.
    #[schemars(range(min = 1, max = 100))]
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every_examples: None, every_ms: Some(10_000), keep: 3 }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Batching {
    /// Whatever has arrived, up to the bounds of `batch`.
    #[default]
    Arrival,
    /// Exactly `batch.max_rows` rows (fewer only when the pipeline stops).
    Fixed,
}

/// `[pipeline.NAME.batch]`: how large a batch gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Most rows in a batch.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_rows: usize,
    /// How long the first row of a batch may wait for others, in milliseconds; 0: what has arrived goes at once.
    #[schemars(range(min = 0, max = 60_000))]
    pub max_wait_ms: u64,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_rows: 1_000, max_wait_ms: 5 }
    }
}

/// `[pipeline.NAME.journal]`: where the one order is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// Where the journal lives.
    pub kind: JournalKind,
    /// Topic of the journal where that is in Kafka; empty: the pipeline's name and `.journal`.
    pub topic: String,
    /// A transaction begins so long after the one before at the earliest, in milliseconds; 0: soon after that has committed.
    #[schemars(range(min = 0, max = 10_000))]
    pub commit_ms: u64,
    /// A transaction that is open for longer is aborted by Kafka, and whoever wrote it has to recover, in milliseconds.
    #[schemars(range(min = 1_000, max = 900_000))]
    pub transaction_timeout_ms: u64,
    /// A segment file is closed when it is larger than this, in bytes.
    #[schemars(range(min = 4_096, max = 4_294_967_296_u64))]
    pub segment_bytes_max: u64,
    /// While something waits for a deadline and no batch comes, a tick is written so often, in milliseconds.
    #[schemars(range(min = 1, max = 60_000))]
    pub tick_ms: u64,
    /// How often the mark of acknowledged outputs is written at most, in milliseconds.
    #[schemars(range(min = 1, max = 60_000))]
    pub mark_ms: u64,
    /// What to do when Kafka no longer has records that the journal names.
    pub on_gap: OnGap,
    /// Most rows of one entry that are left out because predicting, joining or learning them panics; where there are
    /// more it is not the rows' fault, and the pipeline stops.
    #[schemars(range(min = 1, max = 100_000))]
    pub skips_max: usize,
    /// A journal that is larger than this is warned of, in bytes.
    #[schemars(range(min = 4_096, max = 1_125_899_906_842_624_u64))]
    pub bytes_max: u64,
    /// Whether entries before the oldest checkpoint that is kept are removed; then nothing older can be rebuilt.
    pub trim: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// Checksummed segment files in the data folder; outputs leave after the `fdatasync`, at least once.
    File,
    /// A Kafka topic of one partition; entries and outputs in transactions, exactly once.
    Kafka,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnGap {
    /// Stop with exit code 4 and name topic, partition and offsets.
    Stop,
    /// Go on without them, and say so.
    Skip,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            kind: JournalKind::File,
            topic: String::new(),
            commit_ms: 0,
            transaction_timeout_ms: 60_000,
            segment_bytes_max: 64 << 20,
            tick_ms: 100,
            mark_ms: 50,
            on_gap: OnGap::Stop,
            skips_max: 100,
            bytes_max: 16 << 30,
            trim: false,
        }
    }
}

/// `[pipeline.NAME.credit]`: backpressure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CreditConfig {
    /// Bytes of records that may be on their way from polling to acknowledged outputs; out of them, polling stops.
    #[schemars(range(min = 65_536, max = 17_179_869_184_u64))]
    pub bytes_max: usize,
}

impl Default for CreditConfig {
    fn default() -> Self {
        Self { bytes_max: 32 << 20 }
    }
}

/// `[pipeline.NAME.cache]`: answers by entity key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Most keys; the least recently written leaves.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub entries_max: usize,
    /// An answer older than this is not given any more, in milliseconds.
    #[schemars(range(min = 1, max = 31_536_000_000_u64))]
    pub ttl_ms: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { entries_max: 100_000, ttl_ms: 600_000 }
    }
}
