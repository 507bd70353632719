//! A pipeline as the rest of the process sees it: started, asked to stop, waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use actix::{Addr, System};

use super::error::PipelineError;
use super::status::{Phase, Status};
use super::supervisor::{Event, Supervisor};
use crate::pipeline::probe::Probed;
use crate::pipeline::setup::{Places, Setup};
use crate::registry::Serving;
use crate::serve::cache::Cache;
use crate::stream::Endpoint;

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
