use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler};

use super::stating::Stating;
use super::{Failures, PipelineError, Sequenced, Worked, guarded};
use crate::journal::{Body, Journal};
use crate::pipeline::decode::{Decoder, Skips};

/// Records become rows; no state of its own.
pub(super) struct Decoding {
    pub(super) decoder: Decoder,
    pub(super) skips: Skips,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) next: Addr<Stating>,
    pub(super) failures: Failures,
    pub(super) failed: bool,
}

impl Actor for Decoding {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        super::name_thread("decode");
        context.set_mailbox_capacity(64);
    }
}

impl Handler<Sequenced> for Decoding {
    type Result = ();

    fn handle(&mut self, sequenced: Sequenced, _: &mut Self::Context) {
        let Sequenced { entry, records, permit } = sequenced;
        let (decoder, skips, journal) = (&self.decoder, &mut self.skips, &self.journal);
        let worked = guarded("decode", &mut self.failed, &self.failures, || {
            let Some(records) = records else {
                let after = entry.n;
                return Ok(Worked { entry, decoded: None, after, permit });
            };
            let (decoded, after) = decoder.decode_guarded(entry.n, records, skips, |skip| {
                tracing::error!(?skip, "a row makes decoding panic; going on without it");
                Ok::<u64, PipelineError>(journal.append(Body::Skip(skip))?.n)
            })?;
            Ok(Worked { entry, decoded: Some(decoded), after, permit })
        });
        if let Some(worked) = worked {
            self.next.do_send(worked);
        }
    }
}
