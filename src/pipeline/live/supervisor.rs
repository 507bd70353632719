//! Recovers a pipeline, lets it run, and recovers it again when a stage fails: one piece of code for all three.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter, System};
use arc_swap::ArcSwapOption;

use super::credits::Credits;
use super::decoding::Decoding;
use super::effecting::Effecting;
use super::poll::Poller;
use super::sequencing::{Control, Sequencer};
use super::stating::Stating;
use super::status::{Phase, Status};
use super::storage::Storage;
use super::{Effected, Failure, Failures, Progressed};
use crate::config::OnGap;
use crate::join::ColdRows;
use crate::journal::{
    Action, Body, CheckpointStore, FileJournal, Journal, JournalError, KafkaRecords, Opening, RecordSource,
    Scan, Skip,
};
use crate::pipeline::cursor::Arrivals;
use crate::pipeline::decode::{Decoder, Skips};
use crate::pipeline::effects::Effects;
use crate::pipeline::machine::{Machine, MachineError, made_for_digest};
use crate::pipeline::probe::Probed;
use crate::pipeline::recover::{RecoverError, Recovered, Recovery, Sink};
use crate::pipeline::setup::{Places, Setup};
use crate::registry::{RegistryError, Serving, VersionStore};
use crate::schema::SchemaError;
use crate::serve::cache::Cache;
use crate::stream::{Endpoint, OutputProducer, Position, SourceConsumer, StreamError};

/// How many times in a row a pipeline may fail before it could go live for [`STEADY`].
const FAILURES_MAX: u32 = 10;
const STEADY: Duration = Duration::from_secs(30);
/// Stopping takes at most so long for what is on its way, and as long again for closing the journal.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Keys that the state was made for have changed (exit code 2).
    #[error(
        "pipeline {pipeline}: {} changed since the state was made; undo it, or start with `--reset model` to begin untrained",
        keys.join(", ")
    )]
    NeedsReset { pipeline: String, keys: Vec<String> },
    #[error("pipeline {pipeline}: stage {stage} failed {times} times in a row, last with: {message}")]
    GaveUp { pipeline: String, stage: &'static str, times: u32, message: String },
    #[error("pipeline {0}: its thread panicked")]
    Panicked(String),
}

/// What a pipeline needs from the process.
#[derive(Clone)]
pub struct Services {
    pub endpoint: Endpoint,
    pub serving: Arc<Serving>,
    pub cache: Addr<Cache>,
    pub status: Arc<Status>,
    pub probe: Probed,
    /// Begin untrained where the configuration does not fit the state.
    pub reset_model: bool,
}

pub(super) enum Event {
    Failed(Failure),
    Stop { by: String, why: String },
}

/// A running pipeline.
pub struct Pipeline {
    name: Arc<str>,
    events: SyncSender<Event>,
    /// For what cannot listen to events: a recovery, a wait for the disk.
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), PipelineError>>,
}

impl Pipeline {
    /// Starts a pipeline on threads of its own; must be called on a thread of an actix system.
    pub fn start(setup: Setup, places: Places, partitions: Vec<(Arc<str>, i32)>, services: Services) -> Self {
        let (events, inbox) = mpsc::sync_channel(16);
        let name = setup.name.clone();
        let system = System::current();
        let failures = events.clone();
        let stopping = Arc::new(AtomicBool::new(false));
        let asked = stopping.clone();
        let body = move || {
            System::set_current(system);
            let status = services.status.clone();
            let supervisor = Supervisor {
                setup: Arc::new(setup),
                places,
                partitions,
                services,
                failures,
                inbox,
                stopping: asked,
            };
            let result = supervisor.run();
            if let Err(error) = &result {
                status.enter(Phase::Failed(error.to_string()));
            }
            result
        };
        let thread = std::thread::Builder::new()
            .name(format!("supervise-{name}"))
            .spawn(body)
            .expect("the system can start a thread");
        Self { name, events, stopping, thread }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Asks it to drain, store a version and end; a recovery ends where it is.
    pub fn stop(&self, by: &str, why: &str) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = self.events.send(Event::Stop { by: by.into(), why: why.into() });
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub fn join(self) -> Result<(), PipelineError> {
        let name = self.name.to_string();
        self.thread.join().unwrap_or(Err(PipelineError::Panicked(name)))
    }
}

struct Supervisor {
    setup: Arc<Setup>,
    places: Places,
    /// Source topics and their numbers of partitions.
    partitions: Vec<(Arc<str>, i32)>,
    services: Services,
    failures: Failures,
    inbox: Receiver<Event>,
    stopping: Arc<AtomicBool>,
}

/// The stages of a pipeline that is live.
struct Live {
    poller: Poller,
    sequencer: Addr<Sequencer>,
    arbiters: Vec<Arbiter>,
}

impl Supervisor {
    fn run(self) -> Result<(), PipelineError> {
        let told: Arc<ArcSwapOption<Addr<Effecting>>> = Arc::default();
        let (journal, found) = self.open_journal(&told)?;
        let result = self.recover_and_run(&told, &journal, found);
        told.store(None);
        let patience = if result.is_ok() { STOP_WITHIN } else { Duration::ZERO };
        let progress = journal.close(Instant::now() + patience);
        tracing::info!(pipeline = %self.setup.name, ?progress, "stopped");
        match result {
            // What was not applied is applied by the next start.
            Err(PipelineError::Recover(RecoverError::Stopped { entry })) => {
                tracing::info!(pipeline = %self.setup.name, entry, "stopped while recovering");
                Ok(())
            }
            result => result,
        }
    }

    fn recover_and_run(
        &self,
        told: &ArcSwapOption<Addr<Effecting>>,
        journal: &Arc<dyn Journal>,
        found: Scan,
    ) -> Result<(), PipelineError> {
        let cold = ColdRows::open(&self.places.pending, &self.setup.name).map_err(RecoverError::from)?;
        let cold = Arc::new(Mutex::new(cold));
        let mut begin = Some(found);
        let mut failed = 0;
        loop {
            self.services.status.enter(Phase::Recovering);
            self.services.serving.set_stale(true);
            let (effecting, arbiter) = self.start_effecting(journal, &cold);
            told.store(Some(Arc::new(effecting.clone())));
            let live = match self.recover_to_live(journal, &effecting, &cold, begin.take()) {
                Ok(live) => live.beside(arbiter),
                Err(error) => {
                    stop_arbiters(vec![arbiter]);
                    return Err(error);
                }
            };
            self.services.serving.set_stale(false);
            self.services.status.enter(Phase::Live);
            tracing::info!(pipeline = %self.setup.name, "live");
            let since = Instant::now();
            match self.inbox.recv() {
                Ok(Event::Stop { by, why }) => {
                    self.services.status.enter(Phase::Stopping);
                    self.drain(live, journal, by, why);
                    return Ok(());
                }
                Ok(Event::Failed(failure)) => {
                    live.abandon();
                    failed = if since.elapsed() > STEADY { 1 } else { failed + 1 };
                    self.judge(failure, failed)?;
                    self.wait_durable(journal.as_ref())?;
                }
                Err(_) => return Ok(()),
            }
        }
    }

    /// The state after the journal's last entry, then the stages around it. `begin`: what the journal held at start,
    /// where this process has not begun its epoch yet.
    fn recover_to_live(
        &self,
        journal: &Arc<dyn Journal>,
        effecting: &Addr<Effecting>,
        cold: &Arc<Mutex<ColdRows>>,
        begin: Option<Scan>,
    ) -> Result<Live, PipelineError> {
        let Recovered { mut machine, skips } = self.recover(journal, effecting, cold)?;
        self.serve_recovered(&machine);
        if let Some(scan) = begin {
            machine = self.begin_epoch(machine, &scan, journal, effecting)?;
        }
        self.go_live(Recovered { machine, skips }, journal, effecting.clone())
    }

    /// Waits for what was appended to be durable, unless it is told to stop: a full disk may last.
    fn wait_durable(&self, journal: &dyn Journal) -> Result<(), PipelineError> {
        let last = journal.last();
        while !journal.wait_durable(last, Duration::from_millis(100)) {
            if self.stopping.load(Ordering::SeqCst) {
                return Err(RecoverError::Stopped { entry: last }.into());
            }
            // Other failures are of stages that are gone.
            if let Ok(Event::Failed(Failure { fatal: Some(error), .. })) = self.inbox.try_recv() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether to go on after a failure, and with nothing left over from the stages that are gone.
    fn judge(&self, failure: Failure, times: u32) -> Result<(), PipelineError> {
        let Failure { stage, message, fatal } = failure;
        if fatal.is_none() {
            let labels = [("pipeline", self.setup.name.to_string()), ("stage", stage.to_owned())];
            metrics::counter!("tidewheel_stage_panics_total", &labels).increment(1);
        }
        tracing::error!(pipeline = %self.setup.name, stage, message, "a stage failed; recovering");
        let skip_gaps = self.setup.config.journal.on_gap == OnGap::Skip;
        match fatal {
            // Going live again begins with what there is.
            Some(PipelineError::Stream(StreamError::Gap { .. })) if skip_gaps => {}
            Some(error) => return Err(error),
            None => {}
        }
        if times > FAILURES_MAX {
            let pipeline = self.setup.name.to_string();
            return Err(PipelineError::GaveUp { pipeline, stage, times, message });
        }
        while let Ok(event) = self.inbox.try_recv() {
            if let Event::Stop { by, why } = event {
                // To be met again once it is live.
                let _ = self.failures.try_send(Event::Stop { by, why });
                break;
            }
        }
        Ok(())
    }

    fn open_journal(
        &self,
        effecting: &Arc<ArcSwapOption<Addr<Effecting>>>,
    ) -> Result<(Arc<dyn Journal>, Scan), PipelineError> {
        let checkpoint =
            CheckpointStore::new(&self.places.root).newest(u64::MAX)?.map_or(0, |found| found.entry);
        let told = effecting.clone();
        let on_progress = Box::new(move |_| {
            if let Some(effecting) = &*told.load() {
                effecting.do_send(Progressed);
            }
        });
        let failures = self.failures.clone();
        let on_failure = Box::new(move |error: JournalError| {
            let (message, fatal) = (error.to_string(), Some(error.into()));
            // Where the queue is full: the next append is refused, which is a failure, too.
            let _ = failures.try_send(Event::Failed(Failure { stage: "journal", message, fatal }));
        });
        let versions = VersionStore::new(&self.places.root);
        let version = versions.latest()?.map(|version| versions.manifest(version)).transpose()?;
        let (journal, scan) = FileJournal::open(Opening {
            dir: &self.places.journal,
            pipeline: &self.setup.name,
            config: &self.setup.config.journal,
            checkpoint,
            reached: version.map_or(0, |manifest| manifest.entry),
            producer: OutputProducer::new(&self.services.endpoint)?,
            on_progress,
            on_failure,
        })?;
        Ok((Arc::new(journal), scan))
    }

    fn start_effecting(
        &self,
        journal: &Arc<dyn Journal>,
        cold: &Arc<Mutex<ColdRows>>,
    ) -> (Addr<Effecting>, Arbiter) {
        let config = &self.setup.config;
        let actor = Effecting {
            journal: journal.clone(),
            serving: self.services.serving.clone(),
            cache: self.services.cache.clone(),
            storage: Storage::start(
                VersionStore::new(&self.places.root),
                config.version.keep,
                CheckpointStore::new(&self.places.root),
                config.checkpoint.keep,
                cold.clone(),
                config.journal.trim.then(|| journal.clone()),
            ),
            status: self.services.status.clone(),
            probe: self.services.probe.clone(),
            failures: self.failures.clone(),
            failed: false,
            waiting: Default::default(),
            leaving: Default::default(),
        };
        let arbiter = Arbiter::new();
        (Effecting::start_in_arbiter(&arbiter.handle(), |_| actor), arbiter)
    }

    fn recover(
        &self,
        journal: &Arc<dyn Journal>,
        effecting: &Addr<Effecting>,
        cold: &Arc<Mutex<ColdRows>>,
    ) -> Result<Recovered, PipelineError> {
        let start = Instant::now();
        let recovery = Recovery {
            setup: &self.setup,
            places: &self.places,
            probe: self.services.probe.clone(),
            cold: Some(cold.clone()),
            checkpoint_max: journal.last(),
            to: journal.last(),
            stop: &|| self.stopping.load(Ordering::SeqCst),
        };
        let mut sink =
            LiveSink { journal: journal.clone(), effecting, acknowledged: journal.progress().acknowledged };
        let group = self.group();
        let recovered = recovery.run(
            &mut |scan| open_records(&self.services.endpoint, &group, scan, self.setup.config.journal.on_gap),
            &mut sink,
        )?;
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(pipeline = %self.setup.name, entry = recovery.to, seconds, "recovered");
        metrics::histogram!("tidewheel_recovery_seconds", "pipeline" => self.setup.name.to_string())
            .record(seconds);
        Ok(recovered)
    }

    /// What the journal last published is what readers get, whether or not a version of it was stored.
    fn serve_recovered(&self, machine: &Machine) {
        let (serving, revision) = (&self.services.serving, machine.revision());
        if serving.current().as_ref().is_none_or(|now| now.number < revision.number) && revision.number > 0 {
            serving.swap(revision.clone());
        }
    }

    /// The entry that says who writes from here on, and under which configuration.
    fn begin_epoch(
        &self,
        mut machine: Machine,
        scan: &Scan,
        journal: &Arc<dyn Journal>,
        effecting: &Addr<Effecting>,
    ) -> Result<Machine, PipelineError> {
        let config = &self.setup.config;
        let keys = crate::config::change_class(&machine.setup().config, config);
        if !keys.is_empty() && !self.services.reset_model {
            return Err(PipelineError::NeedsReset { pipeline: self.setup.name.to_string(), keys });
        }
        let body = Body::Epoch {
            epoch: machine.cursor().epoch.max(scan.epoch) + 1,
            build: crate::pipeline::build().into(),
            cpu: crate::pipeline::cpu_class(),
            threads: 1,
            config: config.effective_json(),
        };
        let mut bodies = vec![body];
        if self.services.reset_model {
            let why = match &keys[..] {
                [] => "asked for".into(),
                keys => format!("{} changed", keys.join(", ")),
            };
            tracing::warn!(pipeline = %self.setup.name, why, "the model begins anew, untrained");
            bodies.push(Body::Control { action: Action::ResetModel, by: "run --reset model".into(), why });
        }
        for body in bodies {
            let entry = journal.append(body)?;
            let mut effects = machine.apply(&entry, None, &Skips::new())?;
            journal.release(entry.n, entry.n, std::mem::take(&mut effects.outputs));
            effecting.do_send(Effected { effects, after: entry.n, permit: None });
        }
        Ok(machine)
    }

    fn go_live(
        &self,
        recovered: Recovered,
        journal: &Arc<dyn Journal>,
        effecting: Addr<Effecting>,
    ) -> Result<Live, PipelineError> {
        let Recovered { machine, skips } = recovered;
        let (status, probe) = (&self.services.status, &self.services.probe);
        let source = self.source(&machine)?;
        status.applied(&machine);
        status.report(&machine);
        let decoder = Decoder::new(machine.setup(), probe.clone())?;
        let arbiters = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let stating = Stating {
            machine,
            journal: journal.clone(),
            next: effecting,
            status: status.clone(),
            failures: self.failures.clone(),
            failed: false,
        };
        let stating = Stating::start_in_arbiter(&arbiters[0].handle(), |_| stating);
        let decoding = Decoding {
            decoder,
            skips,
            journal: journal.clone(),
            next: stating,
            failures: self.failures.clone(),
            failed: false,
        };
        let decoding = Decoding::start_in_arbiter(&arbiters[1].handle(), |_| decoding);
        let config = &self.setup.config;
        let sequencer = Sequencer {
            journal: journal.clone(),
            next: decoding,
            status: status.clone(),
            tick: Duration::from_millis(config.journal.tick_ms),
            probe: probe.clone(),
            failures: self.failures.clone(),
            last_entry: Instant::now(),
            failed: false,
        };
        let sequencer = Sequencer::start_in_arbiter(&arbiters[2].handle(), |_| sequencer);
        let credits = Credits::new(&self.setup.name, config.credit.bytes_max);
        let poller = Poller::start(
            source,
            config.batching,
            config.batch.clone(),
            credits,
            sequencer.clone(),
            status.clone(),
            self.failures.clone(),
        );
        Ok(Live { poller, sequencer, arbiters: arbiters.into_iter().rev().collect() })
    }

    /// The sources, from where the state stands; partitions never read begin with what they have.
    fn source(&self, machine: &Machine) -> Result<SourceConsumer, PipelineError> {
        let mut positions = Vec::new();
        for (topic, count) in &self.partitions {
            for partition in 0..*count {
                let known = machine.positions().get(&(topic.to_string(), partition)).copied();
                positions.push(Position { topic: topic.clone(), partition, next: known.unwrap_or(-1) });
            }
        }
        let endpoint = &self.services.endpoint;
        let probe = SourceConsumer::unread(endpoint, &self.group())?;
        for position in &mut positions {
            let (low, high) = probe.watermarks(&position.topic, position.partition, endpoint.timeout())?;
            if position.next < 0 {
                position.next = low;
            } else if position.next < low || position.next > high {
                let gap = StreamError::Gap {
                    topic: position.topic.to_string(),
                    partition: position.partition,
                    first: position.next,
                    last: low.max(position.next) - 1,
                    low,
                    high,
                };
                if self.setup.config.journal.on_gap == OnGap::Stop {
                    return Err(gap.into());
                }
                tracing::error!(%gap, "going on with what there is, as on_gap = \"skip\" says");
                position.next = position.next.clamp(low, high);
            }
        }
        Ok(SourceConsumer::live(endpoint, &self.group(), &positions)?)
    }

    fn group(&self) -> String {
        format!("tidewheel.{}", self.setup.name)
    }

    /// Ends polling, stores a version, and waits until everything is where it belongs.
    fn drain(&self, live: Live, journal: &Arc<dyn Journal>, by: String, why: String) {
        let Live { poller, sequencer, arbiters } = live;
        poller.stop(true);
        let deadline = Instant::now() + STOP_WITHIN;
        let asked = sequencer.send(Control { action: Action::Store, by, why });
        let (answer, answered) = mpsc::channel();
        arbiters[0].spawn(async move {
            let _ = answer.send(asked.await);
        });
        let last = answered.recv_timeout(STOP_WITHIN).ok().and_then(Result::ok).flatten();
        // Acknowledged: outputs are on their topics. Effected: the version was handed to the thread that stores it.
        let status = &self.services.status;
        while let Some(last) = last
            && (journal.progress().acknowledged < last || status.last_effected() < last)
        {
            if Instant::now() >= deadline {
                tracing::error!(pipeline = %self.setup.name, last, "not drained in time; the next start recovers");
                break;
            }
            // A stage that fails now is found by the next start, which recovers.
            match self.inbox.recv_timeout(Duration::from_millis(5)) {
                Ok(Event::Failed(failure)) => {
                    tracing::error!(stage = failure.stage, failure.message, "a stage failed while stopping");
                    break;
                }
                Ok(Event::Stop { .. }) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        stop_arbiters(arbiters);
    }
}

impl Live {
    /// With the stage that outlives the recovery.
    fn beside(mut self, effecting: Arbiter) -> Self {
        self.arbiters.push(effecting);
        self
    }

    /// Drops all stages as they are.
    fn abandon(self) {
        self.poller.stop(false);
        stop_arbiters(self.arbiters);
    }
}

/// Readers get the last stored version at once, marked stale, until the journal is applied.
pub fn serve_last_version(setup: &Setup, places: &Places, serving: &Serving) -> Result<(), PipelineError> {
    let versions = VersionStore::new(&places.root);
    let Some(number) = versions.latest()? else { return Ok(()) };
    let stored = match versions.load(number) {
        Ok(stored) => stored,
        Err(error) => {
            // The journal makes the model again, so that nothing but a head start is lost.
            tracing::error!(version = number, %error, "the stored version cannot be served");
            metrics::counter!("tidewheel_versions_corrupt_total", "pipeline" => setup.name.to_string())
                .increment(1);
            return Ok(());
        }
    };
    if stored.manifest.made_for != made_for_digest(&setup.config) {
        tracing::warn!(version = number, "made for another schema or model: not serving the stored version");
        return Ok(());
    }
    let shape = setup.shape()?;
    let predictor = crate::learn::load_predictor(
        &setup.config.model,
        &shape,
        &setup.columns(),
        &stored.tensors.under("predictor"),
    )
    .map_err(MachineError::State)?;
    serving.set_stale(true);
    serving.swap(Arc::new(crate::registry::Revision {
        number: stored.manifest.revision,
        version: number,
        epoch: stored.manifest.epoch,
        published_ms: 0,
        objective: shape.objective,
        classes: stored.manifest.classes.iter().map(|name| name.as_str().into()).collect(),
        predictor,
    }));
    tracing::info!(version = number, "serving the last stored version until caught up");
    Ok(())
}

fn stop_arbiters(arbiters: Vec<Arbiter>) {
    for arbiter in arbiters {
        arbiter.stop();
        if arbiter.join().is_err() {
            tracing::error!("a stage's thread panicked");
        }
    }
}

/// The records that the journal names, from Kafka; nothing to read where it names none.
pub(in crate::pipeline) fn open_records(
    endpoint: &Endpoint,
    group: &str,
    scan: &Scan,
    on_gap: OnGap,
) -> Result<Box<dyn RecordSource>, JournalError> {
    Ok(Box::new(KafkaRecords::open(endpoint, group, scan, on_gap)?))
}

/// Effects of a recovery: outputs that were acknowledged before do not leave again.
struct LiveSink<'a> {
    journal: Arc<dyn Journal>,
    effecting: &'a Addr<Effecting>,
    acknowledged: u64,
}

impl Sink for LiveSink<'_> {
    fn effects(&mut self, after: u64, mut effects: Effects) {
        let n = effects.n;
        let outputs = std::mem::take(&mut effects.outputs);
        // Readers get what recovery arrives at, not what it passes by: that may be of another schema.
        effects.revision = None;
        effects.arrivals = Arrivals::default();
        if n <= self.acknowledged {
            effects.answers = None;
            self.journal.release(n, after, Default::default());
        } else {
            self.journal.release(n, after, outputs);
        }
        self.effecting.do_send(Effected { effects, after, permit: None });
    }

    fn skip(&mut self, skip: &Skip) -> Result<u64, RecoverError> {
        tracing::error!(?skip, "a row makes its entry panic; going on without it");
        let n = self.journal.append(Body::Skip(skip.clone()))?.n;
        Ok(n)
    }
}
