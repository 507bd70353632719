use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::{SchemaConfig, Task};
use crate::monitor::Numbers;

use super::judge::Judge;
use super::protocol::Protocol;
use super::recovery::{Recovery, recoveries};
use super::series::Point;

/// Points of a learning curve.
const POINTS: usize = 200;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Rows that were predicted and learned.
    pub rows: u64,
    pub task: Task,
    pub learner: String,
    pub label_delay: usize,
    pub batch: usize,
    /// `accuracy`, `kappa`, `kappa_temporal`, `auc`, `logloss`; of a regression `mae`, `rmse`, `r2`.
    pub metrics: Map<String, Value>,
    /// `majority` and `no_change` with their accuracy; of a regression `mean` and `no_change` with `mae` and `rmse`.
    pub baselines: Map<String, Value>,
    /// After how many rows the error was found to have risen.
    pub drifts: Vec<u64>,
    pub recovery: Vec<Recovery>,
    pub curve: Vec<Point>,
    #[serde(flatten)]
    pub measured: Measured,
    /// SHA-256 over all predictions and the learner's last state.
    pub digest: String,
    pub target: String,
    pub schema: SchemaConfig,
    pub bad_rows: u64,
    /// What is odd about the columns of the file.
    pub notes: Vec<String>,
}

/// What the operating system says; the rest of a report is a function of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Measured {
    /// CPU time of the pass over the rows: reading, decoding, predicting, learning and judging.
    pub cpu_seconds: f64,
    pub rows_per_cpu_second: f64,
    pub peak_rss_bytes: u64,
}

impl Report {
    /// `state` is the digest of the learner's last state.
    pub fn new(
        judge: &Judge,
        learner: &str,
        protocol: Protocol,
        (target, schema): (&str, &SchemaConfig),
        state: &str,
    ) -> Self {
        let (metrics, baselines) = scores(&judge.numbers());
        Self {
            rows: judge.rows(),
            task: judge.task(),
            learner: learner.into(),
            label_delay: protocol.label_delay,
            batch: protocol.batch,
            metrics,
            baselines,
            drifts: judge.drifts().to_vec(),
            recovery: recoveries(judge.drifts(), judge.series()),
            curve: judge.series().curve(POINTS),
            measured: Measured::default(),
            digest: judge.digest(state),
            target: target.into(),
            schema: schema.clone(),
            bad_rows: 0,
            notes: Vec::new(),
        }
    }

    /// A number among `metrics`.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name)?.as_f64()
    }
}

fn scores(numbers: &Numbers) -> (Map<String, Value>, Map<String, Value>) {
    let (metrics, baselines) = match numbers {
        Numbers::Classification(n) => (
            json!({
                "accuracy": n.accuracy,
                "kappa": n.kappa,
                "kappa_temporal": n.kappa_temporal,
                "auc": n.auc,
                "logloss": n.logloss,
            }),
            json!({
                "majority": { "accuracy": n.majority_accuracy },
                "no_change": { "accuracy": n.no_change_accuracy },
            }),
        ),
        Numbers::Regression(n) => (
            json!({ "mae": n.mae, "rmse": n.rmse, "r2": n.r2 }),
            json!({
                "mean": { "mae": n.mean_mae, "rmse": n.mean_rmse },
                "no_change": { "mae": n.no_change_mae, "rmse": n.no_change_rmse },
            }),
        ),
    };
    let map = |value: Value| match value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    (map(metrics), map(baselines))
}
