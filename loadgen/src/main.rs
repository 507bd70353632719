//! `loadgen`: sends streams into Kafka, puts load on HTTP, and audits what the service left on its topics.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
