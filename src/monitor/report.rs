use serde::Serialize;

use crate::config::{QualityMetric, Task};

use super::Monitor;
use super::alert::{Alert, AlertKind, AlertState};
use super::scores::ScoreReport;

/// What a monitor knows, for HTTP and for the demo's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonitorReport {
    pub pipeline: String,
    pub task: Task,
    /// Labelled examples that were scored.
    pub examples: u64,
    /// Median of how many events were predicted after an event, up to and including the entry that learned it.
    pub label_delay_median: Option<u64>,
    /// Of the predictions that were published, beside baselines under the same delay.
    pub served: ScoreReport,
    /// Of the learner's own predictions just before it learned each example, beside baselines without delay.
    pub learner: ScoreReport,
    /// For orientation; none for a regression.
    pub no_change: Option<NoChangeReport>,
    pub drift: DriftReport,
    pub quality: QualityReport,
    /// Firing and resolved ones, by fingerprint.
    pub alerts: Vec<Alert>,
}

/// Accuracy of saying what an earlier label was, in learning order, whatever the true delays; none before the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoChangeReport {
    /// The label before.
    pub delay_0: Option<f64>,
    /// The label before that one.
    pub delay_1: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftReport {
    pub firing: bool,
    /// Changes of the served error for the worse, so far.
    pub rises: u64,
    /// And for the better.
    pub falls: u64,
    /// After how many labelled examples the alert began to fire: the last times.
    pub fired_at: Vec<u64>,
    /// Mean served error since the last change.
    pub error: Option<f64>,
    /// Examples since the last change.
    pub window: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityReport {
    pub enabled: bool,
    pub firing: bool,
    pub metric: QualityMetric,
    pub threshold: f64,
    /// The sliding score now.
    pub observed: Option<f64>,
}

impl Monitor {
    /// Reads everything: some microseconds, paid only by who asks.
    pub fn report(&self) -> MonitorReport {
        let served = self.served.report();
        let learner = self.learner.report();
        let (rises, falls) = self.drift.counts();
        let quality = self.quality.config();
        let firing =
            |kind| self.alerts.iter().any(|alert| alert.kind == kind && alert.state == AlertState::Firing);
        MonitorReport {
            pipeline: self.pipeline.clone(),
            task: self.task,
            examples: self.served.examples(),
            label_delay_median: self.delays.median(),
            no_change: learner.cumulative.classification().map(|learner| NoChangeReport {
                delay_0: learner.no_change_accuracy,
                delay_1: (learner.examples > 0).then(|| self.delay_1_hits as f64 / learner.examples as f64),
            }),
            drift: DriftReport {
                firing: firing(AlertKind::Drift),
                rises,
                falls,
                fired_at: self.drift.fired_at().to_vec(),
                error: self.drift.error(),
                window: self.drift.width(),
            },
            quality: QualityReport {
                enabled: quality.enabled,
                firing: firing(AlertKind::Quality),
                metric: quality.metric,
                threshold: quality.threshold,
                observed: served.sliding.metric(quality.metric),
            },
            served,
            learner,
            alerts: self.alerts.iter().cloned().collect(),
        }
    }
}
