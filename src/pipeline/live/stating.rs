use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler};

use super::effecting::Effecting;
use super::status::Status;
use super::{Effected, Failures, Worked, guarded};
use crate::journal::Journal;
use crate::pipeline::decode::Skips;
use crate::pipeline::machine::Machine;

/// How often the report for HTTP and the demo is made anew.
const REPORT: Duration = Duration::from_millis(200);

/// The owner of the state machine.
pub(super) struct Stating {
    pub(super) machine: Machine,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) next: Addr<Effecting>,
    pub(super) status: Arc<Status>,
    pub(super) failures: Failures,
    pub(super) failed: bool,
}

impl Actor for Stating {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        super::name_thread("state");
        context.set_mailbox_capacity(64);
        context.run_interval(REPORT, |actor, _| {
            if !actor.failed {
                actor.status.report(&actor.machine);
            }
        });
    }
}

impl Handler<Worked> for Stating {
    type Result = ();

    fn handle(&mut self, worked: Worked, _: &mut Self::Context) {
        let Worked { entry, decoded, after, permit } = worked;
        let machine = &mut self.machine;
        let applied = guarded("state", &mut self.failed, &self.failures, || {
            Ok(machine.apply(&entry, decoded, &Skips::new())?)
        });
        let Some(mut effects) = applied else { return };
        self.status.applied(&self.machine);
        self.journal.release(effects.n, after, std::mem::take(&mut effects.outputs));
        self.next.do_send(Effected { effects, after, permit });
    }
}
