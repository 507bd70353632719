//! The actors of a running pipeline: thin shells that hand batches on, each on a thread of its own.
//!
//! ```text
//!     poll thread ─▶ Sequencer ─▶ Decoding ─▶ Stating ─▶ Effecting ─▶ cache, readers, storage thread
//!                       │ append                 │ release     ▲ progress
//!                       └──────────▶ journal ◀───┘─────────────┘
//! ```

mod credits;
mod decoding;
mod effecting;
mod error;
mod handle;
mod last_version;
mod poll;
mod reached;
mod sequencing;
mod stages;
mod start;
mod stating;
mod status;
mod storage;
mod supervisor;

use credits::Permit;
pub use error::PipelineError;
pub use handle::{Pipeline, Services};
pub(super) use last_version::serve_last_version;
pub use status::{Phase, Report, Status};

use super::decode::Decoded;
use super::effects::Effects;
use crate::journal::Entry;
use crate::stream::Records;

/// A stage that cannot go on; the supervisor drops all stages and recovers.
#[derive(Debug)]
struct Failure {
    stage: &'static str,
    message: String,
    /// Whether recovering could not help: the process should end.
    fatal: Option<PipelineError>,
}

/// Where stages report that they cannot go on.
type Failures = std::sync::mpsc::SyncSender<supervisor::Event>;

/// Runs the core of a handler; a panic is reported and the stage takes no further message.
fn guarded<T>(
    stage: &'static str,
    failed: &mut bool,
    failures: &Failures,
    core: impl FnOnce() -> Result<T, PipelineError>,
) -> Option<T> {
    if *failed {
        return None;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(core));
    let failure = match result {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => Failure { stage, message: error.to_string(), fatal: Some(error) },
        Err(panic) => Failure { stage, message: super::decode::panic_message(panic.as_ref()), fatal: None },
    };
    *failed = true;
    // A full queue means that others have reported already.
    let _ = failures.try_send(supervisor::Event::Failed(failure));
    None
}

/// Names the calling thread, which an arbiter cannot do: for `top` and the bench. Only Linux; elsewhere nothing.
fn name_thread(name: &str) {
    // What a thread is called matters to nobody's work.
    let _ = std::fs::write("/proc/thread-self/comm", name);
}

/// Records that arrived together.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Polled {
    records: Records,
    permit: Permit,
}

/// An entry that the journal has numbered.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Sequenced {
    entry: Entry,
    records: Option<Records>,
    permit: Option<Permit>,
}

/// An entry with its rows.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Worked {
    entry: Entry,
    decoded: Option<Decoded>,
    after: u64,
    permit: Option<Permit>,
}

/// What an entry causes.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Effected {
    effects: Effects,
    after: u64,
    permit: Option<Permit>,
}

/// The journal has come further.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Progressed;
