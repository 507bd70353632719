use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::Replayed;
use crate::config::{ColumnKind, Task};
use crate::prequential::{Point, Report};

/// Columns of the learning curve on the terminal.
const CURVE: usize = 72;
/// Drifts that are printed.
const DRIFTS: usize = 8;

/// What came of a replay, for a terminal.
pub struct Table<'a> {
    pub file: &'a Path,
    pub replayed: &'a Replayed,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.replayed.report;
        self.head(f)?;
        scores(f, report)?;
        curve(f, report)?;
        drifts(f, report)?;
        let measured = &report.measured;
        writeln!(
            f,
            "\n  {:.2} CPU-seconds   {:.0} rows per CPU-second   {:.0} MiB at most   digest {}…",
            measured.cpu_seconds,
            measured.rows_per_cpu_second,
            measured.peak_rss_bytes as f64 / (1 << 20) as f64,
            &report.digest[..16]
        )
    }
}

impl Table<'_> {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.replayed.report;
        let kinds = [
            (ColumnKind::Numeric, "numeric"),
            (ColumnKind::Categorical, "categorical"),
            (ColumnKind::Time, "time"),
            (ColumnKind::Text, "text"),
        ];
        let count = |kind| report.schema.features.values().filter(|other| **other == kind).count();
        let counts = kinds.into_iter().map(|(kind, name)| (count(kind), name));
        let features: Vec<_> =
            counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        let task = match (report.task, report.schema.outputs()) {
            (Task::Regression, _) => "a regression".into(),
            (_, classes) => format!("{classes} classes"),
        };
        writeln!(
            f,
            "{}: {} rows   features: {}   target {:?}: {task}",
            self.file.display(),
            report.rows,
            features.join(", "),
            report.target
        )?;
        if report.bad_rows > 0 {
            writeln!(f, "  {} bad rows left out:", report.bad_rows)?;
            self.replayed.bad_rows.iter().try_for_each(|bad| writeln!(f, "    {bad}"))?;
        }
        report.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

fn scores(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let names: &[(&str, &str)] = if report.task == Task::Regression {
        &[("mae", "MAE"), ("rmse", "RMSE"), ("r2", "R²")]
    } else {
        &[
            ("accuracy", "accuracy"),
            ("kappa", "kappa"),
            ("kappa_temporal", "kappa-temporal"),
            ("logloss", "logloss"),
            ("auc", "AUC"),
        ]
    };
    write!(f, "\n  {:<24}", "")?;
    names.iter().try_for_each(|(_, title)| write!(f, "{title:>16}"))?;
    let mut row = |name: &str, of: &dyn Fn(&str) -> Option<f64>| {
        write!(f, "\n  {name:<24}")?;
        names.iter().try_for_each(|(key, _)| {
            let cell = of(key).map_or("–".into(), number);
            write!(f, "{cell:>16}")
        })
    };
    row(&report.learner, &|key| report.metric(key))?;
    for (name, scores) in &report.baselines {
        row(&name.replace('_', "-"), &|key| scores.get(key).and_then(Value::as_f64))?;
    }
    let delay = match (report.label_delay, report.batch) {
        (0, 1) => "each row is predicted, then learned".into(),
        (delay, 1) => format!("labels come {delay} rows late"),
        (0, batch) => format!("{batch} rows are predicted, then learned"),
        (delay, batch) => format!("{batch} rows are predicted, then learned; labels come {delay} rows late"),
    };
    writeln!(f, "\n  ({delay}; the baselines too)")
}

/// Four digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e7).contains(&size) => format!("{value:.3e}"),
        size if size >= 1e3 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn curve(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let points = &report.curve;
    if points.len() < 2 {
        return Ok(());
    }
    let scores = |value: fn(&Point) -> f64| condensed(points, value);
    let (model, last) = (scores(|point| point.score), scores(|point| point.no_change));
    let finite = || model.iter().chain(&last).copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let name = if report.task == Task::Regression { "MAE" } else { "accuracy" };
    writeln!(f, "\n  {name} from the first row to the last, between {} and {}:", number(low), number(high))?;
    writeln!(
        f,
        "  {:<12}{}  {} at the end",
        "learner",
        bars(&model, low, high),
        number(model[model.len() - 1])
    )?;
    writeln!(f, "  {:<12}{}  {}", "no-change", bars(&last, low, high), number(last[last.len() - 1]))?;
    if report.drifts.is_empty() {
        return Ok(());
    }
    let mut marks = vec![' '; model.len()];
    for drift in &report.drifts {
        let at = (*drift as f64 / report.rows as f64 * marks.len() as f64) as usize;
        marks[at.min(model.len() - 1)] = '▲';
    }
    writeln!(f, "  {:<12}{}", "drift", marks.into_iter().collect::<String>().trim_end())
}

/// Means of neighbouring points, at most [`CURVE`] of them.
fn condensed(points: &[Point], value: fn(&Point) -> f64) -> Vec<f64> {
    let width = points.len().div_ceil(CURVE);
    points.chunks(width).map(|group| group.iter().map(value).sum::<f64>() / group.len() as f64).collect()
}

fn bars(values: &[f64], low: f64, high: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |value: &f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        BARS[((share * 8.0) as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

fn drifts(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    if report.recovery.is_empty() {
        return Ok(());
    }
    let loss = if report.task == Task::Regression { "absolute error" } else { "logloss" };
    writeln!(f)?;
    for recovery in report.recovery.iter().take(DRIFTS) {
        let back = match (recovery.examples, recovery.later_loss) {
            (Some(examples), Some(later)) => {
                format!(
                    "{examples} rows until the {loss} was back within 10 % of its later {}",
                    number(later)
                )
            }
            (None, Some(later)) => {
                format!("the {loss} was never back within 10 % of its later {}", number(later))
            }
            _ => "the next drift, or the end, came too soon to tell of a recovery".into(),
        };
        writeln!(f, "  drift found at row {}: {back}", recovery.drift)?;
    }
    match report.recovery.len().saturating_sub(DRIFTS) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}
