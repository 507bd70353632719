use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};

use super::decoding::Decoding;
use super::status::Status;
use super::{Failures, PipelineError, Polled, Sequenced, guarded};
use crate::journal::{Action, Body, Journal, describe};
use crate::pipeline::probe::{Probed, Stage, tell};

/// The one place where order is decided: what arrives becomes the next entry.
pub(super) struct Sequencer {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) next: Addr<Decoding>,
    pub(super) status: Arc<Status>,
    pub(super) tick: Duration,
    pub(super) probe: Probed,
    pub(super) failures: Failures,
    pub(super) last_entry: Instant,
    pub(super) failed: bool,
}

/// Something from outside.
#[derive(Message)]
#[rtype(result = "Option<u64>")]
pub(super) struct Control {
    pub(super) action: Action,
    pub(super) by: String,
    pub(super) why: String,
}

impl Actor for Sequencer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        super::name_thread("sequence");
        context.set_mailbox_capacity(64);
        context.run_interval(self.tick, |actor, _| actor.tick());
    }
}

impl Sequencer {
    /// A tick is an entry only when nothing else was and something is due before the next one.
    fn tick(&mut self) {
        let horizon = self.journal.now_ms() + self.tick.as_millis() as u64;
        let due = self.status.deadline_ms.load(Ordering::Relaxed) <= horizon;
        if due && self.last_entry.elapsed() >= self.tick {
            self.append(Body::Tick, None);
        }
    }

    fn append(&mut self, body: Body, polled: Option<Polled>) -> Option<u64> {
        let (journal, next, probe) = (&self.journal, &self.next, &self.probe);
        let last_entry = &mut self.last_entry;
        guarded("sequence", &mut self.failed, &self.failures, || {
            let entry = journal.append(body).map_err(PipelineError::from)?;
            *last_entry = Instant::now();
            let (n, offset) = (entry.n, polled.as_ref().map_or(-1, |polled| polled.records.get(0).offset()));
            tell(probe, Stage::Sequence, n, offset);
            let (records, permit) = polled.map(|polled| (polled.records, polled.permit)).unzip();
            next.do_send(Sequenced { entry, records, permit });
            Ok(n)
        })
    }
}

impl Handler<Polled> for Sequencer {
    type Result = ();

    fn handle(&mut self, polled: Polled, _: &mut Self::Context) {
        let parts = describe(&polled.records);
        self.append(Body::Batch { parts }, Some(polled));
    }
}

impl Handler<Control> for Sequencer {
    type Result = Option<u64>;

    fn handle(&mut self, control: Control, _: &mut Self::Context) -> Option<u64> {
        let Control { action, by, why } = control;
        self.append(Body::Control { action, by, why }, None)
    }
}
