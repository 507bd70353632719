//! How fast the sparse learner learns from a file in Vowpal Wabbit's text format: reading, parsing and hashing included.
//!
//! ```text
//! cargo run --release --example vw -- FILE [BITS]
//! cargo run --release --example vw -- --write FILE [ROWS]
//! ```
//!
//! A line is `LABEL |NAMESPACE FEATURE …` with the label 1 or -1. A feature is `COLUMN=CATEGORY` or `COLUMN:NUMBER`; the
//! first line has all columns. `--write` makes such a file: 30 categories a row, half of them among 32 that are frequent,
//! half uniform among 50,000 others, and a label that follows from them with noise. `tests/peers/run` has VW learn from
//! the same file.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use tidewheel::config::{FtrlConfig, SparseStep};
use tidewheel::learn::ftrl::FtrlLearner;
use tidewheel::learn::{Columns, Context, Examples, Learner, Objective, Predictions, Shape};
use tidewheel::schema::Rows;
use xxhash_rust::xxh3::xxh3_64;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 1_000;
const FEATURES: usize = 30;
const CATEGORIES: u64 = 100_000;
/// Of the labels that `--write` writes, one in so many is wrong.
const NOISE: u64 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--write", file] => write(file, 300_000),
        ["--write", file, rows] => write(file, rows.parse()?),
        [file] => report(file, 22),
        [file, bits] => report(file, bits.parse()?),
        _ => Err("expected FILE [BITS], or --write FILE [ROWS]".into()),
    }
}

fn report(file: &str, bits: u32) -> Result<(), Box<dyn Error>> {
    println!("{:12} {:>9} {:>12} {:>9} {:>9}", "step", "rows", "rows/CPU-s", "accuracy", "logloss");
    for step in [SparseStep::Ftrl, SparseStep::Adaptive] {
        let config = FtrlConfig { bits, step, ..FtrlConfig::default() };
        let before = cpu_ns()?;
        let Scores { rows, right, loss } =
            learn(&config, BufReader::with_capacity(1 << 18, File::open(file)?))?;
        let seconds = (cpu_ns()? - before) as f64 / 1e9;
        let total = rows as f64;
        println!(
            "{:12} {rows:>9} {:>12.0} {:>9.4} {:>9.4}",
            format!("{step:?}"),
            total / seconds,
            right as f64 / total,
            loss / total
        );
    }
    Ok(())
}

#[derive(Default)]
struct Scores {
    rows: u64,
    right: u64,
    loss: f64,
}

/// Each row is predicted, then learned.
fn learn(config: &FtrlConfig, mut file: impl BufRead) -> Result<Scores, Box<dyn Error>> {
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    let mut layout = Layout::of(&line)?;
    let (numeric, categorical) = (layout.columns.numeric.len(), layout.columns.categorical.len());
    let shape = Shape { numeric, categorical, objective: Objective::Classify { classes: 2 } };
    let mut learner = FtrlLearner::new(config, &shape, &layout.columns);
    let context = Context { entry: 1, seed: 1, time_ms: 0 };
    let (weights, mut out) = ([1.0; BATCH], Predictions::default());
    let (mut rows, mut targets) =
        (Rows::with_capacity(numeric, categorical, BATCH), Vec::with_capacity(BATCH));
    let (mut scores, mut number) = (Scores::default(), 1_u64);
    while !line.is_empty() {
        let target = layout.read(&line, &mut rows).map_err(|problem| format!("line {number}: {problem}"))?;
        targets.push(target);
        line.clear();
        file.read_until(b'\n', &mut line)?;
        number += 1;
        if rows.len() < BATCH && !line.is_empty() {
            continue;
        }
        let examples = Examples { rows: &rows, targets: &targets, weights: &weights[..targets.len()] };
        learner.learn(examples, &context, &mut out);
        for (row, target) in targets.iter().enumerate() {
            let likely = out.row(row)[*target as usize];
            scores.rows += 1;
            scores.right += u64::from(likely > 0.5);
            scores.loss -= f64::from(likely.max(1e-15)).ln();
        }
        rows.clear();
        targets.clear();
    }
    Ok(scores)
}

/// The columns of a file, in the order of its first line.
struct Layout {
    columns: Columns,
    fields: Vec<Field>,
    numeric: Vec<f32>,
    categorical: Vec<u64>,
}

/// A column: its name with the sign behind it, and its place among those of its kind.
struct Field {
    name: Vec<u8>,
    /// The first eight bytes of the name, or as many as there are, and which those are.
    head: u64,
    mask: u64,
    place: usize,
}

impl Field {
    fn new(name: &[u8], place: usize) -> Self {
        let (mut head, mut mask) = ([0; 8], [0; 8]);
        for (at, byte) in name.iter().take(8).enumerate() {
            (head[at], mask[at]) = (*byte, u8::MAX);
        }
        let (head, mask) = (u64::from_le_bytes(head), u64::from_le_bytes(mask));
        Self { name: name.to_vec(), head, mask, place }
    }

    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk::<8>() {
            Some(first) if u64::from_le_bytes(*first) & self.mask != self.head => false,
            Some(_) if self.name.len() <= 8 => true,
            _ => text.starts_with(&self.name),
        }
    }
}

impl Layout {
    fn of(line: &[u8]) -> Result<Self, Box<dyn Error>> {
        let (_, features) = parts(line)?;
        let mut columns = Columns { numeric: Vec::new(), categorical: Vec::new() };
        let mut fields = Vec::new();
        for feature in features.split(|byte| *byte == b' ').filter(|feature| !feature.is_empty()) {
            let sign = feature.iter().position(|byte| matches!(byte, b'=' | b':'));
            let sign = sign.ok_or_else(|| {
                format!(
                    "the feature {:?}; expected COLUMN=CATEGORY or COLUMN:NUMBER",
                    feature.escape_ascii().to_string()
                )
            })?;
            let of_kind = if feature[sign] == b'=' { &mut columns.categorical } else { &mut columns.numeric };
            fields.push(Field::new(&feature[..=sign], of_kind.len()));
            of_kind.push(String::from_utf8(feature[..sign].to_vec())?);
        }
        let (numeric, categorical) =
            (vec![f32::NAN; columns.numeric.len()], vec![0; columns.categorical.len()]);
        Ok(Self { columns, fields, numeric, categorical })
    }

    /// Appends a line's row, and gives its class. What the line does not have is missing.
    fn read(&mut self, line: &[u8], rows: &mut Rows) -> Result<f32, String> {
        let (label, mut features) = parts(line)?;
        let target = match label {
            b"1" | b"+1" => 1.0,
            b"-1" => 0.0,
            _ => return Err(format!("the label {:?}; expected 1 or -1", label.escape_ascii().to_string())),
        };
        self.numeric.fill(f32::NAN);
        self.categorical.fill(0);
        let mut at = 0;
        while let [first, rest @ ..] = features {
            if *first == b' ' {
                features = rest;
                continue;
            }
            // As a rule the next one, in the order of the first line.
            if !self.fields.get(at).is_some_and(|field| field.begins(features)) {
                let found = self.fields.iter().position(|field| field.begins(features));
                at = found.ok_or_else(|| {
                    let feature = features[..space(features)].escape_ascii().to_string();
                    format!("the feature {feature:?}; expected a column of the first line")
                })?;
            }
            let Field { name, place, .. } = &self.fields[at];
            let value = &features[name.len()..];
            let end = space(value);
            features = value.get(end + 1..).unwrap_or_default();
            let value = &value[..end];
            if name.last() == Some(&b'=') {
                self.categorical[*place] = xxh3_64(value).max(1);
            } else {
                let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.numeric[*place] = number.ok_or_else(|| {
                    format!("the value {:?}; expected a number", value.escape_ascii().to_string())
                })?;
            }
            at += 1;
        }
        rows.push(&self.numeric, &self.categorical);
        Ok(target)
    }
}

/// Label and features of a line with one namespace.
fn parts(line: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let line = line.trim_ascii_end();
    let bar =
        line.iter().position(|byte| *byte == b'|').ok_or("no |; expected LABEL |NAMESPACE FEATURE …")?;
    let features = &line[bar..];
    Ok((line[..bar].trim_ascii(), features.get(space(features) + 1..).unwrap_or_default()))
}

/// Where the first space is, or the end; eight bytes at a time (Mycroft's test for a zero byte).
#[inline]
fn space(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let differs = u64::from_le_bytes(*word) ^ (ONES * b' ' as u64);
        let zero = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if zero != 0 {
            return at * 8 + zero.trailing_zeros() as usize / 8;
        }
    }
    let start = words.len() * 8;
    start + rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len())
}

fn write(file: &str, rows: u64) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_add(1);
        mixed(state)
    };
    for _ in 0..rows {
        let categories: [u64; FEATURES] = std::array::from_fn(|_| random() % CATEGORIES);
        let categories = categories.map(|category| if category % 2 == 0 { category % 64 } else { category });
        let votes = categories.iter().zip(0_u64..);
        let score: i64 =
            votes.map(|(category, column)| (mixed(category ^ (column << 32)) % 201) as i64 - 100).sum();
        let right = random() % NOISE != 0;
        write!(out, "{} |x", if (score > 0) == right { 1 } else { -1 })?;
        for (column, category) in categories.iter().enumerate() {
            write!(out, " c{column}=v{category}")?;
        }
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Time that this thread was on a processor, in nanoseconds; it moves with the scheduler's ticks of some milliseconds.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no time in schedstat")?.parse()?)
}
