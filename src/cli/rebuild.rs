use super::exit::Failure;
use super::journal::choose;
use super::{ConfigArgs, telemetry};
use crate::pipeline::{PipelineError, Places, ServiceError, Setup, machine_class, rebuild};
use crate::registry::VersionStore;
use crate::stream::Endpoint;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// The pipeline; may be left out where there is only one
    #[arg(long)]
    pipeline: Option<String>,
    /// The version to make again, or `latest`
    #[arg(long, default_value = "latest")]
    to: String,
    /// Apply the journal from its first entry, without a checkpoint
    #[arg(long)]
    from_nothing: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let config = args.config.load()?;
    telemetry::log(&config.log)?;
    let name = choose(&config, args.pipeline.as_deref())?;
    let places = Places::new(&config.data.dir, name);
    let versions = VersionStore::new(&places.root);
    let registry = |error| Failure::Service(ServiceError::Pipeline(PipelineError::Registry(error)));
    let version = match args.to.as_str() {
        "latest" => versions
            .latest()
            .map_err(registry)?
            .ok_or_else(|| Failure::Usage(format!("pipeline {name} has no stored version yet")))?,
        number => number.parse().map_err(|_| {
            Failure::Usage(format!("--to {number:?}: expected the number of a version, or `latest`"))
        })?,
    };
    let manifest = versions.manifest(version).map_err(registry)?;
    let setup = Setup::new(name, &config.pipeline[name]);
    let rebuilt = rebuild(setup, &places, &Endpoint::new(&config.kafka), &manifest, args.from_nothing)?;

    let how = if args.from_nothing { "from entry 1" } else { "from the nearest checkpoint" };
    println!("version {version} of {name}, entry {}, rebuilt {how}", manifest.entry);
    println!("{:<9} {:<64}  {:<64}", "", "stored", "rebuilt");
    let stored = &manifest.digests;
    let rows = [
        ("model", &stored.model, &rebuilt.model),
        ("monitors", &stored.monitors, &rebuilt.monitors),
        ("join", &stored.join, &rebuilt.join),
        ("state", &stored.state, &rebuilt.state),
    ];
    for (part, stored, rebuilt) in rows {
        println!("{part:<9} {stored}  {rebuilt}  {}", if stored == rebuilt { "equal" } else { "DIFFERENT" });
    }
    let here = machine_class();
    if manifest.machine != here {
        println!("stored by {:?}, rebuilt by {here:?}: digests are reported, not compared", manifest.machine);
        return Ok(());
    }
    if rebuilt != *stored {
        return Err(Failure::Check(format!("version {version} could not be rebuilt: the digests differ")));
    }
    Ok(())
}
