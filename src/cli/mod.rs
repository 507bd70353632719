//! The command line: one file a subcommand.

mod bench;
mod check;
mod demo;
pub mod exit;
mod journal;
mod machine;
mod rebuild;
pub mod replay;
mod run;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use exit::Failure;

/// Streaming machine learning that never stops learning: Kafka in, predictions out, learned exactly once.
#[derive(Parser)]
#[command(version, about, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replays a CSV file: every row is predicted, then learned; prints scores and a learning curve
    Replay(replay::Args),
    /// Everything in one process: a broker, a stream of real events, learning, and answers over HTTP
    Demo(demo::Args),
    /// The service: reads, predicts, learns and answers until it is told to stop
    Run(run::Args),
    /// Makes a stored version again from the journal, and compares digests
    Rebuild(rebuild::Args),
    /// Prints the entries of a journal, one JSON object a line; also beside a running process
    Journal(journal::Args),
    /// Checks a configuration file and prints every fault at once
    Check(check::Args),
    /// Measures, next to what is possible on the same machine in the same run
    Bench(bench::Args),
}

/// Where a configuration comes from.
#[derive(clap::Args)]
struct ConfigArgs {
    /// The configuration, a TOML file; TIDEWHEEL_SECTION__KEY variables override it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The data folder, in place of `data.dir`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, Failure> {
        let mut config = Config::load(&self.config, environment())?;
        if let Some(dir) = &self.data {
            config.data.dir.clone_from(dir);
        }
        Ok(config)
    }
}

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
}

/// Parses the arguments, runs the command, says what went wrong and returns the exit code.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Replay(args) => replay::run(&args),
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tidewheel: {failure}");
            failure.code()
        }
    }
}
