//! The monitor as a whole.

use proptest::prelude::*;

use super::*;
use crate::config::{DriftConfig, QualityConfig, QualityMetric};
use crate::testing::SplitMix;

/// Rows of one entry, owned.
#[derive(Debug, Clone, Default)]
struct Batch {
    truths: Vec<f32>,
    served: Vec<f32>,
    learner: Vec<f32>,
    baselines: Vec<Baseline>,
    delays: Vec<u64>,
}

impl Batch {
    /// `rows` examples of two classes whose served prediction is wrong with probability `error`; the learner is right.
    fn binary(random: &mut SplitMix, rows: usize, error: f64, baseline: Baseline) -> Self {
        let mut batch = Self::default();
        for _ in 0..rows {
            let truth = random.unit() < 0.5;
            let says = truth ^ (random.unit() < error);
            let pair = |class: bool, sure: f32| if class { [1.0 - sure, sure] } else { [sure, 1.0 - sure] };
            batch.truths.push(f32::from(truth));
            batch.served.extend(pair(says, 0.75));
            batch.learner.extend(pair(truth, 0.875));
            batch.baselines.push(baseline);
            batch.delays.push(20);
        }
        batch
    }

    fn observed(&self) -> Observed<'_> {
        Observed {
            truths: &self.truths,
            served: &self.served,
            learner: &self.learner,
            baselines: &self.baselines,
            delays: &self.delays,
        }
    }
}

fn config() -> MonitorConfig {
    MonitorConfig {
        window: 200,
        drift: DriftConfig { resolve_after: 3_000, ..DriftConfig::default() },
        quality: QualityConfig {
            enabled: true,
            metric: QualityMetric::Accuracy,
            threshold: 0.8,
            hysteresis: 0.05,
            examples_min: 500,
        },
        alert_age_ms: 600_000,
    }
}

/// Feeds `batches` of 50 rows, one a second from `from_ms`, and returns what was told.
fn feed(monitor: &mut Monitor, seed: u64, batches: u64, error: f64, from_ms: u64) -> Vec<Alert> {
    let mut random = SplitMix(seed);
    let mut out = Vec::new();
    for i in 0..batches {
        let batch = Batch::binary(&mut random, 50, error, monitor.baseline());
        let now_ms = from_ms + i * 1_000;
        monitor.tick(now_ms, &mut out);
        monitor.observe(&batch.observed(), now_ms, Some(3), &mut out);
    }
    let put = |change| if let AlertChange::Put(alert) = change { Some(alert) } else { None };
    out.into_iter().filter_map(put).collect()
}

#[test]
fn a_worse_model_fires_drift_and_quality_and_a_better_one_resolves_them() {
    let mut monitor = Monitor::new("tide", &config(), Task::Binary, 2);
    assert_eq!(feed(&mut monitor, 1, 60, 0.1, 0), []);
    let told = feed(&mut monitor, 2, 20, 0.4, 60_000);
    let kinds: Vec<_> = told.iter().map(|alert| (alert.kind, alert.state)).collect();
    let firing = AlertState::Firing;
    assert_eq!(kinds, [(AlertKind::Drift, firing), (AlertKind::Quality, firing)], "{told:?}");
    let drift = &told[0];
    assert_eq!(drift.fingerprint, "tide/drift/served_error");
    assert!(drift.threshold < 0.15 && drift.observed > 0.3, "{drift:?}");
    assert!(drift.message.starts_with("the error of the served predictions rose from 0.1"));
    assert_eq!((drift.version, drift.since_ms, drift.at_ms), (Some(3), drift.at_ms, drift.since_ms));

    let told = feed(&mut monitor, 3, 70, 0.05, 80_000);
    let kinds: Vec<_> = told.iter().map(|alert| (alert.kind, alert.state)).collect();
    let resolved = AlertState::Resolved;
    assert_eq!(kinds, [(AlertKind::Quality, resolved), (AlertKind::Drift, resolved)], "{told:?}");
    assert!(monitor.next_deadline_ms().is_some());
    let mut out = Vec::new();
    monitor.tick(1_000_000, &mut out);
    assert!(matches!(out[..], [AlertChange::Remove { .. }, AlertChange::Remove { .. }]), "{out:?}");
    assert_eq!(monitor.next_deadline_ms(), None);
}

#[test]
fn served_and_learner_are_scored_apart_each_beside_baselines_that_knew_as_much() {
    let mut monitor = Monitor::new("tide", &config(), Task::Binary, 2);
    let pair = |class: f32| [1.0 - class, class];
    let truths = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let mut batch = Batch { truths: truths.to_vec(), ..Batch::default() };
    for truth in truths {
        batch.served.extend(pair(0.0));
        batch.learner.extend(pair(truth));
        batch.baselines.push(Baseline { common: 1.0, last: 1.0 });
        batch.delays.push(8);
    }
    monitor.observe(&batch.observed(), 0, None, &mut Vec::new());
    let report = monitor.report();
    let served = report.served.cumulative.classification().unwrap().clone();
    let learner = report.learner.cumulative.classification().unwrap().clone();
    assert_eq!((report.examples, report.label_delay_median), (8, Some(8)));
    assert_eq!((served.accuracy, learner.accuracy), (Some(5.0 / 8.0), Some(1.0)));
    assert_eq!(served.no_change_accuracy, Some(3.0 / 8.0));
    let no_change = report.no_change.unwrap();
    assert_eq!(learner.no_change_accuracy, Some(4.0 / 8.0));
    assert_eq!(no_change.delay_0, Some(4.0 / 8.0), "0 0 1 1 0 0 0 1: the label before it");
    assert_eq!(no_change.delay_1, Some(1.0 / 8.0), "the label before that one");
}

#[test]
fn a_new_configuration_keeps_the_scores_and_resolves_what_it_switches_off() {
    let mut monitor = Monitor::new("tide", &config(), Task::Binary, 2);
    feed(&mut monitor, 1, 60, 0.1, 0);
    assert_eq!(feed(&mut monitor, 2, 20, 0.4, 60_000).len(), 2);
    let before = monitor.report();
    let mut off = MonitorConfig { window: 100, ..config() };
    (off.drift.enabled, off.quality.enabled) = (false, false);
    let mut out = Vec::new();
    monitor.reconfigure(&off, 80_000, Some(3), &mut out);
    let after = monitor.report();
    assert_eq!(after.served.cumulative, before.served.cumulative);
    assert_eq!(after.served.sliding.classification().unwrap().examples, 100);
    assert_eq!((out.len(), after.drift.firing, after.quality.firing), (2, false, false));
    assert_eq!(feed(&mut monitor, 3, 20, 0.9, 80_000), []);
    monitor.reconfigure(&config(), 100_000, Some(3), &mut out);
    let told = feed(&mut monitor, 4, 20, 0.9, 100_000);
    assert_eq!(told[0].kind, AlertKind::Quality, "watched again: {told:?}");
}

#[test]
fn a_model_that_begins_anew_keeps_no_score_and_resolves_what_is_about_it() {
    let mut monitor = Monitor::new("tide", &config(), Task::Binary, 2);
    feed(&mut monitor, 1, 60, 0.1, 0);
    assert_eq!(feed(&mut monitor, 2, 20, 0.4, 60_000).len(), 2);
    let mut out = Vec::new();
    monitor.row_skipped(("t", 0, 7), "it panics", 80_000, Some(3), &mut out);
    out.clear();
    let changed = MonitorConfig { alert_age_ms: 5, ..config() };
    monitor.begin_anew(&changed, (Task::Multiclass, 3), 80_000, Some(3), &mut out);
    let told: Vec<_> = out.iter().map(AlertChange::key).collect();
    assert_eq!(told, ["tide/drift/served_error", "tide/quality/accuracy"]);
    assert!(monitor.alerts().is_firing(AlertKind::RowSkipped, "t/0"), "the record is still lost");
    let fresh = Monitor::new("tide", &changed, Task::Multiclass, 3).report();
    let report = monitor.report();
    assert_eq!((report.examples, &report.served, &report.learner), (0, &fresh.served, &fresh.learner));
    out.clear();
    monitor.tick(80_005, &mut out);
    assert_eq!(out.len(), 2, "resolved alerts age out by the new configuration: {out:?}");
}

#[test]
fn operational_alerts_fire_and_are_resolved() {
    let mut monitor = Monitor::new("tide", &config(), Task::Binary, 2);
    let mut out = Vec::new();
    monitor.model_finite(1, 0, None, &mut out);
    assert_eq!(out, [], "nothing was wrong");
    monitor.model_not_finite(2, 1, None, &mut out);
    monitor.model_not_finite(3, 2, None, &mut out);
    monitor.model_finite(4, 3, Some(1), &mut out);
    monitor.pending_full((1_000, 1_000), 4, None, &mut out);
    monitor.row_skipped(("events", 0, 17), "learn panicked twice", 5, None, &mut out);
    let told: Vec<_> = out.iter().map(AlertChange::key).collect();
    let expected = [
        "tide/model_not_finite/revision",
        "tide/model_not_finite/revision",
        "tide/pending_full/pending",
        "tide/row_skipped/events/0",
    ];
    assert_eq!(told, expected);
    let json = String::from_utf8(out[3].value().unwrap()).unwrap();
    assert!(json.contains("offset 17 of events/0 was skipped"), "{json}");
    out.clear();
    monitor.tick(1_000_000, &mut out);
    assert_eq!(out.len(), 3, "one removed, two resolved by themselves: {out:?}");
}

#[test]
fn a_state_of_another_kind_is_refused_and_changes_nothing() {
    let mut monitor = Monitor::new("tide", &config(), Task::Binary, 2);
    feed(&mut monitor, 1, 20, 0.3, 0);
    let before = monitor.save();
    for (task, outputs) in [(Task::Multiclass, 3), (Task::Regression, 1)] {
        let other = Monitor::new("tide", &config(), task, outputs);
        assert!(monitor.load(&other.save()).is_err());
        assert_eq!(monitor.save(), before);
    }
    assert!(monitor.load(&TensorMap::new()).is_err());
}

/// Batches for any task, from numbers that proptest chose.
fn batch(task: Task, outputs: usize, seed: u64, rows: usize, baseline: Baseline) -> Batch {
    let mut random = SplitMix(seed);
    let mut batch = Batch::default();
    let error = random.unit();
    for _ in 0..rows {
        batch.truths.push(match task {
            Task::Regression => (random.unit() * 100.0) as f32,
            _ => (random.unit() * outputs as f64).floor() as f32,
        });
        for output in 0..outputs {
            let truth = *batch.truths.last().unwrap();
            let hit = f64::from(u8::from(truth == output as f32));
            let scale = if task == Task::Regression { 100.0 } else { 1.0 };
            let draw = (random.unit() * error + hit * (1.0 - error)) * scale;
            batch.served.push(draw as f32);
            batch.learner.push((draw * random.unit()) as f32);
        }
        batch.baselines.push(baseline);
        batch.delays.push((random.unit() * 10_000.0) as u64);
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_saved_and_loaded_monitor_goes_on_exactly_as_the_one_that_was_not(
        case in 0..3_usize,
        seeds in proptest::collection::vec((any::<u64>(), 0..120_usize), 1..30),
        at in any::<proptest::sample::Index>(),
    ) {
        let (task, outputs) =
            [(Task::Binary, 2), (Task::Multiclass, 5), (Task::Regression, 1)][case];
        let mut config = config();
        config.quality.examples_min = 10;
        config.quality.metric = [QualityMetric::Auc, QualityMetric::Logloss, QualityMetric::Mae][case];
        config.drift = DriftConfig { enabled: true, delta: 0.3, resolve_after: 200 };
        config.alert_age_ms = 3_000;
        let mut straight = Monitor::new("tide", &config, task, outputs);
        let mut stopped = straight.clone();
        let stop = at.index(seeds.len());
        for (i, (seed, rows)) in seeds.into_iter().enumerate() {
            if i == stop {
                let bytes = stopped.save().to_safetensors().unwrap();
                stopped = Monitor::new("tide", &config, task, outputs);
                stopped.load(&TensorMap::from_safetensors(&bytes).unwrap()).unwrap();
            }
            let batch = batch(task, outputs, seed, rows, straight.baseline());
            let now_ms = i as u64 * 1_000;
            let told = [&mut straight, &mut stopped].map(|monitor| {
                let mut out = Vec::new();
                monitor.tick(now_ms, &mut out);
                monitor.observe(&batch.observed(), now_ms, Some(seed), &mut out);
                out
            });
            prop_assert_eq!(&told[0], &told[1]);
        }
        prop_assert_eq!(straight.save().digest(), stopped.save().digest());
        let json = |monitor: &Monitor| serde_json::to_string(&monitor.report()).unwrap();
        prop_assert_eq!(json(&straight), json(&stopped));
    }
}
