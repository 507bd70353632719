use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix::Addr;

use super::credits::Credits;
use super::sequencing::Sequencer;
use super::status::Status;
use super::{Failure, Failures, PipelineError, Polled, supervisor};
use crate::config::{BatchConfig, Batching};
use crate::stream::{Records, SourceConsumer, StreamError, let_go};

/// How long a poll waits for a first record before it looks at the stop flag again.
const IDLE: Duration = Duration::from_millis(50);
/// How often lag and offsets are told.
const TELL: Duration = Duration::from_secs(1);
/// Pause after an error that may pass.
const RETRY: Duration = Duration::from_secs(1);

/// The thread that reads the sources; the only one that blocks on Kafka.
pub(super) struct Poller {
    stop: Arc<AtomicBool>,
    /// Whether what was read for a batch that is not full is a batch all the same.
    hand_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Poller {
    pub(super) fn start(
        mut source: SourceConsumer,
        batching: Batching,
        batch: BatchConfig,
        credits: Arc<Credits>,
        sequencer: Addr<Sequencer>,
        status: Arc<Status>,
        failures: Failures,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let hand_over = Arc::new(AtomicBool::new(false));
        let handing_over = hand_over.clone();
        let body = move || {
            let send = |records: Records| {
                let permit = credits.take(records.bytes());
                sequencer.do_send(Polled { records, permit });
            };
            let mut told = Instant::now();
            while !stopping.load(Ordering::SeqCst) {
                if told.elapsed() >= TELL {
                    told = Instant::now();
                    tell_progress(&source, &status);
                }
                if !credits.wait(IDLE) {
                    metrics::counter!("tidewheel_credit_waits_total").increment(1);
                    continue;
                }
                match next(&mut source, batching, &batch) {
                    Ok(Some(records)) => send(records),
                    Ok(None) => {}
                    Err(error) if is_gap(&error) => {
                        let message = error.to_string();
                        let fatal = Some(PipelineError::Stream(error));
                        let failure = Failure { stage: "poll", message, fatal };
                        let _ = failures.try_send(supervisor::Event::Failed(failure));
                        return;
                    }
                    Err(error) => {
                        tracing::error!(%error, "cannot read; trying again");
                        metrics::counter!("tidewheel_poll_errors_total").increment(1);
                        thread::sleep(RETRY);
                    }
                }
            }
            if handing_over.load(Ordering::SeqCst)
                && let Some(records) = source.remainder()
            {
                send(records);
            }
            tell_progress(&source, &status);
            let_go(source);
        };
        let thread =
            thread::Builder::new().name("poll".into()).spawn(body).expect("the system can start a thread");
        Self { stop, hand_over, thread }
    }

    /// Ends after the batch at hand. `hand_over`: a batch that is not full yet is handed over too; else it is read
    /// again by the next one who polls.
    pub(super) fn stop(self, hand_over: bool) {
        self.hand_over.store(hand_over, Ordering::SeqCst);
        self.stop.store(true, Ordering::SeqCst);
        if self.thread.join().is_err() {
            tracing::error!("the polling thread panicked");
        }
    }
}

/// Lag as a metric, and offsets for the tools of others.
fn tell_progress(source: &SourceConsumer, status: &Status) {
    let positions = status.progress.positions();
    if positions.is_empty() {
        return;
    }
    for position in &positions {
        status.lag(&position.topic, position.partition, source.lag(position));
    }
    if let Err(error) = source.commit(&positions) {
        tracing::warn!(%error, "the offsets for lag tools could not be committed");
    }
}

fn next(
    source: &mut SourceConsumer,
    batching: Batching,
    batch: &BatchConfig,
) -> Result<Option<Records>, StreamError> {
    match batching {
        Batching::Arrival => {
            source.next_batch(IDLE, Duration::from_millis(batch.max_wait_ms), batch.max_rows)
        }
        Batching::Fixed => source.full_batch(IDLE, batch.max_rows),
    }
}

fn is_gap(error: &StreamError) -> bool {
    matches!(error, StreamError::Gap { .. })
}
