//! `tidewheel replay`: a CSV file as a stream, and what a learner makes of it.

mod input;
mod plan;
mod progress;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::Failure;
use super::machine;
use crate::config::{LearnerKind, Task};
use crate::learn::{Columns, Shape, build};
use crate::pipeline::Classes;
use crate::prequential::{Judge, Labelled, Measured, Prequential, Protocol, Report, plot};
use crate::schema::csv::{BadRow, CsvDecoder, CsvError, Record};
use plan::Plan;
use progress::Progress;

/// The learner where neither a configuration nor an argument names one.
const DEFAULT_LEARNER: LearnerKind = LearnerKind::Auto;

/// Rows that are decoded, then handed on.
const CHUNK_ROWS: usize = 1_000;
/// Bad rows that are shown.
const BAD_SHOWN: usize = 3;

#[derive(clap::Args)]
pub struct Args {
    /// The rows, in the order of the stream: CSV with a header, maybe gzipped
    #[arg(value_name = "FILE.csv[.gz]")]
    pub file: PathBuf,
    /// The column that is predicted; by default the last one, or that of the configuration's events.label
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Family of the learner
    #[arg(long, value_name = "NAME")]
    pub learner: Option<String>,
    /// Schema, model and monitors from a configuration with one pipeline, instead of a schema inferred from the file
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A key of the model, such as 'knn.k = 1'; may be given again
    #[arg(long, value_name = "KEY = VALUE")]
    pub set: Vec<String>,
    /// Columns that are categories though their values are numbers, separated by commas
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', conflicts_with = "config")]
    pub categorical: Vec<String>,
    /// What to make of the target, where its values do not say it as you mean it
    #[arg(long, value_enum, value_name = "TASK", conflicts_with = "config")]
    pub task: Option<Kind>,
    /// A row is predicted when the rows before it, less so many, are learned
    #[arg(long, value_name = "ROWS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub label_delay: u32,
    /// So many rows are predicted, then learned
    #[arg(long, value_name = "ROWS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: u32,
    /// What to do with a row that does not fit the schema
    #[arg(long, value_enum, default_value_t = OnBadRow::Fail)]
    pub on_bad_row: OnBadRow,
    /// Write the report as JSON
    #[arg(long, value_name = "OUT.json")]
    pub report: Option<PathBuf>,
    /// Draw the learning curve
    #[arg(long, value_name = "OUT.svg")]
    pub plot: Option<PathBuf>,
}

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// One of some classes.
    Classification,
    /// A number.
    Regression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnBadRow {
    /// End with an error that names line, column, value and what was expected
    Fail,
    /// Leave the row out and count it
    Skip,
}

/// A report, and the first bad rows that were left out.
#[derive(Debug)]
pub struct Replayed {
    pub report: Report,
    pub bad_rows: Vec<BadRow>,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    // Before the work and not after it.
    for path in args.report.iter().chain(&args.plot) {
        if path.parent().is_some_and(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()) {
            let problem = format!("cannot write {}: there is no such folder", path.display());
            return Err(Failure::Usage(problem));
        }
    }
    let replayed = replay(args)?;
    let report = &replayed.report;
    print!("{}", table::Table { file: &args.file, replayed: &replayed });
    if let Some(path) = &args.report {
        let json = serde_json::to_string_pretty(report).expect("a report is JSON");
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &args.plot {
        write(path, &plot(report, &title(args, report)))?;
    }
    Ok(())
}

fn title(args: &Args, report: &Report) -> String {
    let file = args.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let name = if report.task == Task::Regression { "mae" } else { "accuracy" };
    let score = report.metric(name).map_or("–".into(), |score| format!("{score:.4}"));
    let delay =
        if report.label_delay > 0 { format!(", label delay {}", report.label_delay) } else { String::new() };
    format!("{} on {file}: {name} {score} over {} rows{delay}", report.learner, report.rows)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::Check(format!("cannot write {}: {error}", path.display())))
}

/// Replays the file as the arguments say; writes and prints nothing but progress on a terminal.
pub fn replay(args: &Args) -> Result<Replayed, Failure> {
    let plan = Plan::new(args)?;
    let protocol = Protocol { label_delay: args.label_delay as usize, batch: args.batch as usize };
    let shape = Shape::of(&plan.schema);
    let columns = Columns::of(&plan.schema);
    let (widths, objective) = ((shape.numeric, shape.categorical), shape.objective);
    let learner = build(&plan.model, &shape, &columns);
    let monitor = &plan.monitor;
    let judge = Judge::new(plan.schema.task, objective.outputs(), monitor.window, &monitor.drift);
    let mut prequential = Prequential::new(learner, widths, objective, plan.model.seed, protocol, judge);

    let failed = |error: CsvError| input::failure(&args.file, &error);
    let (mut reader, read) = input::open(&args.file)?;
    let decoder = CsvDecoder::new(reader.header(), &plan.schema, &plan.target, plan.weight.as_deref());
    let decoder = decoder.map_err(failed)?;
    let mut classes = Classes::new(&plan.schema);
    let mut chunk = Labelled::new(widths.0, widths.1);
    let (mut record, mut buffer) = (Record::default(), Vec::new());
    let (mut bad_rows, mut bad_count) = (Vec::new(), 0_u64);
    let mut progress = Progress::new(read);
    let before = machine::cpu_ns();
    while reader.read(&mut record).map_err(failed)? {
        let decoded = decoder.decode(&record, &mut chunk.rows, &mut buffer).and_then(|(label, weight)| {
            let target = classes.target(&label).map_err(|_| {
                decoder.bad_label(&record, format!("one of {} classes at most", plan.schema.outputs()))
            })?;
            Ok((target, weight))
        });
        // A row whose label is refused is there already.
        chunk.rows.truncate(chunk.targets.len() + usize::from(decoded.is_ok()));
        match decoded {
            Ok((target, weight)) => {
                chunk.targets.push(target);
                chunk.weights.push(weight);
            }
            Err(bad) if args.on_bad_row == OnBadRow::Skip => {
                bad_count += 1;
                if bad_rows.len() < BAD_SHOWN {
                    bad_rows.push(bad);
                }
            }
            Err(bad) => {
                progress.end();
                let problem = failed(bad.into());
                return Err(Failure::Usage(format!("{problem}; --on-bad-row skip leaves such rows out")));
            }
        }
        if chunk.targets.len() == CHUNK_ROWS {
            prequential.push(&chunk);
            chunk.clear();
            progress.show(prequential.judge());
        }
    }
    prequential.push(&chunk);
    prequential.finish();
    let cpu_seconds = (machine::cpu_ns() - before) as f64 / 1e9;
    progress.end();

    let (learner, judge) = prequential.into_parts();
    if judge.rows() == 0 {
        return Err(failed(bad_rows.into_iter().next().map_or(CsvError::NoRows, CsvError::Row)));
    }
    let state = learner.save().digest().to_string();
    let name = plan.model.learner.name();
    let mut report = Report::new(&judge, name, protocol, (&plan.target, &plan.schema), &state);
    report.bad_rows = bad_count;
    report.notes = plan.notes;
    report.measured = Measured {
        cpu_seconds,
        rows_per_cpu_second: if cpu_seconds > 0.0 { report.rows as f64 / cpu_seconds } else { 0.0 },
        peak_rss_bytes: machine::peak_rss_bytes(),
    };
    Ok(Replayed { report, bad_rows })
}
