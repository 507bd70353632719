//! Accuracy, kappa and rows per CPU-second of a learner on every stream of a folder (gzip CSV with a header, the target
//! last), prequentially: each row is predicted, then learned.
//!
//! ```text
//! cargo run --release --example streams -- --data DIR [--only PART] [--categorical A,B] [--label-delay D] 'learner = "knn"' 'knn.k = 1'
//! ```
//!
//! With `--label-delay D`, row i comes and is predicted after the rows before i - D are learned.
//!
//! Beside the accuracy is its ceiling, where the stream is named for a generator whose noise is known.
//!
//! What is not an option is the model's configuration, line by line in TOML. A column is categorical when a value of it
//! is not a number, or when it is named.

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};

use tidewheel::config::ModelConfig;
use tidewheel::learn::{Columns, Context, Examples, Learner, Objective, Predictions, Shape, build};
use tidewheel::schema::Rows;
use xxhash_rust::xxh3::xxh3_64;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows handed to the learner at once.
const BATCH: usize = 1_000;

struct Stream {
    columns: Columns,
    rows: Rows,
    targets: Vec<f32>,
    classes: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut data, mut only, mut categorical) = (PathBuf::from("data"), String::new(), String::new());
    let (mut model, mut delay) = (String::new(), 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--data" => data = value()?.into(),
            "--only" => only = value()?,
            "--categorical" => categorical = value()?,
            "--label-delay" => delay = value()?.parse()?,
            line => model.extend([line, "\n"]),
        }
    }
    let model: ModelConfig = toml::from_str(&model)?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&data)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    println!(
        "{:24} {:>8} {:>9} {:>8} {:>8} {:>8} {:>14}",
        "stream", "rows", "accuracy", "ceiling", "kappa", "logloss", "rows/CPU-s"
    );
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.trim_end_matches(".csv.gz");
        // Not examples, but bits for drift detectors.
        if name.contains(&only) && name != "drift_streams" {
            report(name, &read(&file, &categorical)?, &model, delay)?;
        }
    }
    Ok(())
}

fn read(file: &Path, categorical: &str) -> Result<Stream, Box<dyn Error>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file)?).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().ok_or("no header")?.split(',').collect();
    let table: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let is_number =
        |column: usize| table.iter().all(|row| row[column].is_empty() || row[column].parse::<f32>().is_ok());
    // By name, as in the service.
    let mut order: Vec<usize> = (0..names.len() - 1).collect();
    order.sort_by_key(|column| names[*column]);
    let (categories, numbers): (Vec<usize>, Vec<usize>) = order
        .into_iter()
        .partition(|column| categorical.split(',').any(|name| name == names[*column]) || !is_number(*column));
    let named = |columns: &[usize]| columns.iter().map(|column| names[*column].to_owned()).collect();
    let columns = Columns { numeric: named(&numbers), categorical: named(&categories) };
    let mut rows = Rows::with_capacity(numbers.len(), categories.len(), table.len());
    let mut targets = Vec::with_capacity(table.len());
    for row in &table {
        let numeric: Vec<f32> =
            numbers.iter().map(|column| row[*column].parse().unwrap_or(f32::NAN)).collect();
        let hashes: Vec<u64> =
            categories.iter().map(|column| xxh3_64(row[*column].as_bytes()).max(1)).collect();
        rows.push(&numeric, &hashes);
        targets.push(row[names.len() - 1].parse::<f32>()?);
    }
    let classes = targets.iter().fold(0.0_f32, |a, b| a.max(*b)) as usize + 1;
    Ok(Stream { columns, rows, targets, classes })
}

fn report(name: &str, stream: &Stream, model: &ModelConfig, delay: usize) -> Result<(), Box<dyn Error>> {
    let Stream { columns, rows, targets, classes } = stream;
    let objective = Objective::Classify { classes: *classes };
    let shape = Shape { numeric: rows.numeric_width(), categorical: rows.categorical_width(), objective };
    let mut learner = build(model, &shape, columns);
    let size = if delay == 0 { BATCH } else { 1 };
    let mut batches: Vec<Batch<'_>> = (0..rows.len())
        .step_by(size)
        .map(|start| {
            let end = rows.len().min(start + size);
            let mut batch = Rows::with_capacity(shape.numeric, shape.categorical, size);
            (start..end).for_each(|row| batch.push_from(rows, row));
            (batch, &targets[start..end])
        })
        .collect();
    let before = cpu_ns()?;
    let predictions = if delay == 0 {
        batches.iter().map(|batch| learn(&mut *learner, batch)).collect()
    } else {
        late(&mut *learner, &mut batches, delay)
    };
    let cpu = cpu_ns()? - before;
    let mut confusion = vec![0_u64; classes * classes];
    let mut loss = 0.0;
    for (out, (_, targets)) in predictions.iter().zip(&batches) {
        for (row, target) in targets.iter().enumerate() {
            let (probabilities, class) = (out.row(row), *target as usize);
            let all = probabilities.iter().enumerate();
            let likeliest =
                all.fold(0, |best, (other, p)| if *p > probabilities[best] { other } else { best });
            confusion[class * classes + likeliest] += 1;
            loss -= f64::from(probabilities[class].max(1e-15)).ln();
        }
    }
    let total = rows.len() as f64;
    let right: u64 = (0..*classes).map(|class| confusion[class * classes + class]).sum();
    let chance: f64 = (0..*classes)
        .map(|class| {
            let truth: u64 = confusion[class * classes..(class + 1) * classes].iter().sum();
            let said: u64 = (0..*classes).map(|other| confusion[other * classes + class]).sum();
            truth as f64 / total * (said as f64 / total)
        })
        .sum();
    let accuracy = right as f64 / total;
    println!(
        "{name:24} {:>8} {accuracy:>9.4} {:>8} {:>8.4} {:>8.4} {:>14.0}",
        rows.len(),
        ceiling(name),
        (accuracy - chance) / (1.0 - chance),
        loss / total,
        total / (cpu as f64 / 1e9)
    );
    Ok(())
}

/// The accuracy that no learner can have more than about, where the stream is named for a generator whose noise is known:
/// those in `../shared/data`, as `docs/benchmarks.md` has them.
fn ceiling(name: &str) -> &'static str {
    let known = [("sea_", "0.900"), ("hyperplane_", "0.950"), ("agrawal_", "0.953")];
    known.iter().find(|(start, _)| name.starts_with(start)).map_or("–", |(_, ceiling)| ceiling)
}

/// Some rows with their targets.
type Batch<'a> = (Rows, &'a [f32]);

/// Learns a batch; gives what was predicted just before.
fn learn(learner: &mut dyn Learner, (rows, targets): &Batch<'_>) -> Predictions {
    let mut out = Predictions::default();
    let weights = vec![1.0; targets.len()];
    let context = Context { entry: 1, seed: 1, time_ms: 0 };
    learner.learn(Examples { rows, targets, weights: &weights }, &context, &mut out);
    out
}

/// Predicts each row when it comes, and learns it once the labels of `delay` later rows would have been due.
fn late(learner: &mut dyn Learner, batches: &mut [Batch<'_>], delay: usize) -> Vec<Predictions> {
    let mut predictions = Vec::with_capacity(batches.len());
    for row in 0..batches.len() {
        if row > delay {
            learn(learner, &batches[row - delay - 1]);
        }
        let mut out = Predictions::default();
        learner.observe(&mut batches[row].0);
        learner.predict(&batches[row].0, &mut out);
        predictions.push(out);
    }
    predictions
}

/// Time that this thread was on a processor, in nanoseconds; it moves with the scheduler's ticks of some milliseconds.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no time in schedstat")?.parse()?)
}
