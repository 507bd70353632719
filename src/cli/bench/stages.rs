use std::sync::Arc;

use tidewheel_loadgen::streams::{Source, Synthetic};

use super::pipeline;
use crate::cli::exit::Failure;
use crate::cli::machine;
use crate::pipeline::{Setup, StageCosts, stage_costs};
use crate::stream::{Records, RecordsBuilder};

#[derive(clap::Args)]
pub struct Args {
    /// Events in each round
    #[arg(long, default_value_t = 300_000)]
    events: u64,
    /// Events in a batch
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    batch: u64,
    /// Rounds; least and median are printed
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let config = pipeline::configure("127.0.0.1:1", "bench.events")?;
    let setup = Arc::new(Setup::new("bench", &config.pipeline["bench"]));
    let batches = batches(args);
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let costs = stage_costs(&setup, &batches, machine::thread_cpu_ns);
        rounds.push(costs.map_err(|error| Failure::Check(error.to_string()))?);
    }
    println!("nanoseconds of CPU an event, {} rounds of {} events", args.rounds, args.events);
    println!("{:10} {:>8} {:>8}", "stage", "least", "median");
    let stages = |costs: &StageCosts| [costs.describe_ns, costs.decode_ns, costs.apply_ns];
    for (index, name) in ["describe", "decode", "apply"].into_iter().enumerate() {
        let mut each: Vec<f64> =
            rounds.iter().map(|costs| stages(costs)[index] as f64 / costs.events as f64).collect();
        each.sort_by(f64::total_cmp);
        println!("{name:10} {:>8.0} {:>8.0}", each[0], each[each.len() / 2]);
    }
    Ok(())
}

/// The events of `bench pipeline`, as a consumer hands them over.
fn batches(args: &Args) -> Vec<Records> {
    let source = Synthetic::new(args.events, pipeline::FEATURES, 1);
    let topics: Arc<[Arc<str>]> = ["bench.events".into()].into();
    let mut builder = RecordsBuilder::new(topics);
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut batches = Vec::new();
    for row in 0..args.events {
        key.clear();
        value.clear();
        source.key(row, &mut key);
        source.event_json(row, &mut value);
        let headers = std::iter::empty();
        builder.push(0, 0, row as i64, 1_700_000_000_000, false, Some(&key), Some(&value), headers);
        if (row + 1) % args.batch == 0 || row + 1 == args.events {
            batches.push(builder.take());
        }
    }
    batches
}
