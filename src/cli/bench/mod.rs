//! `tidewheel bench …`: figures that anyone can have again.

mod bare;
mod pipeline;
mod stages;

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
    /// What each pure stage of that pipeline takes for an event, on one thread, without Kafka
    Stages(stages::Args),
}

pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Pipeline(args) => pipeline::run(args),
        What::Stages(args) => stages::run(args),
    }
}
