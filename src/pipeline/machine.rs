//! The state machine: decode, join, learn, judge and publish as functions of the state and the entry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::accounts::Accounts;
use super::batch::BatchWork;
use super::classes::Classes;
use super::cursor::Cursor;
use super::decode::{Decoded, Skips};
use super::effects::Effects;
use super::outputs::rfc3339;
use super::probe::Probed;
use super::setup::Setup;
use crate::config::{JoinConfig, PipelineConfig};
use crate::join::{ColdRows, Join, LoadError};
use crate::journal::{Action, Body, Checkpoint, Entry, Skip};
use crate::learn::{self, Learner, Predictor, Shape};
use crate::monitor::{AlertChange, Monitor};
use crate::registry::{Digests, Manifest, Revision};
use crate::schema::SchemaError;
use crate::state::{Digest, StateError, TensorMap};
use crate::stream::{Position, SpareMemory};

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("the configuration of an epoch cannot be used: {0}")]
    Config(#[from] serde_json::Error),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A stored state does not fit (exit code 6).
    #[error("the stored state does not fit: {0}")]
    State(#[from] StateError),
    /// Pending events do not fit, or are gone (exit code 6).
    #[error("the stored state does not fit: {0}")]
    Join(#[from] LoadError),
}

/// Where pending events go that do not fit in memory; none: they all stay there.
pub type Cold = Option<Arc<Mutex<ColdRows>>>;

/// All that a pipeline knows after an entry. The only way to change it is [`Machine::apply`].
pub struct Machine {
    pub(super) setup: Arc<Setup>,
    pub(super) shape: Shape,
    pub(super) learner: Box<dyn Learner>,
    /// The one published last.
    pub(super) revision: Arc<Revision>,
    pub(super) join: Join,
    pub(super) monitor: Monitor,
    pub(super) classes: Classes,
    pub(super) accounts: Accounts,
    pub(super) cursor: Cursor,
    pub(super) probe: Probed,
    work: BatchWork,
    spare: Arc<SpareMemory>,
}

impl Machine {
    /// The state before entry 1.
    /// The oldest pending events go to `cold` where there are more than fit in memory.
    pub fn new(setup: Arc<Setup>, probe: Probed, cold: Cold) -> Result<Self, MachineError> {
        let shape = setup.shape()?;
        let config = &setup.config;
        let outputs = shape.objective.outputs();
        let mut learner = learn::build(&config.model, &shape, &setup.columns());
        let classes = Classes::new(&config.schema);
        let revision = Arc::new(Revision {
            number: 0,
            version: 0,
            epoch: 0,
            published_ms: 0,
            objective: shape.objective,
            classes: classes.names(),
            predictor: learner.publish(),
        });
        Ok(Self {
            join: match cold {
                Some(cold) => Join::with_cold(&config.join, &config.dedupe, cold),
                None => Join::new(&config.join, &config.dedupe),
            },
            monitor: Monitor::new(&setup.name, &config.monitor, config.schema.task, outputs),
            accounts: Accounts::default(),
            cursor: Cursor::default(),
            work: BatchWork::default(),
            spare: Arc::default(),
            setup,
            shape,
            learner,
            revision,
            classes,
            probe,
        })
    }

    /// Applies the next entry. `decoded` are the rows of a `batch`, without those that a `skip` names; `skips` says
    /// which of the events that expire are left out likewise.
    pub fn apply(
        &mut self,
        entry: &Entry,
        decoded: Option<Decoded>,
        skips: &Skips,
    ) -> Result<Effects, MachineError> {
        let outputs = self.spare.outputs();
        let mut effects = Effects { n: entry.n, time_ms: entry.time_ms, outputs, ..Effects::default() };
        if matches!(entry.body, Body::Skip(_)) {
            // It is part of the entry that it names; live, it does not even pass by here.
            return Ok(effects);
        }
        let mut alerts = Vec::new();
        self.cursor.entry = entry.n;
        self.cursor.time_ms = entry.time_ms;
        let mut store = None;
        match &entry.body {
            Body::Epoch { epoch, config, .. } => {
                effects.begun_anew = self.begin_epoch(*epoch, config, &mut alerts)?;
            }
            Body::Batch { parts } => {
                for part in parts {
                    let next = part.last + 1;
                    self.cursor.advance(&part.topic, part.partition, next);
                    let topic = part.topic.as_str().into();
                    effects.positions.push(Position { topic, partition: part.partition, next });
                }
                if let Some(decoded) = decoded {
                    let mut work = std::mem::take(&mut self.work);
                    work.run(self, entry, decoded, &mut effects, &mut alerts);
                    self.work = work;
                }
            }
            Body::Tick | Body::Skip(_) => {}
            Body::Control { action: Action::Store, why, .. } => store = Some(why.clone()),
            Body::Control { action: Action::ResetModel, .. } => {
                self.begin_anew(self.setup.clone(), &mut alerts)?;
                effects.begun_anew = true;
            }
        }
        let mut work = std::mem::take(&mut self.work);
        work.expire(self, entry, skips, &mut effects, &mut alerts);
        self.work = work;
        self.monitor.tick(entry.time_ms, &mut alerts);
        self.publish_when_due(entry, store.is_some(), &mut effects, &mut alerts);
        self.store_when_due(store, &mut effects);
        self.write_alerts(alerts, &mut effects);
        self.checkpoint_when_due(&mut effects);
        Ok(effects)
    }

    /// A new owner: its configuration holds from here on. Where keys differ that the state was made for, the state
    /// begins anew, which is returned; `run` refuses that unless it was asked for.
    fn begin_epoch(
        &mut self,
        epoch: u64,
        config: &serde_json::Value,
        alerts: &mut Vec<AlertChange>,
    ) -> Result<bool, MachineError> {
        let config: PipelineConfig = serde_json::from_value(config.clone())?;
        if self.cursor.epoch == 0 {
            self.cursor.begin();
        }
        self.cursor.epoch = epoch;
        let changed = crate::config::change_class(&self.setup.config, &config);
        let setup = Arc::new(Setup::new(&self.setup.name, &config));
        if !changed.is_empty() {
            self.begin_anew(setup, alerts)?;
            return Ok(true);
        }
        self.join.configure(&config.join, &config.dedupe);
        let (time_ms, version) = (self.cursor.time_ms, self.cursor.version);
        self.monitor.reconfigure(&config.monitor, time_ms, Some(version), alerts);
        self.setup = setup;
        Ok(false)
    }

    /// An untrained model in an empty join: what waits expires, what fires is resolved; positions, accounts and
    /// numbers go on.
    fn begin_anew(&mut self, setup: Arc<Setup>, alerts: &mut Vec<AlertChange>) -> Result<(), MachineError> {
        let mut fresh = Self::new(setup, self.probe.clone(), self.join.cold())?;
        fresh.join.clear_cold();
        let config = &fresh.setup.config;
        let shape = (config.schema.task, fresh.shape.objective.outputs());
        let (time_ms, version) = (self.cursor.time_ms, self.cursor.version);
        self.monitor.begin_anew(&config.monitor, shape, time_ms, Some(version), alerts);
        std::mem::swap(&mut fresh.monitor, &mut self.monitor);
        fresh.accounts = self.accounts;
        fresh.accounts.events.expired += std::mem::take(&mut fresh.accounts.events.pending);
        fresh.accounts.labels.expired += std::mem::take(&mut fresh.accounts.labels.pending);
        fresh.cursor = std::mem::take(&mut self.cursor);
        fresh.cursor.begin_anew();
        *self = fresh;
        Ok(())
    }

    fn publish_when_due(
        &mut self,
        entry: &Entry,
        storing: bool,
        effects: &mut Effects,
        alerts: &mut Vec<AlertChange>,
    ) {
        let first = self.revision.number == 0;
        let due = self.cursor.publish_due(&self.setup.config.publish) || self.version_due() || storing;
        let learned = due && self.cursor.unpublished > 0;
        if !(first || learned) {
            return;
        }
        self.cursor.try_publish();
        let predictor = self.learner.publish();
        let version = self.cursor.version;
        if !predictor.is_finite() {
            self.monitor.model_not_finite(entry.n, entry.time_ms, Some(version), alerts);
            self.cursor.kept_back += 1;
            return;
        }
        self.monitor.model_finite(entry.n, entry.time_ms, Some(version), alerts);
        self.cursor.published += 1;
        self.revision = Arc::new(self.make_revision(entry.n, entry.time_ms, version, predictor));
        effects.arrivals = std::mem::take(&mut self.cursor.arrivals);
        effects.revision = Some(self.revision.clone());
    }

    fn make_revision(
        &self,
        number: u64,
        time_ms: u64,
        version: u64,
        predictor: Arc<dyn Predictor>,
    ) -> Revision {
        Revision {
            number,
            version,
            epoch: self.cursor.epoch,
            published_ms: time_ms,
            objective: self.shape.objective,
            classes: self.classes.names(),
            predictor,
        }
    }

    fn version_due(&self) -> bool {
        self.cursor.version_due(&self.setup.config.version)
    }

    fn store_when_due(&mut self, asked: Option<String>, effects: &mut Effects) {
        let why = match asked {
            Some(_) if !self.cursor.changed_since_version => return,
            Some(why) => why,
            None if self.version_due() => "due".into(),
            None => return,
        };
        self.cursor.begin_version();
        let digests = self.digests();
        let manifest = Manifest {
            version: self.cursor.version,
            revision: self.revision.number,
            entry: self.cursor.entry,
            epoch: self.cursor.epoch,
            parent: self.cursor.version - 1,
            examples: self.cursor.learned,
            offsets: self.cursor.positions.iter().map(|((t, p), next)| (t.clone(), *p, *next)).collect(),
            metrics: serde_json::to_value(self.monitor.report()).unwrap_or_default(),
            config: config_digest(&self.setup.config),
            made_for: made_for_digest(&self.setup.config),
            classes: self.classes.names().iter().map(ToString::to_string).collect(),
            digests,
            at: rfc3339(self.cursor.time_ms),
            why,
            machine: super::machine_class(),
        };
        effects.version = Some(Box::new((manifest, self.save_model())));
    }

    fn write_alerts(&self, alerts: Vec<AlertChange>, effects: &mut Effects) {
        let topic = &self.setup.alerts_topic;
        for change in &alerts {
            let value = change.value();
            effects.outputs.push(topic, None, Some(change.key().as_bytes()), value.as_deref(), Vec::new());
        }
        effects.alerts = alerts;
    }

    fn checkpoint_when_due(&mut self, effects: &mut Effects) {
        if self.cursor.checkpoint_due(&self.setup.config.checkpoint) {
            effects.checkpoint = Some(self.checkpoint());
        }
    }

    /// The whole state now; the next one is due counting from here.
    pub fn checkpoint(&mut self) -> Checkpoint {
        self.cursor.begin_checkpoint();
        Checkpoint { entry: self.cursor.entry, state: self.save() }
    }

    /// A row left out by a `skip`: told by an alert at the entry that it belongs to.
    pub(super) fn alert_skip(&mut self, skip: &Skip, alerts: &mut Vec<AlertChange>) {
        let place = (skip.topic.as_str(), skip.partition, skip.offset);
        let (time_ms, version) = (self.cursor.time_ms, self.cursor.version);
        self.monitor.row_skipped(place, &skip.reason, time_ms, Some(version), alerts);
    }

    pub fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    pub fn revision(&self) -> &Arc<Revision> {
        &self.revision
    }

    pub fn accounts(&self) -> Accounts {
        self.accounts
    }

    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    pub fn join(&self) -> &Join {
        &self.join
    }

    /// Next offset of each (topic, partition) that was read.
    pub fn positions(&self) -> &BTreeMap<(String, i32), i64> {
        &self.cursor.positions
    }

    /// When something in the state next wants an entry, by entry time.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let config = &self.setup.config;
        let own = self.cursor.next_deadline_ms(&config.publish, &config.version);
        [own, self.join.next_deadline_ms(), self.monitor.next_deadline_ms()].into_iter().flatten().min()
    }

    /// The pending events that an entry at `time_ms` may let go of, oldest first, where it takes `admitted` others in.
    /// Uses the state up.
    pub(super) fn into_expiring(mut self, time_ms: u64, admitted: usize) -> Vec<(i32, i64)> {
        let config = &self.setup.config;
        let rows_max = config.join.rows_max.saturating_sub(admitted);
        // No record of a broker's default size is larger.
        let bytes_max = config.join.bytes_max.saturating_sub(admitted as u64 * (1 << 20));
        self.join.configure(&JoinConfig { rows_max, bytes_max, ..config.join.clone() }, &config.dedupe);
        let mut places = Vec::new();
        self.join.expire(time_ms, |chunk, row| {
            places.push((chunk.origins[row].partition, chunk.origins[row].offset));
        });
        places
    }

    /// Digests of the state and its parts.
    pub fn digests(&self) -> Digests {
        let model = self.save_model().digest();
        let monitors = self.monitor.save().digest();
        let mut join = self.join.digest_state();
        join.nest("accounts", self.accounts.save());
        join.nest("cursor", self.cursor.save());
        let join = join.digest();
        let state = Digest::over(&[model, monitors, join]);
        Digests {
            model: model.to_string(),
            monitors: monitors.to_string(),
            join: join.to_string(),
            state: state.to_string(),
        }
    }

    /// `predictor/…`, `learner/…` and the classes.
    fn save_model(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("predictor", self.revision.predictor.save());
        map.nest("learner", self.learner.save());
        map.nest("classes", self.classes.save());
        map
    }

    /// The whole state.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("model", self.save_model());
        map.put_u64(
            "revision",
            &[
                self.revision.number,
                self.revision.version,
                self.revision.epoch,
                self.revision.published_ms,
                self.revision.classes.len() as u64,
            ],
        );
        map.nest("monitor", self.monitor.save());
        map.nest("join", self.join.save());
        map.nest("accounts", self.accounts.save());
        map.nest("cursor", self.cursor.save());
        map.nest("unlogged", self.cursor.save_unlogged());
        let config = self.setup.config.effective_json().to_string();
        map.put_bytes("config", config.into_bytes());
        map
    }

    /// The state that was saved, under the configuration that it was saved under.
    pub fn load(name: &str, state: &TensorMap, probe: Probed, cold: Cold) -> Result<Self, MachineError> {
        let config: PipelineConfig = serde_json::from_slice(state.bytes("config")?)?;
        let mut machine = Self::new(Arc::new(Setup::new(name, &config)), probe, cold)?;
        let model = state.under("model");
        machine.learner.load(&model.under("learner"))?;
        machine.classes.load(&model.under("classes"))?;
        let predictor = learn::load_predictor(
            &config.model,
            &machine.shape,
            &machine.setup.columns(),
            &model.under("predictor"),
        )?;
        let about = state.u64s("revision")?;
        let [number, version, epoch, published_ms, classes] = about[..] else {
            return Err(StateError::Missing { path: "revision".into() }.into());
        };
        machine.revision = Arc::new(Revision {
            number,
            version,
            epoch,
            published_ms,
            objective: machine.shape.objective,
            classes: machine.classes.first(classes as usize),
            predictor,
        });
        machine.monitor.load(&state.under("monitor"))?;
        machine.join.load(&state.under("join"))?;
        machine.accounts.load(&state.under("accounts"))?;
        machine.cursor.load(&state.under("cursor"), &state.under("unlogged"))?;
        Ok(machine)
    }
}

/// SHA-256 of the canonical effective configuration, in hex.
pub fn config_digest(config: &PipelineConfig) -> String {
    text_digest(config.effective_json().to_string())
}

/// SHA-256 of the keys that a state is made for, in hex.
pub fn made_for_digest(config: &PipelineConfig) -> String {
    text_digest(crate::config::made_for(config))
}

fn text_digest(text: String) -> String {
    let mut map = TensorMap::new();
    map.put_bytes("config", text.into_bytes());
    map.digest().to_string()
}
