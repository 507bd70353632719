//! How fast the sparse learner learns rows of hashed features: 30 categories a row, hashing included.
//!
//! ```text
//! cargo run --release --example hashed -- [BITS] [ROWS]
//! ```
//!
//! Two distributions: categories uniform among 100,000 a column (almost every feature misses every cache), and Zipf's law
//! (as words and sites are). "slots" hashes the categories' 64-bit hashes as `Rows` has them, "text" also the texts.

use std::error::Error;

use tidewheel::config::{FtrlConfig, SparseStep};
use tidewheel::learn::ftrl::FtrlLearner;
use tidewheel::learn::{Columns, Context, Examples, Learner, Objective, Predictions, Shape};
use tidewheel::schema::Rows;
use xxhash_rust::xxh3::xxh3_64;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FEATURES: usize = 30;
const CATEGORIES: u64 = 100_000;
const BATCH: usize = 1_000;

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn category(&mut self, zipf: bool) -> u64 {
        // Of exponent 1, the distribution function is log(rank) / log(CATEGORIES), nearly.
        if zipf { (CATEGORIES as f64).powf(self.unit()) as u64 } else { self.bits() % CATEGORIES }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bits = arguments.next().map_or(Ok(22), |text| text.parse())?;
    let rows: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    println!("{:12} {:10} {:>8} {:>12} {:>12}", "step", "categories", "input", "rows/CPU-s", "ns/feature");
    for zipf in [false, true] {
        let mut random = Random(1);
        let texts: Vec<String> =
            (0..rows * FEATURES).map(|_| format!("c{}", random.category(zipf))).collect();
        let hashes: Vec<u64> = texts.iter().map(|text| xxh3_64(text.as_bytes()).max(1)).collect();
        for step in [SparseStep::Ftrl, SparseStep::Adaptive, SparseStep::PassiveAggressive] {
            for text in [false, true] {
                let config = FtrlConfig { bits, step, ..FtrlConfig::default() };
                let seconds = learn(&config, &hashes, text.then_some(texts.as_slice()))?;
                let speed = rows as f64 / seconds;
                println!(
                    "{:12} {:10} {:>8} {speed:>12.0} {:>12.2}",
                    format!("{step:?}").chars().take(12).collect::<String>(),
                    if zipf { "zipf" } else { "uniform" },
                    if text { "text" } else { "slots" },
                    1e9 / (speed * FEATURES as f64)
                );
            }
        }
    }
    Ok(())
}

/// CPU-seconds that learning all rows takes.
fn learn(config: &FtrlConfig, hashes: &[u64], texts: Option<&[String]>) -> Result<f64, Box<dyn Error>> {
    let objective = Objective::Classify { classes: 2 };
    let shape = Shape { numeric: 0, categorical: FEATURES, objective };
    let mut learner = FtrlLearner::new(config, &shape, &Columns::numbered(0, FEATURES));
    let context = Context { entry: 1, seed: 1, time_ms: 0 };
    let (weights, mut out) = ([1.0; BATCH], Predictions::default());
    let mut batches: Vec<(Rows, Vec<f32>)> = hashes
        .chunks(BATCH * FEATURES)
        .map(|hashes| {
            let mut rows = Rows::with_capacity(0, FEATURES, BATCH);
            hashes.chunks_exact(FEATURES).for_each(|hashes| rows.push(&[], hashes));
            // A label that follows from two of the features.
            let targets = hashes.chunks_exact(FEATURES).map(|row| ((row[0] ^ row[1]) & 1) as f32);
            (rows, targets.collect())
        })
        .collect();
    let mut row = [0; FEATURES];
    let before = cpu_ns()?;
    for (index, (rows, targets)) in batches.iter_mut().enumerate() {
        if let Some(texts) = texts {
            rows.clear();
            for texts in texts[index * BATCH * FEATURES..][..targets.len() * FEATURES].chunks_exact(FEATURES)
            {
                for (hash, text) in row.iter_mut().zip(texts) {
                    *hash = xxh3_64(text.as_bytes()).max(1);
                }
                rows.push(&[], &row);
            }
        }
        let examples = Examples { rows, targets, weights: &weights[..targets.len()] };
        learner.learn(examples, &context, &mut out);
    }
    Ok((cpu_ns()? - before) as f64 / 1e9)
}

/// Time that this thread was on a processor, in nanoseconds; it moves with the scheduler's ticks of some milliseconds.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no time in schedstat")?.parse()?)
}
