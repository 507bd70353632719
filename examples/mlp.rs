//! How fast the multi-layer perceptron learns, by each of its engines: 32 standardised inputs, two hidden layers of 64
//! units, one output, mini-batches of 256, plain gradient descent and Adam.
//!
//! ```text
//! cargo run --release --example mlp -- [ROWS] [STEP_ROWS]
//! ```

use std::error::Error;

use tidewheel::config::{MlpConfig, MlpEngine, Optimiser};
use tidewheel::learn::neural::MlpLearner;
use tidewheel::learn::{Context, Examples, Learner, Objective, Predictions, Shape};
use tidewheel::schema::Rows;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const INPUTS: usize = 32;
const BATCH: usize = 1_024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let step_rows_max: usize = arguments.next().map_or(Ok(256), |text| text.parse())?;
    let batches: Vec<(Rows, Vec<f32>)> = (0..16).map(batch).collect();
    println!("{:8} {:8} {:>16} {:>10}", "engine", "step", "examples/CPU-s", "error");
    for optimiser in [Optimiser::Sgd, Optimiser::Adam, Optimiser::Adagrad] {
        for engine in [MlpEngine::Native, MlpEngine::Burn] {
            let config = MlpConfig {
                engine,
                hidden: vec![64, 64],
                optimiser,
                rate: 0.01,
                step_rows_max,
                ..MlpConfig::default()
            };
            let shape = Shape { numeric: INPUTS, categorical: 0, objective: Objective::Regress };
            let mut learner = MlpLearner::new(&config, 1, 1, &shape);
            let context = Context { entry: 1, seed: 1, time_ms: 0 };
            let (weights, mut out) = ([1.0; BATCH], Predictions::default());
            let rows = if engine == MlpEngine::Burn { rows / 4 } else { rows };
            let calls = rows.div_ceil(BATCH);
            let before = cpu_ns()?;
            for call in 0..calls {
                let (rows, targets) = &batches[call % batches.len()];
                learner.learn(Examples { rows, targets, weights: &weights }, &context, &mut out);
            }
            let seconds = (cpu_ns()? - before) as f64 / 1e9;
            let (_, targets) = &batches[(calls - 1) % batches.len()];
            let squares = out.values.iter().zip(targets).map(|(value, target)| (value - target).powi(2));
            let error = (squares.sum::<f32>() / BATCH as f32).sqrt();
            let (engine, optimiser) = (format!("{engine:?}"), format!("{optimiser:?}"));
            println!("{engine:8} {optimiser:8} {:>16.0} {error:>10.4}", (calls * BATCH) as f64 / seconds);
        }
    }
    Ok(())
}

/// Rows of uniform numbers, with a target that takes a hidden layer.
fn batch(number: u64) -> (Rows, Vec<f32>) {
    let mut state = number + 1;
    let mut uniform = || {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut rows = Rows::with_capacity(INPUTS, 0, BATCH);
    let mut targets = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let row: [f32; INPUTS] = std::array::from_fn(|_| uniform());
        targets.push(row[0] * row[1] + row[2].abs() + row[3]);
        rows.push(&row, &[]);
    }
    (rows, targets)
}

/// Time that this thread was on a processor, in nanoseconds; it moves with the scheduler's ticks of some milliseconds.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no time in schedstat")?.parse()?)
}
