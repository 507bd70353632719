use actix::clock::sleep;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Failure;
use super::{ConfigArgs, telemetry};
use crate::pipeline::{Options, Service, ServiceError};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Begin untrained where the configuration does not fit the stored state
    #[arg(long, value_name = "WHAT", value_parser = ["model"])]
    reset: Option<String>,
}

/// What ended the wait.
enum Ended {
    Signal(&'static str),
    Pipeline,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let config = args.config.load()?;
    telemetry::log(&config.log)?;
    let metrics = telemetry::metrics()?;
    let options = Options { reset_model: args.reset.is_some(), ..Options::default() };
    actix::System::new().block_on(async move {
        let service = Service::start(&config, options, move || metrics.render()).await?;
        tracing::info!(address = %service.address, "listening");
        let ended = wait(&service).await.map_err(|source| {
            Failure::Service(ServiceError::Data { dir: config.data.dir.clone(), source })
        })?;
        match ended {
            Ended::Signal(name) => tracing::info!(signal = name, "stopping"),
            Ended::Pipeline => tracing::error!("a pipeline ended: stopping"),
        }
        Ok(service.stop("signal", "the process was asked to stop").await?)
    })
}

async fn wait(service: &Service) -> std::io::Result<Ended> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(tokio::select! {
        _ = interrupt.recv() => Ended::Signal("SIGINT"),
        _ = terminate.recv() => Ended::Signal("SIGTERM"),
        () = service.ended() => {
            // Let its last words reach the log before ours.
            sleep(Duration::from_millis(10)).await;
            Ended::Pipeline
        }
    })
}
