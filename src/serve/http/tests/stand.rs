use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use actix::Actor;
use actix_web::dev::ServerHandle;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use crate::config::{CacheConfig, ColumnKind, EventsConfig, HttpConfig, SchemaConfig, Task};
use crate::learn::{Objective, Predictions, Predictor, Shape};
use crate::registry::{Revision, Serving, VersionStore};
use crate::schema::{EventDecoder, LabelDecoder, Rows};
use crate::serve::cache::Cache;
use crate::serve::{Health, Insight, LabelIntake, LabelSink, Model, SinkError};
use crate::state::TensorMap;

pub const PREDICT: &str = "/v1/models/m/predict";
pub const LABELS: &str = "/v1/models/m/labels";

/// Says its revision: as the value, or as thousandths of the second class's probability. Panics over a first feature
/// of -666.
struct Says {
    revision: u64,
    objective: Objective,
}

impl Predictor for Says {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.objective.outputs(), rows.len());
        for row in 0..rows.len() {
            assert_ne!(rows.numeric_row(row).first(), Some(&-666.0), "told to");
            match self.objective {
                Objective::Regress => out.row_mut(row)[0] = self.revision as f32,
                Objective::Classify { .. } => {
                    let second = self.revision as f32 / 1000.0;
                    out.row_mut(row)[..2].copy_from_slice(&[1.0 - second, second]);
                }
            }
        }
    }

    fn is_finite(&self) -> bool {
        true
    }

    fn save(&self) -> TensorMap {
        TensorMap::default()
    }
}

/// A revision that says its number.
pub fn revision(number: u64, objective: Objective, classes: &[&str]) -> Arc<Revision> {
    Arc::new(Revision {
        number,
        version: number / 10,
        epoch: 1,
        published_ms: 1_700_000_000_000,
        objective,
        classes: classes.iter().map(|class| Box::from(*class)).collect(),
        predictor: Arc::new(Says { revision: number, objective }),
    })
}

/// A broker in memory that does with each label what it is told.
#[derive(Default)]
pub struct Topic {
    pub records: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Outcomes by id of the label; others are taken.
    pub refuse: Mutex<BTreeMap<&'static str, Refuse>>,
}

#[derive(Clone, Copy)]
pub enum Refuse {
    Full,
    Broker,
    /// The producer goes away and never says anything.
    Silence,
}

impl LabelSink for Topic {
    fn send(&self, key: &[u8], value: &[u8], done: Box<dyn FnOnce(Result<(), SinkError>) + Send>) {
        let label: Value = serde_json::from_slice(value).unwrap();
        match self.refuse.lock().unwrap().get(label["id"].as_str().unwrap()) {
            Some(Refuse::Full) => done(Err(SinkError::Full)),
            Some(Refuse::Broker) => done(Err(SinkError::Kafka("message too large".into()))),
            Some(Refuse::Silence) => drop(done),
            None => {
                self.records.lock().unwrap().push((key.to_vec(), value.to_vec()));
                // As a producer does: later, and from another thread.
                std::thread::spawn(move || done(Ok(())));
            }
        }
    }
}

#[derive(Default)]
pub struct Told {
    pub reason: Mutex<Option<String>>,
}

impl Health for Told {
    fn not_ready(&self) -> Option<String> {
        self.reason.lock().unwrap().clone()
    }
}

impl Insight for Told {
    fn monitor(&self) -> Value {
        json!({ "served": { "accuracy": 0.75 } })
    }

    fn alerts(&self) -> Vec<Value> {
        vec![json!({ "fingerprint": "f", "state": "firing" })]
    }
}

/// What a stand serves.
pub struct Plan {
    pub http: HttpConfig,
    pub cache: CacheConfig,
    pub task: Task,
    pub labels: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let http = HttpConfig { body_bytes_max: 64 << 10, body_timeout_ms: 300, ..HttpConfig::default() };
        Self { http, cache: CacheConfig::default(), task: Task::Binary, labels: true }
    }
}

/// A running server with one model, `m`: numeric features `a` and `b`, categorical `c`; classes `no` and `yes`.
pub struct Stand {
    pub address: SocketAddr,
    pub serving: Arc<Serving>,
    pub topic: Arc<Topic>,
    pub told: Arc<Told>,
    pub versions: VersionStore,
    objective: Objective,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Stand {
    pub fn new() -> Self {
        Self::with(Plan::default())
    }

    /// Starts a server that has published revision 10.
    pub fn with(plan: Plan) -> Self {
        let stand = Self::unpublished(plan);
        stand.publish(10);
        stand
    }

    pub fn unpublished(plan: Plan) -> Self {
        let (schema, objective) = schema(plan.task);
        let decoder = EventDecoder::new(&events(), &schema).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let versions = VersionStore::new(folder.path());
        let (serving, topic, told) =
            (Arc::<Serving>::default(), Arc::<Topic>::default(), Arc::<Told>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, started) = mpsc::channel();
        let labels = plan.labels.then(|| LabelIntake {
            decoder: Arc::new(LabelDecoder::new(&schema).unwrap()),
            sink: Arc::clone(&topic) as Arc<dyn LabelSink>,
        });
        let parts = (serving.clone(), told.clone(), versions.clone());
        let thread = std::thread::spawn(move || {
            let (serving, told, versions) = parts;
            actix_rt::System::new().block_on(async move {
                let shape = Shape { numeric: 2, categorical: 1, objective };
                let cache = Cache::new("m", &plan.cache, &shape, serving.clone()).start();
                let model = Model {
                    name: "m".into(),
                    decoder: decoder.into(),
                    serving,
                    versions,
                    cache,
                    labels,
                    insight: told.clone(),
                    health: told,
                };
                let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
                let rendered = recorder.handle();
                let server = metrics::with_local_recorder(&recorder, || {
                    crate::serve::http::server(&plan.http, vec![model], move || rendered.render(), listener)
                });
                let server = server.unwrap();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        let server = started.recv().unwrap();
        Self {
            address,
            serving,
            topic,
            told,
            versions,
            objective,
            server,
            thread: Some(thread),
            _folder: folder,
        }
    }

    pub fn publish(&self, number: u64) {
        self.serving.swap(revision(number, self.objective, &["no", "yes"]));
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks over a connection of its own.
    pub fn get(&self, path: &str) -> Reply {
        self.client().get(path)
    }

    pub fn post(&self, path: &str, json: &str) -> Reply {
        self.client().post(path, json)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        // The command is sent at once; awaiting is for who wants to know.
        drop(self.server.stop(false));
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
    }
}

fn schema(task: Task) -> (SchemaConfig, Objective) {
    let features = [("a", ColumnKind::Numeric), ("b", ColumnKind::Numeric), ("c", ColumnKind::Categorical)];
    let features = features.map(|(name, kind)| (name.to_owned(), kind)).into();
    let (classes, objective) = match task {
        Task::Regression => (vec![], Objective::Regress),
        _ => (vec!["no".to_owned(), "yes".to_owned()], Objective::Classify { classes: 2 }),
    };
    (SchemaConfig { task, features, classes, classes_max: 32 }, objective)
}

fn events() -> EventsConfig {
    serde_json::from_value(json!({ "topic": "events" })).unwrap()
}
