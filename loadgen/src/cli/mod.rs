mod audit;
mod http;
mod stream;

use std::error::Error;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tidewheel_loadgen::audit::AuditError;
use tidewheel_loadgen::replay::ReplayError;

/// Event streams, load and checks for Tidewheel.
///
/// Exit codes: 0 clean; 1 something failed, or a check did; 2 wrong usage; 3 Kafka unreachable.
#[derive(Parser)]
#[command(name = "loadgen", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send a stream's events, and their labels one event later, to Kafka.
    Stream(stream::StreamArgs),
    /// Check what the service left on its topics and in its journal.
    Audit(audit::AuditArgs),
    /// Ask for predictions over HTTP at a constant rate, and print the latencies.
    Http(http::HttpArgs),
}

/// How to reach the brokers.
#[derive(Args)]
struct KafkaArgs {
    /// Bootstrap brokers, separated by commas.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    brokers: String,
    /// Further librdkafka properties, such as security.protocol=SSL; may be given several times.
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

/// What the process says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Clean,
    Failed,
    Usage,
    KafkaUnreachable,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Clean => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::KafkaUnreachable => 3,
        })
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Stream(args) => args.run(),
        Command::Audit(args) => args.run(),
        Command::Http(args) => args.run(),
    };
    result
        .unwrap_or_else(|error| {
            eprintln!("loadgen: {error}");
            outcome_of(&*error)
        })
        .into()
}

fn outcome_of(error: &(dyn Error + 'static)) -> Outcome {
    let replay = error.downcast_ref::<ReplayError>();
    let audit = error.downcast_ref::<AuditError>();
    match (replay, audit) {
        (Some(ReplayError::Unreachable { .. }), _) | (_, Some(AuditError::Unreachable { .. })) => {
            Outcome::KafkaUnreachable
        }
        (Some(ReplayError::Rate(_) | ReplayError::Rows { .. } | ReplayError::Config(_)), _)
        | (_, Some(AuditError::Config(_))) => Outcome::Usage,
        _ if error.is::<tidewheel_loadgen::streams::StreamError>() => Outcome::Usage,
        _ => match error.downcast_ref::<tidewheel_loadgen::http::HttpError>() {
            Some(tidewheel_loadgen::http::HttpError::Setting { .. }) => Outcome::Usage,
            _ => Outcome::Failed,
        },
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err(format!("{text:?}, expected KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn properties_are_split_at_the_first_equals_sign() {
        assert_eq!(property("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(property("a").is_err());
        assert!(property("=b").is_err());
    }

    #[test]
    fn faults_have_the_exit_codes_of_the_contract() {
        let usage: Box<dyn Error> = Box::new(ReplayError::Rate(-1.0));
        let failed: Box<dyn Error> = Box::new(ReplayError::Unacknowledged { records: 1, seconds: 1 });

        assert_eq!(outcome_of(&*usage), Outcome::Usage);
        assert_eq!(outcome_of(&*failed), Outcome::Failed);
    }
}
