//! `tidewheel bench …`: figures that anyone can have again.

mod bare;
mod pipeline;

use super::exit::Failure;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The whole pipeline on a real Kafka, next to a bare pipe that does no work, in the same run
    Pipeline(pipeline::Args),
}

pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Pipeline(args) => pipeline::run(args),
    }
}
