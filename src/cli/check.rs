use std::path::PathBuf;

use super::exit::Failure;
use crate::config::Config;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration to check
    #[arg(required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// Print the JSON Schema of the configuration instead
    #[arg(long)]
    schema: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    if args.schema {
        println!("{:#}", Config::json_schema());
        return Ok(());
    }
    if let Some(file) = &args.file {
        let config = Config::load(file, super::environment())?;
        let names: Vec<&str> = config.pipeline.keys().map(String::as_str).collect();
        println!("{}: no faults; pipelines: {}", file.display(), names.join(", "));
    }
    Ok(())
}
