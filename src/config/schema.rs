use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[pipeline.NAME.schema]`: what an event looks like and what is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaConfig {
    /// What is predicted.
    pub task: Task,
    /// The features, by field name; columns are in the order of their names, so the order here cannot matter.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 10_000))]
    pub features: BTreeMap<String, ColumnKind>,
    /// The declared classes, in order; empty: classes are discovered as labels arrive, up to `classes_max`.
    #[serde(default)]
    #[schemars(length(max = 10_000))]
    pub classes: Vec<String>,
    /// Bound on discovered classes; labels of further classes become dead letters.
    #[serde(default = "default_classes_max")]
    #[schemars(range(min = 2, max = 10_000))]
    pub classes_max: usize,
}

fn default_classes_max() -> usize {
    32
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Two classes.
    Binary,
    /// Two or more classes.
    Multiclass,
    /// A real number.
    Regression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// A finite number; `null`, absent or the string `"NaN"` mean missing.
    Numeric,
    /// A string, number or boolean, compared as text; `null` or absent mean missing.
    Categorical,
    /// A moment: RFC 3339 text, a date with or without a time of day (UTC), or a number since 1970, milliseconds from
    /// 1e11 on and seconds below. It becomes numbers: the days since 1970 and the cycles of hour, weekday and season.
    Time,
    /// Words: they become numbers, a hashed bag of words in 64 columns.
    Text,
}

impl SchemaConfig {
    /// Outputs of a model for this schema: one probability a class, or one value for a regression.
    pub fn outputs(&self) -> usize {
        match self.task {
            Task::Regression => 1,
            _ if self.classes.is_empty() => self.classes_max,
            _ => self.classes.len(),
        }
    }
}
