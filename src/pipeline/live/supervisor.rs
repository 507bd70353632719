//! Recovers a pipeline, lets it run, and recovers it again when a stage fails: one piece of code for all three.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::Addr;
use arc_swap::ArcSwapOption;

use super::effecting::Effecting;
use super::error::PipelineError;
use super::handle::Services;
use super::sequencing::Control;
use super::stages::{Live, stop_arbiters};
use super::status::Phase;
use super::{Failure, Failures};
use crate::config::OnGap;
use crate::join::ColdRows;
use crate::journal::{Action, Journal, Scan};
use crate::pipeline::recover::{RecoverError, Recovered};
use crate::pipeline::setup::{Places, Setup};
use crate::stream::StreamError;

/// How many times in a row a pipeline may fail before it could go live for [`STEADY`].
const FAILURES_MAX: u32 = 10;
const STEADY: Duration = Duration::from_secs(30);
/// Stopping takes at most so long for what is on its way, and as long again for closing the journal.
const STOP_WITHIN: Duration = Duration::from_secs(10);

pub(super) enum Event {
    Failed(Failure),
    Stop { by: String, why: String },
}

pub(super) struct Supervisor {
    pub(super) setup: Arc<Setup>,
    pub(super) places: Places,
    /// Source topics and their numbers of partitions.
    pub(super) partitions: Vec<(Arc<str>, i32)>,
    pub(super) services: Services,
    pub(super) failures: Failures,
    pub(super) inbox: Receiver<Event>,
    pub(super) stopping: Arc<AtomicBool>,
}

impl Supervisor {
    pub(super) fn run(self) -> Result<(), PipelineError> {
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
        self.refuse_fatal(fatal)?;
        if times > FAILURES_MAX {
            let pipeline = self.setup.name.to_string();
            return Err(PipelineError::GaveUp { pipeline, stage, times, message });
        }
        let mut asked = None;
        for event in self.inbox.try_iter() {
            match event {
                // Recovering the stages would not help where the journal itself, say, has failed since.
                Event::Failed(Failure { fatal, .. }) => self.refuse_fatal(fatal)?,
                Event::Stop { by, why } => asked = Some(Event::Stop { by, why }),
            }
        }
        // To be met again once it is live.
        asked.into_iter().for_each(|event| drop(self.failures.try_send(event)));
        Ok(())
    }

    /// An error that recovering cannot help with; a gap can be left out where that is wanted, since going live again
    /// begins with what there is.
    fn refuse_fatal(&self, fatal: Option<PipelineError>) -> Result<(), PipelineError> {
        let skip_gaps = self.setup.config.journal.on_gap == OnGap::Skip;
        match fatal {
            Some(PipelineError::Stream(StreamError::Gap { .. })) if skip_gaps => Ok(()),
            fatal => fatal.map_or(Ok(()), Err),
        }
    }

    pub(super) fn group(&self) -> String {
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
