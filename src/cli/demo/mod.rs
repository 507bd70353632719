//! `tidewheel demo`: a broker, a stream of real events, the service, and what came of it.

mod progress;
mod table;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use tidewheel_loadgen::replay::{Progress, Replay, ReplayReport};
use tidewheel_loadgen::streams::{Source, Stream};

use super::exit::Failure;
use super::telemetry;
use crate::config::{Config, LearnerKind};
use crate::pipeline::{Options, Running, Service, Setup};
use crate::stream::EmbeddedBroker;

/// A paced demo takes about so long.
const PACED_SECONDS: f64 = 20.0;
/// How long the service may take to catch up with the end of the stream.
const SETTLE: Duration = Duration::from_secs(60);

/// The learners that can tell classes apart.
fn classifiers() -> impl Iterator<Item = &'static str> {
    LearnerKind::ALL.into_iter().filter(|kind| *kind != LearnerKind::Mean).map(LearnerKind::name)
}

#[derive(clap::Args)]
pub struct Args {
    /// The stream to replay: elec2 or sea_abrupt
    #[arg(long, default_value = "elec2", value_parser = ["elec2", "sea_abrupt"])]
    stream: String,
    /// `max`: as fast as it goes, instead of about 20 seconds
    #[arg(long, value_parser = ["max"])]
    speed: Option<String>,
    /// Seed of the model
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Family of the learner, in place of the configured one
    #[arg(long, value_parser = PossibleValuesParser::new(classifiers()))]
    learner: Option<String>,
    /// Data folder; it must not hold an earlier demo. Default: a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port of the HTTP server; the next free one is taken where it is in use
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// End after the table instead of serving on
    #[arg(long)]
    exit: bool,
}

const ELEC2: &str = include_str!("../../../config/demo.toml");
const SEA_ABRUPT: &str = include_str!("../../../config/sea_abrupt.toml");

pub fn run(args: Args) -> Result<(), Failure> {
    let temporary = tempfile::Builder::new()
        .prefix("tidewheel-demo-")
        .tempdir()
        .map_err(|error| Failure::Usage(format!("no temporary folder: {error}")))?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    let config = configure(&args, data)?;
    telemetry::log(&config.log)?;
    let metrics = telemetry::metrics()?;
    let broker = EmbeddedBroker::start().map_err(crate::pipeline::ServiceError::from)?;
    let mut config = config;
    config.kafka.brokers = broker.address();
    // The mock cluster answers an empty fetch only after this long, whatever arrives meanwhile.
    config.kafka.properties.insert("fetch.wait.max.ms".into(), "5".into());
    for (name, pipeline) in &config.pipeline {
        for spec in Setup::new(name, pipeline).topics() {
            broker.create_topic(&spec.name, 1).map_err(crate::pipeline::ServiceError::from)?;
        }
    }
    let listener = listen(args.port)?;
    actix::System::new().block_on(async move {
        let options = Options { embedded: true, listener: Some(listener), ..Options::default() };
        let service = Service::start(&config, options, move || metrics.render()).await?;
        let result = show(&args, &config, &service).await;
        service.stop("demo", "the demo ends").await?;
        result
    })
}

fn configure(args: &Args, data: PathBuf) -> Result<Config, Failure> {
    if data.join("pipelines").exists() {
        return Err(Failure::Usage(format!(
            "--data {}: it holds an earlier demo, whose topics ended with its process; expected a new or empty folder",
            data.display()
        )));
    }
    let text = if args.stream == "elec2" { ELEC2 } else { SEA_ABRUPT };
    // The log would tear the progress line.
    let mut settings =
        vec![("TIDEWHEEL_LOG__LEVEL".to_owned(), "error,rdkafka=off,librdkafka=off".to_owned())];
    settings.extend(super::environment());
    let mut config = Config::parse(text, settings)?;
    config.data.dir = data;
    for pipeline in config.pipeline.values_mut() {
        pipeline.model.seed = args.seed;
        if let Some(learner) = &args.learner {
            pipeline.model.learner = LearnerKind::named(learner).expect("clap takes no other name");
        }
    }
    Ok(config)
}

fn listen(port: u16) -> Result<TcpListener, Failure> {
    let ports = port..=port.saturating_add(100);
    ports
        .clone()
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .ok_or_else(|| Failure::Usage(format!("no free port from {} to {}", ports.start(), ports.end())))
}

/// Replays the stream, shows how it goes, and prints the table; ends early on Ctrl-C.
async fn show(args: &Args, config: &Config, service: &Service) -> Result<(), Failure> {
    let running = &service.pipelines()[0];
    let name = running.pipeline.name().to_string();
    let stream = Stream::from_str(&args.stream).unwrap_or(Stream::Elec2);
    let source = stream.open().map_err(|error| Failure::Usage(error.to_string()))?;
    let rows = source.rows();
    let pace =
        if args.speed.is_some() { "at full speed".into() } else { format!("in about {PACED_SECONDS} s") };
    println!("tidewheel demo: {rows} events of {} {pace}; http://{}", args.stream, service.address);

    let pipeline = &config.pipeline[&name];
    let status = running.status.clone();
    let mut replay = Replay::new(
        &config.kafka.brokers,
        &pipeline.events.topic,
        pipeline.labels.as_ref().map_or("", |labels| &labels.topic),
    );
    replay.rate = args.speed.is_none().then(|| rows as f64 / PACED_SECONDS);
    replay.gate = Some(Arc::new(move || status.records_read()));
    let (stop, sent) = (replay.stop.clone(), replay.progress.clone());
    let start = Instant::now();
    let replaying = std::thread::spawn(move || replay.run(&source));
    let interrupted = watch(running, &sent, &stop, start).await;
    let report = replaying
        .join()
        .map_err(|_| Failure::Check("the replay panicked".into()))?
        .map_err(|error| Failure::Check(format!("the replay failed: {error}")))?;
    let seconds = start.elapsed().as_secs_f64();
    if interrupted {
        println!("\ninterrupted after {} of {rows} events; stopping", report.events);
        return Ok(());
    }
    finish(args, service, &name, &report, seconds).await
}

/// Shows progress until everything that was sent is read; true when it was interrupted.
async fn watch(running: &Running, sent: &Progress, stop: &AtomicBool, start: Instant) -> bool {
    let mut line = progress::Line::new(start);
    let mut settled_by = None;
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            _ = &mut interrupt => {
                stop.store(true, Ordering::SeqCst);
                return true;
            }
            () = actix::clock::sleep(Duration::from_millis(100)) => {}
        }
        let (events, labels) = (sent.events.load(Ordering::Relaxed), sent.labels.load(Ordering::Relaxed));
        let report = running.status.last_report();
        line.show(report.as_deref(), events, labels);
        let finished = sent.finished.load(Ordering::SeqCst);
        let read = report.map_or(0, |report| report.accounts.events.read + report.accounts.labels.read);
        if finished && settled_by.is_none() {
            settled_by = Some(Instant::now() + SETTLE);
        }
        let late = settled_by.is_some_and(|by| Instant::now() > by);
        if running.pipeline.is_finished() || late || (finished && read >= events + labels) {
            line.end();
            return false;
        }
    }
}

async fn finish(
    args: &Args,
    service: &Service,
    name: &str,
    replayed: &ReplayReport,
    seconds: f64,
) -> Result<(), Failure> {
    let running = &service.pipelines()[0];
    let report = running
        .status
        .last_report()
        .ok_or_else(|| Failure::Check("the pipeline never came to work".into()))?;
    print!("{}", table::Table { report: &report, replayed, swaps: running.serving.swaps(), seconds });
    if !report.accounts.add_up() {
        return Err(Failure::Check(format!("the accounts do not add up: {:?}", report.accounts)));
    }
    if args.exit {
        return Ok(());
    }
    let id = format!("{}-{:06}", args.stream, replayed.events);
    let features = table::features(&args.stream);
    let base = format!("http://{}/v1/models/{name}", service.address);
    println!("\nStill serving, until Ctrl-C:");
    println!("  curl -s {base}/predict -H 'content-type: application/json' -d '{{\"features\":{features}}}'");
    println!("  curl -s {base}/predictions/{id}");
    println!("  curl -s {base}/monitor");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = service.ended() => {}
    }
    Ok(())
}
