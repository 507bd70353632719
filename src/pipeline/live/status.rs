use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use metrics::{Counter, Gauge, Histogram};
use serde::Serialize;
use serde_json::Value;

use super::reached::Reached;
use crate::config::QualityMetric;
use crate::monitor::{AlertState, DelayHistogram, MonitorReport};
use crate::pipeline::accounts::Accounts;
use crate::pipeline::effects::EntryCounts;
use crate::pipeline::machine::Machine;
use crate::serve::{Health, Insight};

/// What a running pipeline tells about itself.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub monitor: MonitorReport,
    pub accounts: Accounts,
    pub entry: u64,
    pub epoch: u64,
    pub revision: u64,
    pub revisions: u64,
    /// Revisions that the gate kept back.
    pub kept_back: u64,
    pub version: u64,
    pub predicted: u64,
    pub learned: u64,
    /// Next offset of each source partition, as `topic/partition`.
    pub positions: std::collections::BTreeMap<String, i64>,
    pub freshness: Freshness,
}

/// From a label's arrival (its record's timestamp) to the swap of the first revision that has learned it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Freshness {
    pub p50_ms: Option<u64>,
    pub p99_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Recovering,
    Live,
    Stopping,
    /// Ended by an error.
    Failed(String),
}

/// Shared between the stages, HTTP and whoever watches.
pub struct Status {
    phase: Mutex<Phase>,
    report: ArcSwapOption<Report>,
    /// When the state next wants an entry, by entry time.
    pub deadline_ms: AtomicU64,
    /// Records of all sources that the state has taken in.
    records_read: AtomicU64,
    /// Entries applied, and entries whose outputs are acknowledged.
    applied: AtomicU64,
    acknowledged: AtomicU64,
    effected: AtomicU64,
    freshness: Mutex<DelayHistogram>,
    /// How far the sources are done.
    pub(super) progress: Reached,
    meters: Meters,
}

struct Meters {
    predicted: Counter,
    learned: Counter,
    alerts: Counter,
    firing: Gauge,
    kept_back: Counter,
    entry: Gauge,
    effected: Gauge,
    acknowledged: Gauge,
    revision: Gauge,
    version: Gauge,
    pending: Gauge,
    pending_bytes: Gauge,
    pending_limit_bytes: Gauge,
    freshness: Histogram,
    pipeline: String,
}

/// The wall clock, for measuring only: nothing of it enters the state.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Status {
    pub fn new(pipeline: &str) -> Self {
        let labels = [("pipeline", pipeline.to_owned())];
        let gauge = |name: &'static str| metrics::gauge!(name, &labels);
        let meters = Meters {
            predicted: metrics::counter!("tidewheel_predictions_total", &labels),
            learned: metrics::counter!("tidewheel_examples_learned_total", &labels),
            alerts: metrics::counter!("tidewheel_alert_changes_total", &labels),
            firing: gauge("tidewheel_alerts_firing"),
            kept_back: metrics::counter!("tidewheel_revisions_kept_back_total", &labels),
            entry: gauge("tidewheel_journal_entry"),
            effected: gauge("tidewheel_journal_effected_entry"),
            acknowledged: gauge("tidewheel_journal_acknowledged_entry"),
            revision: gauge("tidewheel_revision"),
            version: gauge("tidewheel_version"),
            pending: gauge("tidewheel_pending_events"),
            pending_bytes: gauge("tidewheel_pending_bytes"),
            pending_limit_bytes: gauge("tidewheel_pending_limit_bytes"),
            freshness: metrics::histogram!("tidewheel_freshness_seconds", &labels),
            pipeline: pipeline.to_owned(),
        };
        Self {
            phase: Mutex::new(Phase::Recovering),
            report: ArcSwapOption::empty(),
            deadline_ms: AtomicU64::new(u64::MAX),
            records_read: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            effected: AtomicU64::new(0),
            freshness: Mutex::new(DelayHistogram::default()),
            progress: Reached::default(),
            meters,
        }
    }

    /// Records of all sources that the state has taken in.
    pub fn records_read(&self) -> u64 {
        self.records_read.load(Ordering::Relaxed)
    }

    /// Whether the outputs of all that was applied are acknowledged.
    pub fn settled(&self) -> bool {
        self.acknowledged.load(Ordering::Relaxed) >= self.applied.load(Ordering::Relaxed)
    }

    pub fn phase(&self) -> Phase {
        lock(&self.phase).clone()
    }

    pub(super) fn enter(&self, phase: Phase) {
        *lock(&self.phase) = phase;
    }

    /// The last report; at most some hundred milliseconds old.
    pub fn last_report(&self) -> Option<std::sync::Arc<Report>> {
        self.report.load_full()
    }

    /// Makes the report anew.
    pub(super) fn report(&self, machine: &Machine) {
        let cursor = machine.cursor();
        let freshness = lock(&self.freshness);
        let freshness = Freshness { p50_ms: freshness.quantile(0.5), p99_ms: freshness.quantile(0.99) };
        let report = Report {
            monitor: machine.monitor().report(),
            accounts: machine.accounts(),
            entry: cursor.entry,
            epoch: cursor.epoch,
            revision: machine.revision().number,
            revisions: cursor.published,
            kept_back: cursor.kept_back,
            version: cursor.version,
            predicted: cursor.predicted,
            learned: cursor.learned,
            positions: cursor.positions.iter().map(|((t, p), next)| (format!("{t}/{p}"), *next)).collect(),
            freshness,
        };
        for (source, account, count) in report.accounts.iter() {
            let labels = [
                ("pipeline", self.meters.pipeline.clone()),
                ("source", source.into()),
                ("account", account.into()),
            ];
            metrics::gauge!("tidewheel_records", &labels).set(count as f64);
        }
        let score = |name: &'static str, scored: &'static str, value: Option<f64>| {
            let labels = [("pipeline", self.meters.pipeline.clone()), ("scored", scored.into())];
            metrics::gauge!(name, &labels).set(value.unwrap_or(f64::NAN));
        };
        for (scored, scores) in [("served", &report.monitor.served), ("learner", &report.monitor.learner)] {
            score("tidewheel_accuracy_ratio", scored, scores.sliding.metric(QualityMetric::Accuracy));
            score("tidewheel_logloss", scored, scores.sliding.metric(QualityMetric::Logloss));
        }
        let firing = report.monitor.alerts.iter().filter(|alert| alert.state == AlertState::Firing).count();
        self.meters.firing.set(firing as f64);
        self.meters.kept_back.absolute(cursor.kept_back);
        self.report.store(Some(report.into()));
    }

    /// An entry was applied.
    pub(super) fn applied(&self, machine: &Machine) {
        self.deadline_ms.store(machine.next_deadline_ms().unwrap_or(u64::MAX), Ordering::Relaxed);
        let accounts = machine.accounts();
        self.records_read.store(accounts.events.read + accounts.labels.read, Ordering::Relaxed);
        self.applied.store(machine.cursor().entry, Ordering::Relaxed);
        self.meters.entry.set(machine.cursor().entry as f64);
        self.meters.pending.set(machine.join().pending() as f64);
        self.meters.pending_bytes.set(machine.join().pending_bytes() as f64);
        self.meters.pending_limit_bytes.set(machine.setup().config.join.bytes_max as f64);
        self.meters.revision.set(machine.revision().number as f64);
        self.meters.version.set(machine.cursor().version as f64);
    }

    /// Records of a partition that are not done yet.
    pub(super) fn lag(&self, topic: &str, partition: i32, records: u64) {
        let labels = [
            ("pipeline", self.meters.pipeline.clone()),
            ("topic", topic.to_owned()),
            ("partition", partition.to_string()),
        ];
        metrics::gauge!("tidewheel_lag_records", &labels).set(records as f64);
    }

    pub(super) fn effected(&self, n: u64) {
        self.effected.store(n, Ordering::Release);
        self.meters.effected.set(n as f64);
    }

    /// The last entry whose effects inside the process were taken.
    pub(super) fn last_effected(&self) -> u64 {
        self.effected.load(Ordering::Acquire)
    }

    pub(super) fn acknowledged(&self, n: u64) {
        self.acknowledged.store(n, Ordering::Relaxed);
        self.meters.acknowledged.set(n as f64);
    }

    pub(super) fn count(&self, counts: &EntryCounts, alerts: u64) {
        self.meters.predicted.increment(counts.predicted);
        self.meters.learned.increment(counts.learned);
        self.meters.alerts.increment(alerts);
        let pipeline = || ("pipeline", self.meters.pipeline.clone());
        for ((source, reason), count) in &counts.dead_letters {
            let labels = [pipeline(), ("source", (*source).to_owned()), ("reason", (*reason).to_owned())];
            metrics::counter!("tidewheel_dead_letters_total", &labels).increment(*count);
        }
        for (notice, count) in counts.notices.counters().into_iter().filter(|(_, count)| *count > 0) {
            let labels = [pipeline(), ("notice", notice.to_owned())];
            metrics::counter!("tidewheel_notices_total", &labels).increment(count);
        }
    }

    /// A revision reached readers that has learned labels which arrived at these times.
    pub(super) fn fresh(&self, arrivals: &[(i64, u64)], now_ms: i64) {
        if arrivals.is_empty() {
            return;
        }
        let mut freshness = lock(&self.freshness);
        for (arrived_ms, labels) in arrivals {
            let waited_ms = u64::try_from(now_ms - arrived_ms).unwrap_or(0);
            freshness.update_many(waited_ms, *labels);
            self.meters.freshness.record_many(waited_ms as f64 / 1e3, *labels as usize);
        }
    }
}

impl Insight for Status {
    fn monitor(&self) -> Value {
        self.report
            .load()
            .as_ref()
            .map_or(Value::Null, |report| serde_json::to_value(&**report).unwrap_or(Value::Null))
    }

    fn alerts(&self) -> Vec<Value> {
        let report = self.report.load();
        let alerts = report.as_ref().map_or(&[][..], |report| &report.monitor.alerts);
        alerts.iter().filter_map(|alert| serde_json::to_value(alert).ok()).collect()
    }
}

impl Health for Status {
    fn not_ready(&self) -> Option<String> {
        match self.phase() {
            Phase::Live => None,
            Phase::Recovering => Some("recovering: applying the journal".into()),
            Phase::Stopping => Some("stopping".into()),
            Phase::Failed(reason) => Some(reason),
        }
    }
}
