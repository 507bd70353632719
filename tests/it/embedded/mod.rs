//! The service in this process, on the embedded broker, with a probe that makes stages panic.

mod fixed;
mod learners;
mod panics;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidewheel::config::Config;
use tidewheel::journal::{Body, Entry, Home, Replay as Entries, Skip};
use tidewheel::pipeline::{Accounts, Options, Places, Probe, Service, Setup, rebuild};
use tidewheel::registry::{Digests, VersionStore};
use tidewheel::stream::{EmbeddedBroker, Endpoint};
use tidewheel_loadgen::replay::Replay;
use tidewheel_loadgen::streams::Stream;

const PIPELINE: &str = "elec2";
/// Everything here takes seconds; a hang must end.
const WITHIN: Duration = Duration::from_secs(60);

/// A broker, a data folder and a configuration; topics have one partition.
pub struct Bench {
    broker: EmbeddedBroker,
    pub config: Config,
    _folder: TempDir,
}

/// What a run left behind.
pub struct Outcome {
    pub entries: Vec<Entry>,
    pub accounts: Accounts,
    pub stored: Digests,
    /// By the journal alone, without a probe.
    pub rebuilt: Digests,
    pub skips: Vec<Skip>,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::start().unwrap();
        let mut config = Config::parse(include_str!("../../../config/demo.toml"), Vec::new()).unwrap();
        config.kafka.brokers = broker.address();
        config.kafka.properties.insert("fetch.wait.max.ms".into(), "5".into());
        config.data.dir = folder.path().join("data");
        let pipeline = config.pipeline.get_mut(PIPELINE).unwrap();
        pipeline.checkpoint.every_examples = Some(500);
        for spec in Setup::new(PIPELINE, pipeline).topics() {
            broker.create_topic(&spec.name, 1).unwrap();
        }
        Self { broker, config, _folder: folder }
    }

    /// Streams `rows` events with their labels through a service with this probe, and stops it when all have an account.
    pub fn run(&self, rows: u64, probe: Arc<dyn Probe>) -> Outcome {
        self.run_fixed(rows, 1, probe)
    }

    /// The same with batches of `batch` rows: what does not fill one comes with the stop.
    pub fn run_fixed(&self, rows: u64, batch: u64, probe: Arc<dyn Probe>) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options =
            Options { probe: Some(probe), listener: Some(listener), embedded: true, ..Options::default() };
        let config = self.config.clone();
        let topics = &config.pipeline[PIPELINE];
        let labels = topics.labels.as_ref().unwrap().topic.clone();
        let mut replay = Replay::new(&self.broker.address(), &topics.events.topic, &labels);
        replay.rows = Some(rows);
        replay.rate = Some(2_000.0);
        let accounts = actix::System::new().block_on(async move {
            let service = Service::start(&config, options, String::new).await.unwrap();
            let sending = std::thread::spawn(move || replay.run(&Stream::Elec2.open().unwrap()).unwrap());
            let status = service.pipelines()[0].status.clone();
            let deadline = Instant::now() + WITHIN;
            let accounts = loop {
                actix::clock::sleep(Duration::from_millis(20)).await;
                let accounts = status.last_report().map(|report| report.accounts);
                let full = 2 * rows - 2 * rows % batch;
                if let Some(accounts) = accounts.filter(|a| a.events.read + a.labels.read >= full) {
                    break accounts;
                }
                assert!(Instant::now() < deadline, "not all was read: {accounts:?}, {:?}", status.phase());
            };
            sending.join().unwrap();
            service.stop("test", "all was read").await.unwrap();
            accounts
        });
        self.outcome(accounts)
    }

    fn outcome(&self, accounts: Accounts) -> Outcome {
        let places = Places::new(&self.config.data.dir, PIPELINE);
        let versions = VersionStore::new(&places.root);
        let manifest = versions.manifest(versions.latest().unwrap().unwrap()).unwrap();
        let setup = Setup::new(PIPELINE, &self.config.pipeline[PIPELINE]);
        let endpoint = Endpoint::new(&self.config.kafka);
        let entries = entries(&setup.journal_home(&places, &endpoint));
        let rebuilt = rebuild(setup, &places, &endpoint, &manifest, true).unwrap();
        let skips = entries.iter().filter_map(|entry| match &entry.body {
            Body::Skip(skip) => Some(skip.clone()),
            _ => None,
        });
        Outcome { accounts, stored: manifest.digests, rebuilt, skips: skips.collect(), entries }
    }
}

fn entries(journal: &Home) -> Vec<Entry> {
    let mut entries = Entries::open(journal, 1, u64::MAX).unwrap();
    std::iter::from_fn(|| entries.next_entry().unwrap()).collect()
}
