//! Evaluation, drift and alerts: plain structs that are fed with learned examples and entry times.
//!
//! A [`Monitor`] is part of a pipeline's state: saved and loaded it goes on exactly as it would have, and what it
//! concludes is a function of what it was given. It knows no clock and no socket.

mod alert;
mod alerts;
mod auc;
mod baselines;
mod classify;
mod delay;
mod drift;
mod operations;
mod quality;
mod regress;
mod report;
mod saved;
mod scores;
mod window;

pub use alert::{Alert, AlertChange, AlertKind, AlertState, Severity};
pub use alerts::{ALERTS_MAX, AlertBook, Finding, Resolution};
pub use auc::RestAuc;
pub use baselines::{Baseline, Baselines};
pub use classify::{ClassNumbers, PROBABILITY_MIN};
pub use delay::DelayHistogram;
pub use drift::{Drift, DriftEvent};
pub use quality::{Quality, QualityEvent};
pub use regress::RegressNumbers;
pub use report::{DriftReport, MonitorReport, NoChangeReport, QualityReport};
pub use scores::{Numbers, ScoreReport, Scores};

use crate::config::{MonitorConfig, Task};
use crate::state::{StateError, TensorMap};

use operations::metric_name;

/// The subject of drift alerts.
const SERVED_ERROR: &str = "served_error";

/// Examples that one entry learned, in learning order; `n` of them.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// `[n]`: indices of classes, below the number of outputs, or finite values.
    pub truths: &'a [f32],
    /// `[n, outputs]`: the predictions that were published.
    pub served: &'a [f32],
    /// `[n, outputs]`: the learner's own, from just before it learned each example.
    pub learner: &'a [f32],
    /// `[n]`: what was stored with each event when it was predicted.
    pub baselines: &'a [Baseline],
    /// `[n]`: label delays, in events.
    pub delays: &'a [u64],
}

/// What a pipeline is watched with.
#[derive(Debug, Clone)]
pub struct Monitor {
    pipeline: String,
    task: Task,
    outputs: usize,
    served: Scores,
    learner: Scores,
    /// The labels in learning order: the learner's baseline.
    labels: Baselines,
    /// How often the label before the last one was right, in learning order: no-change at delay 1.
    delay_1_hits: u64,
    delays: DelayHistogram,
    drift: Drift,
    quality: Quality,
    alerts: AlertBook,
}

impl Monitor {
    /// `outputs`: numbers a prediction has, one a class or 1.
    pub fn new(pipeline_name: &str, config: &MonitorConfig, task: Task, outputs: usize) -> Self {
        Self {
            pipeline: pipeline_name.into(),
            task,
            outputs,
            served: Scores::new(task, outputs, config.window),
            learner: Scores::new(task, outputs, config.window),
            labels: Baselines::new(task, outputs),
            delay_1_hits: 0,
            delays: DelayHistogram::default(),
            drift: Drift::new(&config.drift),
            quality: Quality::new(&config.quality),
            alerts: AlertBook::new(pipeline_name, config.alert_age_ms),
        }
    }

    /// What the labels learned so far say: to be stored with each event when it is predicted.
    pub fn baseline(&self) -> Baseline {
        self.labels.baseline()
    }

    /// Takes in what an entry learned; `version` is the one in force. Transitions of alerts are appended to `out`.
    ///
    /// Served predictions are scored beside the baselines stored with their events, the learner's beside those of the
    /// learning order, where nothing is delayed: each with the baselines that knew as much as it did.
    pub fn observe(
        &mut self,
        examples: &Observed<'_>,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let Observed { truths, served, learner, baselines, delays } = *examples;
        let rows = truths.len();
        assert_eq!((baselines.len(), delays.len()), (rows, rows), "a baseline and a delay a row");
        let width = rows * self.outputs;
        assert_eq!((served.len(), learner.len()), (width, width), "{} outputs a row", self.outputs);
        let served = served.chunks_exact(self.outputs);
        for ((truth, prediction), baseline) in truths.iter().zip(served).zip(baselines) {
            let error = self.served.update(*truth, prediction, *baseline);
            if let Some(event) = self.drift.update(error) {
                self.on_drift(event, now_ms, version, out);
            }
        }
        for (truth, prediction) in truths.iter().zip(learner.chunks_exact(self.outputs)) {
            self.learner.update(*truth, prediction, self.labels.baseline());
            self.delay_1_hits += u64::from(self.labels.before_last() == *truth);
            self.labels.update(*truth);
        }
        delays.iter().for_each(|delay| self.delays.update(*delay));
        if self.quality.judges(self.served.examples()) {
            let score = self.served.sliding().metric(self.quality.config().metric);
            if let Some(event) = self.quality.update(score) {
                self.on_quality(event, now_ms, version, out);
            }
        }
    }

    /// Does what is due by now; transitions of alerts are appended to `out`.
    pub fn tick(&mut self, now_ms: u64, out: &mut Vec<AlertChange>) {
        self.alerts.tick(now_ms, out);
    }

    /// Goes on under another configuration (a new epoch's). Scores and ADWIN's window are kept; the alert of what was
    /// switched off, or set on another score, is resolved.
    pub fn reconfigure(
        &mut self,
        config: &MonitorConfig,
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let mut next = Self::new(&self.pipeline, config, self.task, self.outputs);
        next.load(&self.save()).expect("the state was saved by the same task and outputs");
        if !config.drift.enabled {
            next.drift.stand_down();
            next.switched_off(AlertKind::Drift, SERVED_ERROR, now_ms, version, out);
        }
        let old = self.quality.config();
        if !config.quality.enabled || config.quality.metric != old.metric {
            next.quality.stand_down();
            next.switched_off(AlertKind::Quality, metric_name(old.metric), now_ms, version, out);
        }
        *self = next;
    }

    /// Begins anew for an untrained model, maybe of another task: nothing is kept but the alerts, of which those that
    /// fire are resolved, if they are about the model or what waits for it. A skipped row is neither.
    pub fn begin_anew(
        &mut self,
        config: &MonitorConfig,
        (task, outputs): (Task, usize),
        now_ms: u64,
        version: Option<u64>,
        out: &mut Vec<AlertChange>,
    ) {
        let mut fresh = Self::new(&self.pipeline, config, task, outputs);
        std::mem::swap(&mut fresh.alerts, &mut self.alerts);
        fresh.alerts.set_age(config.alert_age_ms);
        let concerned = |kind| kind != AlertKind::RowSkipped;
        fresh.alerts.resolve_all(concerned, "the model begins anew, untrained", version, now_ms, out);
        *self = fresh;
    }

    /// When [`Self::tick`] next has something to do.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.alerts.next_deadline_ms()
    }

    /// The alerts, firing and resolved, by fingerprint.
    pub fn alerts(&self) -> &AlertBook {
        &self.alerts
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("served", self.served.save());
        map.nest("learner", self.learner.save());
        map.nest("labels", self.labels.save());
        map.put_u64_one("delay_1_hits", self.delay_1_hits);
        map.nest("delays", self.delays.save());
        map.nest("drift", self.drift.save());
        map.nest("quality", self.quality.save());
        map.nest("alerts", self.alerts.save());
        map
    }

    /// Takes over a saved state of the same task and outputs; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let mut loaded = self.clone();
        loaded.served.load(&state.under("served"))?;
        loaded.learner.load(&state.under("learner"))?;
        loaded.labels.load(&state.under("labels"))?;
        loaded.delay_1_hits = state.u64_one("delay_1_hits")?;
        loaded.delays.load(&state.under("delays"))?;
        loaded.drift.load(&state.under("drift"))?;
        loaded.quality.load(&state.under("quality"))?;
        loaded.alerts.load(&state.under("alerts"))?;
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
