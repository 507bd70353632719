use std::fmt;

use tidewheel_loadgen::replay::ReplayReport;
use tidewheel_loadgen::streams::{Source, Stream};

use crate::monitor::{AlertState, ClassNumbers};
use crate::pipeline::Report;

/// What came of a demo.
pub struct Table<'a> {
    pub report: &'a Report,
    pub replayed: &'a ReplayReport,
    pub swaps: u64,
    pub seconds: f64,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, replayed, swaps, seconds } = self;
        writeln!(f)?;
        writeln!(
            f,
            "  events {}   labels {}   revisions {}   versions {}   swaps {}   dead letters {}",
            replayed.events,
            replayed.labels,
            report.revisions,
            report.version,
            swaps,
            report.accounts.events.dead_lettered + report.accounts.labels.dead_lettered,
        )?;
        self.scores(f)?;
        let rate = report.accounts.events.read as f64 / seconds;
        let ms = |value: Option<u64>| value.map_or("–".into(), |ms| ms.to_string());
        writeln!(
            f,
            "\n  {rate:.0} events/s   freshness p50 {} ms, p99 {} ms (from the producer's timestamp of a label to the swap)",
            ms(report.freshness.p50_ms),
            ms(report.freshness.p99_ms),
        )?;
        self.alerts(f)?;
        self.accounts(f)
    }
}

impl Table<'_> {
    fn scores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let monitor = &self.report.monitor;
        let (Some(served), Some(learner)) =
            (monitor.served.cumulative.classification(), monitor.learner.cumulative.classification())
        else {
            return Ok(());
        };
        let cell = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.3}"));
        writeln!(
            f,
            "\n  {:<34}{:>9}{:>9}{:>16}{:>9}{:>9}",
            "", "accuracy", "kappa", "kappa-temporal", "logloss", "AUC"
        )?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, n: &ClassNumbers| {
            writeln!(
                f,
                "  {name:<34}{:>9}{:>9}{:>16}{:>9}{:>9}",
                cell(n.accuracy),
                cell(n.kappa),
                cell(n.kappa_temporal),
                cell(n.logloss),
                cell(n.auc)
            )
        };
        row(f, "served (what was published)", served)?;
        row(f, "learner (just before learning)", learner)?;
        let delay = monitor.label_delay_median.map_or("–".into(), |delay| delay.to_string());
        writeln!(f, "  median label delay: {delay} events; under the same delay:")?;
        writeln!(f, "  {:<34}{:>9}", "  majority", cell(served.majority_accuracy))?;
        writeln!(f, "  {:<34}{:>9}", "  no-change", cell(served.no_change_accuracy))?;
        let delay_1 = monitor.no_change.as_ref().and_then(|no_change| no_change.delay_1);
        writeln!(f, "  {:<34}{:>9}", "no-change at delay 1 (orientation)", cell(delay_1))
    }

    fn alerts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alerts = &self.report.monitor.alerts;
        let firing = alerts.iter().filter(|alert| alert.state == AlertState::Firing).count();
        writeln!(f, "  alerts: {} ({firing} firing)", alerts.len())?;
        let fired: Vec<String> = self.report.monitor.drift.fired_at.iter().map(u64::to_string).collect();
        if !fired.is_empty() {
            writeln!(f, "    drift began to fire after labelled example {}", fired.join(", "))?;
        }
        for alert in alerts {
            writeln!(f, "    {:?} {}: {}", alert.state, alert.fingerprint, alert.message)?;
        }
        Ok(())
    }

    fn accounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = &self.report.accounts;
        for source in ["events", "labels"] {
            let all: Vec<_> = accounts.iter().filter(|(of, _, _)| *of == source).collect();
            let parts: Vec<String> = all[1..]
                .iter()
                .filter(|(_, _, count)| *count > 0)
                .map(|(_, account, count)| format!("{count} {}", account.replace('_', " ")))
                .collect();
            writeln!(f, "  {source} read {} = {}", all[0].2, parts.join(" + "))?;
        }
        writeln!(f, "  accounts {}", if accounts.add_up() { "add up" } else { "DO NOT ADD UP" })
    }
}

/// The features of the stream's last row, as JSON: for a request that makes sense.
pub fn features(stream: &str) -> String {
    let mut json = Vec::new();
    let stream = if stream == "sea_abrupt" { Stream::SeaAbrupt } else { Stream::Elec2 };
    if let Ok(source) = stream.open() {
        source.features_json(source.rows() - 1, &mut json);
    }
    String::from_utf8_lossy(&json).into_owned()
}
