//! What publishing costs, and how fast one row is answered: the time of `publish` and the bytes that it allocates after 1,
//! 100 and 10,000 further examples, and the time that the published predictor takes for a single row.
//!
//! ```text
//! cargo run --release --example publish -- 'learner = "auto"' ['knn.k = 1' …]
//! ```
//!
//! The arguments are the model's configuration, line by line in TOML. The examples are rows of Elec2 as `loadgen` ships it,
//! over and over.

use std::alloc::{GlobalAlloc, Layout};
use std::error::Error;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidewheel::config::ModelConfig;
use tidewheel::learn::{Columns, Context, Examples, Learner, Objective, Predictions, Shape, build};
use tidewheel::schema::Rows;

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to mimalloc as it came; counting touches no memory but the counter.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that mimalloc wants.
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block is mimalloc's.
        unsafe { mimalloc::MiMalloc.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ASKED: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let lines: Vec<String> = std::env::args().skip(1).collect();
    let model: ModelConfig = toml::from_str(&lines.join("\n"))?;
    let (columns, rows, targets) = elec2()?;
    let shape = Shape {
        numeric: rows.numeric_width(),
        categorical: 0,
        objective: Objective::Classify { classes: 2 },
    };
    let mut learner = build(&model, &shape, &columns);
    let mut next = 0;
    let mut teach = |learner: &mut dyn Learner, count: usize| {
        let context = Context { entry: 1, seed: model.seed, time_ms: 0 };
        let mut out = Predictions::default();
        for _ in 0..count {
            let mut one = Rows::new(shape.numeric, 0);
            one.push_from(&rows, next % rows.len());
            learner.observe(&mut one);
            let targets = &targets[next % rows.len()..][..1];
            learner.learn(Examples { rows: &one, targets, weights: &[1.0] }, &context, &mut out);
            next += 1;
        }
    };
    teach(learner.as_mut(), 20_000);
    let mut last = learner.publish();
    println!("{} on elec2, after 20,000 examples", model.learner.name());
    println!("{:>16} {:>14} {:>14}", "examples since", "publish p50", "bytes p50");
    for (count, rounds) in [(1, 500), (100, 50), (10_000, 3)] {
        let (mut times, mut bytes) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            teach(learner.as_mut(), count);
            let before = ALLOCATED.load(Ordering::Relaxed);
            let start = Instant::now();
            last = learner.publish();
            times.push(start.elapsed());
            bytes.push(ALLOCATED.load(Ordering::Relaxed) - before);
        }
        times.sort();
        bytes.sort_unstable();
        println!("{count:>16} {:>14} {:>14}", micros(times[rounds / 2]), bytes[rounds / 2]);
    }
    let mut times = Vec::with_capacity(ASKED);
    let mut out = Predictions::default();
    for row in 0..ASKED {
        let mut one = Rows::new(shape.numeric, 0);
        one.push_from(&rows, (next + row) % rows.len());
        let start = Instant::now();
        last.predict(&one, &mut out);
        times.push(start.elapsed());
    }
    times.sort();
    println!(
        "one row from the predictor: p50 {}, p99 {}",
        micros(times[ASKED / 2]),
        micros(times[ASKED * 99 / 100])
    );
    Ok(())
}

fn micros(time: Duration) -> String {
    format!("{:.2} µs", time.as_secs_f64() * 1e6)
}

fn elec2() -> Result<(Columns, Rows, Vec<f32>), Box<dyn Error>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&include_bytes!("../loadgen/data/elec2.csv.gz")[..])
        .read_to_string(&mut text)?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().ok_or("no header")?.split(',').collect();
    let (features, _) = names.split_at(names.len() - 1);
    let columns =
        Columns { numeric: features.iter().map(|name| (*name).to_owned()).collect(), categorical: vec![] };
    let mut rows = Rows::new(features.len(), 0);
    let mut targets = Vec::new();
    for line in lines {
        let numbers: Vec<f32> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let (target, numeric) = numbers.split_last().ok_or("an empty line")?;
        rows.push(numeric, &[]);
        targets.push(*target);
    }
    Ok((columns, rows, targets))
}
