//! What becomes an alert, and the words for it.

use crate::config::QualityMetric;

use super::alert::{AlertChange, AlertKind};
use super::alerts::{Finding, Resolution};
use super::drift::DriftEvent;
use super::quality::QualityEvent;
use super::{Monitor, SERVED_ERROR};
use crate::detect::Change;

/// How long an alert about a single happening fires unless it happens again, in milliseconds.
const HAPPENING_LASTS_MS: u64 = 600_000;

/// The subject of alerts about revisions that were kept back.
const REVISION: &str = "revision";

/// The subject of alerts about the bound on pending events.
const PENDING: &str = "pending";

impl Monitor {
    pub(super) fn on_drift(
        &mut self,
        event: DriftEvent,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        match event {
            DriftEvent::Rise(change) => {
                let finding = Finding {
                    kind: AlertKind::Drift,
                    subject: SERVED_ERROR.into(),
                    observed: change.after,
                    threshold: change.before,
                    version,
                    message: self.drift_message(&change),
                    lasts_ms: None,
                };
                self.alerts.fire(finding, now_ms, out);
            }
            DriftEvent::Calm => {
                let observed = self.drift.error();
                let message = format!(
                    "the error of the served predictions has not risen again; it is {:.4} over the last {} labelled \
                     examples",
                    observed.unwrap_or(f64::NAN),
                    self.drift.width(),
                );
                let resolution = Resolution { observed, version, message };
                self.alerts.resolve(AlertKind::Drift, SERVED_ERROR, resolution, now_ms, out);
            }
        }
    }

    fn drift_message(&self, change: &Change) -> String {
        format!(
            "the error of the served predictions rose from {:.4} (over {} labelled examples) to {:.4} (over the last \
             {}): the data or its meaning has changed; see in GET /v1/models/{}/monitor whether the learner's sliding \
             score recovers, and look for a change at the source of the events if it does not",
            change.before, change.older, change.after, change.newer, self.pipeline,
        )
    }

    pub(super) fn on_quality(
        &mut self,
        event: QualityEvent,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let config = self.quality.config();
        let subject = metric_name(config.metric);
        let threshold = config.threshold;
        match event {
            QualityEvent::Crossed(observed) => {
                let side = match config.metric {
                    QualityMetric::Accuracy | QualityMetric::Auc => "below",
                    QualityMetric::Logloss | QualityMetric::Mae => "above",
                };
                let message = format!(
                    "the sliding {subject} of the served predictions is {observed:.4}, {side} the threshold of \
                     {threshold}; compare it with the baselines and the learner's score in GET \
                     /v1/models/{}/monitor: if those are worse too the task became harder, if not this model is \
                     behind",
                    self.pipeline,
                );
                let finding = Finding {
                    kind: AlertKind::Quality,
                    subject: subject.into(),
                    observed,
                    threshold,
                    version,
                    message,
                    lasts_ms: None,
                };
                self.alerts.fire(finding, now_ms, out);
            }
            QualityEvent::Recovered(observed) => {
                let message = format!(
                    "the sliding {subject} of the served predictions is back at {observed:.4}, with a threshold of \
                     {threshold}"
                );
                let resolution = Resolution { observed: Some(observed), version, message };
                self.alerts.resolve(AlertKind::Quality, subject, resolution, now_ms, out);
            }
        }
    }

    pub(super) fn switched_off(
        &mut self,
        kind: AlertKind,
        subject: &str,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let message = "no longer watched: the configuration has changed".into();
        let resolution = Resolution { observed: None, version, message };
        self.alerts.resolve(kind, subject, resolution, now_ms, out);
    }

    /// The gate kept a revision back because a weight is not finite; fires until [`Self::model_finite`].
    pub fn model_not_finite(
        &mut self,
        revision: u64,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let message = format!(
            "revision {revision} was kept back because a weight is not finite, and the revision before it is still \
             served; the learner has diverged: lower its rate, look for extreme feature values, and reset the model"
        );
        let finding = Finding {
            kind: AlertKind::ModelNotFinite,
            subject: REVISION.into(),
            observed: 1.0,
            threshold: 0.0,
            version,
            message,
            lasts_ms: None,
        };
        self.alerts.fire(finding, now_ms, out);
    }

    /// A revision passed the gate. Costs next to nothing while no alert is firing.
    pub fn model_finite(
        &mut self,
        revision: u64,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        if !self.alerts.is_firing(AlertKind::ModelNotFinite, REVISION) {
            return;
        }
        let message = format!("revision {revision} has finite weights and was let through");
        let resolution = Resolution { observed: Some(0.0), version, message };
        self.alerts.resolve(AlertKind::ModelNotFinite, REVISION, resolution, now_ms, out);
    }

    /// Pending is full, so that its oldest events expire early.
    pub fn pending_full(
        &mut self,
        (pending, rows_max): (u64, u64),
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let message = format!(
            "pending is full (pipeline.{0}.join.rows_max = {rows_max}, .bytes_max or .early_labels_max), so that the \
             oldest expire before their time; raise the bound that is reached, shorten pipeline.{0}.join.timeout_ms, \
             or find out why labels are late",
            self.pipeline,
        );
        let finding = Finding {
            kind: AlertKind::PendingFull,
            subject: PENDING.into(),
            observed: pending as f64,
            threshold: rows_max as f64,
            version,
            message,
            lasts_ms: Some(HAPPENING_LASTS_MS),
        };
        self.alerts.fire(finding, now_ms, out);
    }

    /// A row made a stage panic twice and was skipped.
    pub fn row_skipped(
        &mut self,
        (topic, partition, offset): (&str, i32, i64),
        reason: &str,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let message = format!(
            "the record at offset {offset} of {topic}/{partition} was skipped, and is a dead letter now: {reason}; \
             look at the record there and report the fault"
        );
        let finding = Finding {
            kind: AlertKind::RowSkipped,
            subject: format!("{topic}/{partition}"),
            observed: offset as f64,
            threshold: 0.0,
            version,
            message,
            lasts_ms: Some(HAPPENING_LASTS_MS),
        };
        self.alerts.fire(finding, now_ms, out);
    }
}

pub(super) fn metric_name(metric: QualityMetric) -> &'static str {
    match metric {
        QualityMetric::Accuracy => "accuracy",
        QualityMetric::Logloss => "logloss",
        QualityMetric::Auc => "auc",
        QualityMetric::Mae => "mae",
    }
}
