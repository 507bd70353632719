//! From a journal to a state that can go live.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use actix::{Actor, Addr, Arbiter};
use arc_swap::ArcSwapOption;

use super::effecting::Effecting;
use super::error::PipelineError;
use super::storage::Storage;
use super::supervisor::{Event, Supervisor};
use super::{Effected, Failure, Progressed};
use crate::join::ColdRows;
use crate::journal::{
    Action, Body, CheckpointStore, FileJournal, Journal, JournalError, KafkaRecords, Opening, Scan, Skip,
    TopicJournal, TopicOpening,
};
use crate::pipeline::cursor::Arrivals;
use crate::pipeline::decode::Skips;
use crate::pipeline::effects::Effects;
use crate::pipeline::machine::Machine;
use crate::pipeline::recover::{RecoverError, Recovered, Recovery, Sink};
use crate::registry::VersionStore;
use crate::stream::OutputProducer;

impl Supervisor {
    pub(super) fn open_journal(
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
        let reached = version.map_or(0, |manifest| manifest.entry);
        let (pipeline, config) = (&*self.setup.name, &self.setup.config.journal);
        let endpoint = &self.services.endpoint;
        if let Some(topic) = &self.setup.journal_topic {
            let (journal, scan) = TopicJournal::open(TopicOpening {
                endpoint,
                topic,
                root: &self.places.root,
                config,
                checkpoint,
                reached,
                on_progress,
                on_failure,
            })?;
            return Ok((Arc::new(journal), scan));
        }
        let (journal, scan) = FileJournal::open(Opening {
            dir: &self.places.journal,
            pipeline,
            config,
            checkpoint,
            reached,
            producer: OutputProducer::new(endpoint)?,
            on_progress,
            on_failure,
        })?;
        Ok((Arc::new(journal), scan))
    }

    pub(super) fn start_effecting(
        &self,
        journal: &Arc<dyn Journal>,
        cold: &Arc<Mutex<ColdRows>>,
    ) -> (Addr<Effecting>, Arbiter) {
        let config = &self.setup.config;
        let actor = Effecting {
            pipeline: self.setup.name.clone(),
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

    pub(super) fn recover(
        &self,
        journal: &Arc<dyn Journal>,
        effecting: &Addr<Effecting>,
        cold: &Arc<Mutex<ColdRows>>,
    ) -> Result<Recovered, PipelineError> {
        let start = Instant::now();
        let recovery = Recovery {
            setup: &self.setup,
            places: &self.places,
            journal: &self.setup.journal_home(&self.places, &self.services.endpoint),
            probe: self.services.probe.clone(),
            cold: Some(cold.clone()),
            checkpoint_max: journal.last(),
            to: journal.last(),
            stop: &|| self.stopping.load(Ordering::SeqCst),
        };
        let mut sink =
            LiveSink { journal: journal.clone(), effecting, acknowledged: journal.progress().acknowledged };
        let (group, on_gap) = (self.group(), self.setup.config.journal.on_gap);
        let recovered = recovery.run(
            &mut |scan| Ok(Box::new(KafkaRecords::open(&self.services.endpoint, &group, scan, on_gap)?)),
            &mut sink,
        )?;
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(pipeline = %self.setup.name, entry = recovery.to, seconds, "recovered");
        metrics::histogram!("tidewheel_recovery_seconds", "pipeline" => self.setup.name.to_string())
            .record(seconds);
        Ok(recovered)
    }

    /// What the journal last published is what readers get, whether or not a version of it was stored.
    pub(super) fn serve_recovered(&self, machine: &Machine) {
        let (serving, revision) = (&self.services.serving, machine.revision());
        if serving.current().as_ref().is_none_or(|now| now.number < revision.number) && revision.number > 0 {
            serving.swap(revision.clone());
        }
    }

    /// The entry that says who writes from here on, and under which configuration.
    pub(super) fn begin_epoch(
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
            effects.alerts.clear();
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
