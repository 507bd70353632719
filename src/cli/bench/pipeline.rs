use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tidewheel_loadgen::broker::{Broker, BrokerOptions, KafkaJars};
use tidewheel_loadgen::replay::Replay;
use tidewheel_loadgen::streams::Synthetic;

use super::super::machine;
use super::bare;
use crate::cli::exit::Failure;
use crate::cli::telemetry;
use crate::config::{Config, JournalKind};
use crate::pipeline::{Options, Report, Service};
use crate::stream::{Endpoint, Position, SourceConsumer, TopicSpec, ensure_topics};

const TOPIC: &str = "bench.events";
/// Events come with their own time, so each kind of pass needs a topic of its own.
const PACED_TOPICS: [&str; 2] = ["bench.paced", "bench.paced.exact"];
const OUT: &str = "bench.bare";
const PARTITIONS: i32 = 4;
pub(super) const FEATURES: usize = 10;
/// Memory is compared from this many events on.
const RSS_FROM: u64 = 1_000_000;

#[derive(clap::Args)]
pub struct Args {
    /// Events in each pass
    #[arg(long, default_value_t = 3_000_000)]
    events: u64,
    /// Passes of each kind before those that count: Kafka's byte code is compiled on the same cores for its first two
    /// minutes of work, and costs it three times as much until then
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    warm: u64,
    /// Passes of each kind, in turn; medians are printed
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    passes: u64,
    /// A running Kafka; otherwise one is started from the jars in .kafka/libs (see deploy/kafka/fetch)
    #[arg(long)]
    brokers: Option<String>,
    /// Events a second in the freshness pass
    #[arg(long, default_value_t = 10_000)]
    paced: u64,
    /// Seconds of the freshness pass
    #[arg(long, default_value_t = 10)]
    paced_seconds: u64,
    /// Passes with the journal in Kafka, exactly once, beside those with files
    #[arg(long)]
    exactly_once: bool,
    /// A librdkafka property of the pipeline's clients, as in `kafka.properties` of the config; the bare pipe keeps ours
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Folder for data, on the disk that is to be measured; default: a temporary one
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What one pass of the pipeline gave.
struct Pass {
    seconds: f64,
    spent: Spent,
    rss_early: u64,
    rss_end: u64,
    report: Report,
}

/// CPU seconds: of this process by thread, and of the Kafka that this command started.
#[derive(Clone)]
struct Spent {
    threads: BTreeMap<String, f64>,
    /// Threads that have ended included.
    all: f64,
    kafka: Option<f64>,
}

impl Spent {
    fn until_now(kafka: Option<u32>) -> Self {
        Self {
            threads: machine::cpu_seconds(),
            all: machine::process_cpu_seconds(std::process::id()).unwrap_or_default(),
            kafka: kafka.and_then(machine::process_cpu_seconds),
        }
    }

    fn since(mut self, before: Self) -> Self {
        for (thread, seconds) in before.threads {
            *self.threads.entry(thread).or_insert(0.0) -= seconds;
        }
        self.all -= before.all;
        self.kafka = self.kafka.zip(before.kafka).map(|(now, before)| now - before);
        self
    }

    fn print(&self, events: f64) {
        let mut threads: Vec<_> = self.threads.iter().collect();
        threads.sort_by(|a, b| b.1.total_cmp(a.1));
        for (thread, seconds) in threads {
            let each = seconds / events * 1e6;
            if each >= 0.005 {
                println!("  {thread:<16} {each:.3}");
            }
        }
        println!("  {:<16} {:.3}", "all", self.all / events * 1e6);
        if let Some(kafka) = self.kafka {
            println!("  {:<16} {:.3}", "beside: kafka", kafka / events * 1e6);
        }
    }
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let temporary = tempfile::tempdir().map_err(|error| Failure::Usage(error.to_string()))?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    std::fs::create_dir_all(&data).map_err(|error| Failure::Usage(format!("{}: {error}", data.display())))?;
    let mut started = None;
    let brokers = match &args.brokers {
        Some(brokers) => brokers.clone(),
        None => started.insert(start_broker(&temporary.path().join("kafka"))?).address(),
    };
    let kafka = started.as_ref().and_then(Broker::pid);
    let metrics = telemetry::metrics()?;
    let mut config = configure(&brokers, TOPIC)?;
    let plain = Endpoint::new(&config.kafka);
    config.kafka.properties.extend(args.properties.iter().cloned());
    let config = config;
    telemetry::log(&config.log)?;
    actix::System::new().block_on(async {
        let endpoint = plain;
        let topics: Vec<TopicSpec> = [TOPIC, OUT].iter().chain(&PACED_TOPICS).map(|topic| spec(topic)).collect();
        ensure_topics(&endpoint, &topics).await.map_err(crate::pipeline::ServiceError::from)?;
        println!("loading {} events of {FEATURES} numbers, label in the event, {PARTITIONS} partitions", args.events);
        load(&brokers, TOPIC, args.events, None)?;
        let (mut passes, mut exact, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        let spent = || Spent::until_now(kafka);
        for pass in 0..args.warm + args.passes {
            let dir = data.join(format!("pass-{pass}"));
            let render = metrics.clone();
            passes.push(pipeline_pass(&config, dir, args.events, kafka, move || render.render()).await?);
            if args.exactly_once {
                let (config, render) = (in_kafka(&config, &format!("bench.journal.{pass}")), metrics.clone());
                let dir = data.join(format!("exact-{pass}"));
                exact.push(pipeline_pass(&config, dir, args.events, kafka, move || render.render()).await?);
            }
            let values = predictions(&endpoint)?;
            let value_bytes = values.iter().map(Vec::len).sum::<usize>() / values.len();
            let before = spent();
            let took = bare::run(&endpoint, TOPIC, PARTITIONS, OUT, &values, args.events)
                .map_err(crate::pipeline::ServiceError::from)?;
            bares.push((took.as_secs_f64(), spent().since(before)));
            let rate = |seconds: f64| args.events as f64 / seconds / 1e6;
            let (last, bare) = (&passes[passes.len() - 1], &bares[bares.len() - 1]);
            let cost = |spent: &Spent| (spent.all + spent.kafka.unwrap_or_default()) / args.events as f64 * 1e6;
            println!(
                "pass {pass}{}: pipeline {:.3} M/s ({:.2} CPU s a million), bare pipe {:.3} M/s ({:.2}; predictions of \
                 {value_bytes} bytes), ratio {:.2}",
                if pass < args.warm { " (Kafka warms up, not counted)" } else { "" },
                rate(last.seconds),
                cost(&last.spent),
                rate(bare.0),
                cost(&bare.1),
                bare.0 / last.seconds,
            );
            if let Some(exact) = exact.last() {
                println!(
                    "        exactly once {:.3} M/s ({:.2}), {:.2} of that with files",
                    rate(exact.seconds),
                    cost(&exact.spent),
                    last.seconds / exact.seconds
                );
            }
        }
        summary(args, &passes, &exact, &bares);
        let (p50, p99) = machine::fdatasync(&data, 500).map_err(|error| Failure::Usage(error.to_string()))?;
        println!("bare fdatasync of 400 bytes: p50 {:.2} ms, p99 {:.2} ms", ms(p50), ms(p99));
        let render = metrics.clone();
        let [paced, exact] = PACED_TOPICS.map(|topic| configure(&brokers, topic));
        if args.exactly_once {
            let (config, render) = (in_kafka(&exact?, "bench.journal.paced"), metrics.clone());
            print!("exactly once: ");
            freshness(args, &brokers, config, data.join("paced-exact"), move || render.render()).await?;
        }
        freshness(args, &brokers, paced?, data.join("paced"), move || render.render()).await
    })
}

/// The same with its journal in this topic.
fn in_kafka(config: &Config, topic: &str) -> Config {
    let mut config = config.clone();
    for pipeline in config.pipeline.values_mut() {
        pipeline.journal.kind = JournalKind::Kafka;
        pipeline.journal.topic = topic.into();
    }
    config
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn spec(topic: &str) -> TopicSpec {
    TopicSpec {
        name: topic.into(),
        partitions: PARTITIONS,
        no_fewer_than: None,
        source: false,
        compacted: false,
        journal: false,
    }
}

fn start_broker(dir: &std::path::Path) -> Result<Broker, Failure> {
    let jars = KafkaJars::locate().map_err(|error| Failure::Usage(error.to_string()))?;
    println!("starting Apache Kafka");
    let options = BrokerOptions { heap_mib: 1024, ..BrokerOptions::default() }
        .property("broker.session.timeout.ms", "9000");
    Broker::start(&jars, dir, options).map_err(|error| Failure::Usage(error.to_string()))
}

/// Everything on: journal, checkpoints, join, monitors, alerts, HTTP.
pub(super) fn configure(brokers: &str, topic: &str) -> Result<Config, Failure> {
    let features: String = (0..FEATURES).map(|i| format!("f{i} = \"numeric\"\n")).collect();
    let text = format!(
        r#"
[kafka]
brokers = "{brokers}"
[http]
listen = "127.0.0.1:0"
[log]
level = "warn"
[pipeline.bench]
[pipeline.bench.events]
topic = "{topic}"
partitions = {PARTITIONS}
id = "id"
label = "label"
[pipeline.bench.outputs]
predictions = "bench.predictions"
alerts = "bench.alerts"
dead_letters = "bench.dead_letters"
[pipeline.bench.schema]
task = "binary"
classes = ["0", "1"]
[pipeline.bench.schema.features]
{features}
[pipeline.bench.model]
learner = "linear"
[pipeline.bench.monitor.quality]
enabled = true
threshold = 0.6
"#
    );
    // Settings to be tried come as they do for a service: TIDEWHEEL_PIPELINE__BENCH__CREDIT__BYTES_MAX=…
    Ok(Config::parse(&text, std::env::vars())?)
}

fn load(brokers: &str, topic: &str, events: u64, rate: Option<f64>) -> Result<(), Failure> {
    let mut replay = Replay::new(brokers, topic, "");
    replay.labels_topic = None;
    replay.rate = rate;
    let source = Synthetic::new(events, FEATURES, 1);
    let report = replay.run(&source).map_err(|error| Failure::Check(error.to_string()))?;
    if rate.is_none() {
        println!("loaded at {:.2} M/s", report.events_per_second / 1e6);
    }
    Ok(())
}

/// Runs the service until everything is learned, acknowledged and stored.
async fn pipeline_pass(
    config: &Config,
    dir: PathBuf,
    events: u64,
    kafka: Option<u32>,
    metrics: impl Fn() -> String + Send + Sync + Clone + 'static,
) -> Result<Pass, Failure> {
    let mut config = config.clone();
    config.data.dir = dir;
    let before = Spent::until_now(kafka);
    let service = Service::start(&config, Options::default(), metrics).await?;
    let status = service.pipelines()[0].status.clone();
    let (mut start, mut rss_early) = (None, 0);
    loop {
        actix::clock::sleep(Duration::from_millis(2)).await;
        let read = status.records_read();
        if read > 0 && start.is_none() {
            start = Some(Instant::now());
        }
        if rss_early == 0 && read >= RSS_FROM.min(events / 2) {
            rss_early = machine::rss_bytes();
        }
        if read >= events && status.settled() {
            break;
        }
        if service.pipelines()[0].pipeline.is_finished() {
            break;
        }
    }
    let seconds = start.map_or(f64::NAN, |start| start.elapsed().as_secs_f64());
    let spent = Spent::until_now(kafka).since(before);
    let rss_end = machine::rss_bytes();
    actix::clock::sleep(Duration::from_millis(300)).await;
    let report = status.last_report();
    service.stop("bench", "the pass is over").await?;
    let report = report.ok_or_else(|| Failure::Check("the pipeline gave no report".into()))?;
    if report.accounts.events.learned != events {
        return Err(Failure::Check(format!("{events} events, but the accounts say {:?}", report.accounts)));
    }
    Ok(Pass { seconds, spent, rss_early, rss_end, report: (*report).clone() })
}

/// Some predictions that the pipeline wrote: the bare pipe writes these, since bytes of another kind compress otherwise.
fn predictions(endpoint: &Endpoint) -> Result<Vec<Vec<u8>>, Failure> {
    let position = Position { topic: "bench.predictions".into(), partition: 0, next: 0 };
    let stream = |error| Failure::Service(crate::pipeline::ServiceError::from(error));
    let mut source = SourceConsumer::live(endpoint, "tidewheel.bench", &[position]).map_err(stream)?;
    let wait = Duration::from_secs(10);
    let batch = source.next_batch(wait, Duration::from_millis(100), 1_000).map_err(stream)?;
    let batch = batch.ok_or_else(|| Failure::Check("no predictions were written".into()))?;
    Ok(batch.iter().filter_map(|record| record.value().map(<[u8]>::to_vec)).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn summary(args: &Args, passes: &[Pass], exact: &[Pass], bares: &[(f64, Spent)]) {
    let events = args.events as f64;
    let warm = args.warm as usize;
    let (first, passes, bares) = (&passes[0], &passes[warm..], &bares[warm..]);
    let pipeline = median(passes.iter().map(|pass| pass.seconds).collect());
    let bare = median(bares.iter().map(|(seconds, _)| *seconds).collect());
    let ratio = median(passes.iter().zip(bares).map(|(pass, (bare, _))| bare / pass.seconds).collect());
    println!("\npipeline  {:.3} M events/s (median of {})", events / pipeline / 1e6, passes.len());
    println!("bare pipe {:.3} M events/s", events / bare / 1e6);
    println!("ratio     {ratio:.2} (median of the pairs)");
    if args.exactly_once {
        let exact = &exact[warm..];
        let seconds = median(exact.iter().map(|pass| pass.seconds).collect());
        let ratio =
            median(passes.iter().zip(exact).map(|(pass, exact)| pass.seconds / exact.seconds).collect());
        println!(
            "exactly once {:.3} M events/s, {ratio:.2} of that with files (medians)",
            events / seconds / 1e6
        );
    }
    let last = &passes[passes.len() - 1];
    println!("\nCPU seconds per million events, by thread, last pass:");
    last.spent.print(events);
    println!("\nthe same of the bare pipe:");
    bares[bares.len() - 1].1.print(events);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "\nRSS {:.1} MiB at {} events, {:.1} MiB at {} (ratio {:.3}), first pass",
        mib(first.rss_early),
        RSS_FROM.min(args.events / 2),
        mib(first.rss_end),
        args.events,
        first.rss_end as f64 / first.rss_early as f64
    );
    let monitor = &last.report.monitor;
    println!(
        "median label delay {} events, {} revisions, {} entries",
        monitor.label_delay_median.unwrap_or(0),
        last.report.revisions,
        last.report.entry
    );
}

async fn freshness(
    args: &Args,
    brokers: &str,
    mut config: Config,
    dir: PathBuf,
    metrics: impl Fn() -> String + Send + Sync + Clone + 'static,
) -> Result<(), Failure> {
    config.data.dir = dir;
    let topic = config.pipeline["bench"].events.topic.clone();
    let commits_before = commits(&metrics());
    let service = Service::start(&config, Options::default(), metrics.clone()).await?;
    let status = service.pipelines()[0].status.clone();
    let events = args.paced * args.paced_seconds;
    let (brokers, rate) = (brokers.to_owned(), args.paced as f64);
    let loading = std::thread::spawn(move || load(&brokers, &topic, events, Some(rate)));
    while !loading.is_finished() || status.records_read() < events {
        actix::clock::sleep(Duration::from_millis(20)).await;
        if service.pipelines()[0].pipeline.is_finished() {
            break;
        }
    }
    actix::clock::sleep(Duration::from_millis(400)).await;
    let report = status.last_report();
    service.stop("bench", "the pass is over").await?;
    loading.join().map_err(|_| Failure::Check("the load panicked".into()))??;
    let report = report.ok_or_else(|| Failure::Check("the pipeline gave no report".into()))?;
    println!(
        "freshness at {} events/s: p50 {} ms, p99 {} ms (from the producer's timestamp to the swap), median label delay {}",
        args.paced,
        report.freshness.p50_ms.unwrap_or(0),
        report.freshness.p99_ms.unwrap_or(0),
        report.monitor.label_delay_median.unwrap_or(0)
    );
    let mut made = commits(&metrics());
    for (made, before) in made.iter_mut().zip(commits_before) {
        made.1 -= before.1;
    }
    let all = made.last().map_or(0.0, |(_, count)| *count);
    let within = |share: f64| {
        made.iter().find(|(_, count)| *count >= share * all).map_or(f64::NAN, |(le, _)| le * 1e3)
    };
    println!(
        "  {all} groups of entries made durable: half within {} ms, 99 % within {} ms",
        within(0.5),
        within(0.99)
    );
    Ok(())
}

/// Upper bound in seconds and number so far of each bucket of the times that making entries durable took.
fn commits(metrics: &str) -> Vec<(f64, f64)> {
    let bucket = |line: &str| {
        let (le, count) =
            line.strip_prefix("tidewheel_journal_sync_seconds_bucket{le=\"")?.split_once("\"} ")?;
        Some((le.parse().unwrap_or(f64::INFINITY), count.trim().parse().ok()?))
    };
    metrics.lines().filter_map(bucket).collect()
}
