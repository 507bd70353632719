use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler};

use super::credits::Permit;
use super::status::{Status, now_ms};
use super::storage::{Job, Storage};
use super::{Effected, Failures, Progressed, guarded};
use crate::journal::{Checkpoint, Journal};
use crate::monitor::{AlertChange, AlertState};
use crate::pipeline::effects::{Answers, Effects};
use crate::pipeline::probe::{Probed, Stage, tell};
use crate::registry::Serving;
use crate::serve::cache::{Cache, Clear, Fill};
use crate::stream::Position;

/// What entries cause inside the process: after they are durable, in their order.
pub(super) struct Effecting {
    pub(super) pipeline: Arc<str>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) serving: Arc<Serving>,
    pub(super) cache: Addr<Cache>,
    pub(super) storage: Storage,
    pub(super) status: Arc<Status>,
    pub(super) probe: Probed,
    pub(super) failures: Failures,
    pub(super) failed: bool,
    pub(super) waiting: VecDeque<Effected>,
    /// Done, but their outputs are not acknowledged yet.
    pub(super) leaving: VecDeque<Leaving>,
}

pub(super) struct Leaving {
    n: u64,
    checkpoint: Option<Checkpoint>,
    positions: Vec<Position>,
    _permit: Option<Arc<Permit>>,
}

impl Actor for Effecting {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        super::name_thread("effect");
        context.set_mailbox_capacity(64);
    }
}

impl Effecting {
    fn advance(&mut self) {
        let progress = self.journal.progress();
        while let Some(effected) = self.waiting.pop_front_if(|first| first.after <= progress.durable) {
            let n = effected.effects.n;
            let (mut failed, failures) = (self.failed, self.failures.clone());
            let leaving = guarded("effect", &mut failed, &failures, || Ok(self.take_effect(effected)));
            self.failed = failed;
            match leaving {
                Some(leaving) => self.leaving.push_back(leaving),
                None => return,
            }
            self.status.effected(n);
        }
        while let Some(left) = self.leaving.pop_front_if(|first| first.n <= progress.acknowledged) {
            self.status.progress.reached(left.positions);
            if let Some(checkpoint) = left.checkpoint {
                self.storage.send(Job::Checkpoint(checkpoint));
            }
        }
        self.status.acknowledged(progress.acknowledged);
    }

    fn take_effect(&self, effected: Effected) -> Leaving {
        let Effected { effects, permit, .. } = effected;
        let Effects {
            n,
            time_ms,
            revision,
            answers,
            version,
            checkpoint,
            arrivals,
            positions,
            counts,
            alerts,
            begun_anew,
            ..
        } = effects;
        if begun_anew {
            self.cache.do_send(Clear);
        }
        if let Some(revision) = revision {
            let newer = self.serving.current().as_ref().is_none_or(|now| now.number < revision.number);
            if newer {
                self.serving.swap(revision);
                self.status.fresh(arrivals.runs(), now_ms());
            }
        }
        tell(&self.probe, Stage::Effect, n, -1);
        let permit = permit.map(Arc::new);
        if let Some(Answers { keys, rows, predictions, revision }) = answers {
            let picks = (0..rows.len() as u32).collect();
            let permit = Box::new(permit.clone());
            self.cache.do_send(Fill { keys, rows, picks, predictions, revision, time_ms, permit });
        }
        if let Some(version) = version {
            self.storage.send(Job::Version(version));
        }
        alerts.iter().for_each(|change| tell_alert(&self.pipeline, n, change));
        self.status.count(&counts, alerts.len() as u64);
        Leaving { n, checkpoint, positions, _permit: permit }
    }
}

impl Handler<Effected> for Effecting {
    type Result = ();

    fn handle(&mut self, effected: Effected, _: &mut Self::Context) {
        if !self.failed {
            self.waiting.push_back(effected);
            self.advance();
        }
    }
}

impl Handler<Progressed> for Effecting {
    type Result = ();

    fn handle(&mut self, _: Progressed, _: &mut Self::Context) {
        if !self.failed {
            self.advance();
        }
    }
}

/// An alert's change in the log: a fault as a warning, its end as information.
fn tell_alert(pipeline: &str, entry: u64, change: &AlertChange) {
    let AlertChange::Put(alert) = change else { return };
    let (kind, subject, message) = (alert.kind.name(), &alert.subject, &alert.message);
    match alert.state {
        AlertState::Firing => tracing::warn!(pipeline, entry, kind, subject, "alert: {message}"),
        AlertState::Resolved => tracing::info!(pipeline, entry, kind, subject, "alert resolved: {message}"),
    }
}
