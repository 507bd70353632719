use std::io::{self, Write};

use super::ConfigArgs;
use super::exit::Failure;
use crate::config::Config;
use crate::journal::Replay;
use crate::pipeline::{Places, Setup};
use crate::stream::Endpoint;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// The pipeline; may be left out where there is only one
    #[arg(long)]
    pipeline: Option<String>,
    /// First entry to print
    #[arg(long, default_value_t = 1)]
    from: u64,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let config = args.config.load()?;
    let name = choose(&config, args.pipeline.as_deref())?;
    let setup = Setup::new(name, &config.pipeline[name]);
    let home = setup.journal_home(&Places::new(&config.data.dir, name), &Endpoint::new(&config.kafka));
    // What `journal.trim` removed is not there to be printed.
    let from = args.from.max(home.first_entry()?);
    let mut replay = Replay::open(&home, from, u64::MAX)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    while let Some(entry) = replay.next_entry()? {
        let mut line = entry.to_json();
        line.push(b'\n');
        if out.write_all(&line).is_err() {
            // Whoever read has seen enough.
            return Ok(());
        }
    }
    let _ = out.flush();
    Ok(())
}

/// The pipeline that is meant.
pub fn choose<'a>(config: &'a Config, asked: Option<&'a str>) -> Result<&'a str, Failure> {
    let names: Vec<&str> = config.pipeline.keys().map(String::as_str).collect();
    match asked {
        Some(name) if config.pipeline.contains_key(name) => Ok(name),
        Some(name) => {
            Err(Failure::Usage(format!("no pipeline {name:?}, expected one of {}", names.join(", "))))
        }
        None if names.len() == 1 => Ok(names[0]),
        None => Err(Failure::Usage(format!("say which with --pipeline: {}", names.join(", ")))),
    }
}
