use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};
use actix_web::dev::ServerHandle;

use super::live::{Pipeline, PipelineError, Services, Status, serve_last_version};
use super::probe::Probed;
use super::setup::{Places, Setup};
use crate::config::{Config, LearnerKind};
use crate::registry::{Serving, VersionStore};
use crate::schema::{EventDecoder, LabelDecoder};
use crate::serve::cache::Cache;
use crate::serve::{LabelIntake, LabelSink, Model, SinkError};
use crate::stream::{Endpoint, SingleProducer, StreamError, ensure_topics};

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("cannot use data folder {dir}: {source}")]
    Data { dir: PathBuf, source: std::io::Error },
}

impl From<StreamError> for ServiceError {
    fn from(error: StreamError) -> Self {
        Self::Pipeline(error.into())
    }
}

/// How a service is started, besides its configuration.
#[derive(Default)]
pub struct Options {
    pub probe: Probed,
    pub reset_model: bool,
    /// A socket that is bound already, in place of `http.listen`.
    pub listener: Option<TcpListener>,
    /// The topics are there, each with one partition: an embedded broker answers no admin requests.
    pub embedded: bool,
}

/// All pipelines of a configuration, and the server that answers for them.
pub struct Service {
    pub address: SocketAddr,
    pipelines: Vec<Running>,
    http: ServerHandle,
    caches: Vec<Arbiter>,
}

/// One pipeline of a service.
pub struct Running {
    pub pipeline: Pipeline,
    pub status: Arc<Status>,
    pub serving: Arc<Serving>,
    learner: LearnerKind,
}

impl Service {
    /// Starts everything; `metrics` gives the text of `/metrics`. To be called in an actix system.
    pub async fn start(
        config: &Config,
        options: Options,
        metrics: impl Fn() -> String + Send + Sync + Clone + 'static,
    ) -> Result<Self, ServiceError> {
        let dir = &config.data.dir;
        std::fs::create_dir_all(dir).map_err(|source| ServiceError::Data { dir: dir.clone(), source })?;
        let endpoint = Endpoint::new(&config.kafka);
        let mut specs = Vec::new();
        for (name, pipeline) in &config.pipeline {
            specs.extend(Setup::new(name, pipeline).topics());
        }
        let partitions = if options.embedded {
            specs.iter().map(|spec| (spec.name.clone(), 1)).collect()
        } else {
            ensure_topics(&endpoint, &specs).await?
        };
        refuse_narrow_predictions(config, &partitions)?;
        let listener = match options.listener {
            Some(listener) => listener,
            None => {
                let address = &config.http.listen;
                TcpListener::bind(address)
                    .map_err(|source| ServiceError::Listen { address: address.clone(), source })?
            }
        };
        let listen_error = |source| ServiceError::Listen { address: config.http.listen.clone(), source };
        let address = listener.local_addr().map_err(listen_error)?;
        let mut pipelines = Vec::new();
        let mut models = Vec::new();
        let mut caches = Vec::new();
        for (name, pipeline) in &config.pipeline {
            let setup = Setup::new(name, pipeline);
            let places = Places::new(dir, name);
            let serving = Arc::new(Serving::default());
            // Before the server answers its first request.
            serve_last_version(&setup, &places, &serving)?;
            let shape = setup.shape().map_err(PipelineError::from)?;
            let cache = Cache::new(name, &pipeline.cache, &shape, serving.clone());
            let arbiter = Arbiter::new();
            let cache = Cache::start_in_arbiter(&arbiter.handle(), |_| cache);
            caches.push(arbiter);
            let status = Arc::new(Status::new(name));
            let decoder =
                EventDecoder::new(&pipeline.events, &pipeline.schema).map_err(PipelineError::from)?;
            models.push(Model {
                name: setup.name.clone(),
                decoder: Arc::new(decoder),
                serving: serving.clone(),
                versions: VersionStore::new(&places.root),
                cache: cache.clone(),
                labels: intake(&setup, &endpoint)?,
                insight: status.clone(),
                health: status.clone(),
            });
            let sources = setup.sources().map(|topic| (topic.clone(), partitions[&**topic])).collect();
            let services = Services {
                endpoint: endpoint.clone(),
                serving: serving.clone(),
                cache,
                status: status.clone(),
                probe: options.probe.clone(),
                reset_model: options.reset_model,
            };
            let learner = pipeline.model.learner;
            let pipeline = Pipeline::start(setup, places, sources, services);
            pipelines.push(Running { pipeline, status, serving, learner });
        }
        let about: Vec<ModelInfo> = pipelines.iter().map(ModelInfo::of).collect();
        let text = move || {
            let mut text = metrics();
            ModelInfo::write(&about, &mut text);
            text
        };
        let server =
            crate::serve::http::server(&config.http, models, text, listener).map_err(listen_error)?;
        let http = server.handle();
        actix::spawn(server);
        Ok(Self { address, pipelines, http, caches })
    }

    pub fn pipelines(&self) -> &[Running] {
        &self.pipelines
    }

    /// Waits until some pipeline ends by itself; never returns while all run.
    pub async fn ended(&self) {
        while !self.pipelines.iter().any(|running| running.pipeline.is_finished()) {
            actix::clock::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Drains and stops all pipelines, then the server. Returns the first error of a pipeline.
    pub async fn stop(self, by: &str, why: &str) -> Result<(), ServiceError> {
        for running in &self.pipelines {
            running.pipeline.stop(by, why);
        }
        let mut result = Ok(());
        for running in self.pipelines {
            while !running.pipeline.is_finished() {
                actix::clock::sleep(Duration::from_millis(10)).await;
            }
            let ended = running.pipeline.join();
            if result.is_ok() {
                result = ended;
            }
        }
        self.http.stop(true).await;
        for cache in self.caches {
            cache.stop();
        }
        Ok(result?)
    }
}

/// What `tidewheel_model_info` says of a pipeline: written with every scrape and not kept as a metric, whose label
/// sets never go away.
#[derive(Clone)]
struct ModelInfo {
    pipeline: Arc<str>,
    learner: &'static str,
    serving: Arc<Serving>,
}

impl ModelInfo {
    fn of(running: &Running) -> Self {
        let learner = running.learner.name();
        Self { pipeline: running.pipeline.name().clone(), learner, serving: running.serving.clone() }
    }

    fn write(all: &[Self], out: &mut String) {
        out.push_str("# HELP tidewheel_model_info The model that answers: its family, owner and newest stored version.\n");
        out.push_str("# TYPE tidewheel_model_info gauge\n");
        for Self { pipeline, learner, serving } in all {
            if let Some(revision) = &*serving.current() {
                let (version, epoch) = (revision.version, revision.epoch);
                let _ = writeln!(
                    out,
                    "tidewheel_model_info{{pipeline=\"{pipeline}\",learner=\"{learner}\",version=\"{version}\",epoch=\"{epoch}\"}} 1"
                );
            }
        }
    }
}

/// A prediction goes to the partition number of its event, so that partition must be there.
fn refuse_narrow_predictions(
    config: &Config,
    partitions: &BTreeMap<String, i32>,
) -> Result<(), ServiceError> {
    for pipeline in config.pipeline.values() {
        let (events, predictions) = (&pipeline.events.topic, &pipeline.outputs.predictions);
        let (needed, found) = (partitions[events], partitions[predictions]);
        if found < needed {
            let message = format!(
                "has {found} partitions, expected at least the {needed} of {events:?}, whose numbers its records take"
            );
            return Err(StreamError::Topic { topic: predictions.clone(), message }.into());
        }
    }
    Ok(())
}

/// Posted labels go to the labels topic.
struct TopicSink {
    producer: SingleProducer,
    topic: Arc<str>,
}

impl LabelSink for TopicSink {
    fn send(&self, key: &[u8], value: &[u8], done: Box<dyn FnOnce(Result<(), SinkError>) + Send>) {
        self.producer.send(
            &self.topic,
            key,
            value,
            Box::new(|result: Result<(), String>| done(result.map_err(SinkError::Kafka))),
        );
    }
}

fn intake(setup: &Setup, endpoint: &Endpoint) -> Result<Option<LabelIntake>, ServiceError> {
    let Some(topic) = &setup.labels_topic else { return Ok(None) };
    let producer = SingleProducer::new(endpoint)?;
    let decoder = LabelDecoder::new(&setup.config.schema).map_err(PipelineError::from)?;
    let sink = Arc::new(TopicSink { producer, topic: topic.clone() });
    Ok(Some(LabelIntake { decoder: Arc::new(decoder), sink }))
}
