//! The thread that sends outputs: in the order of their entries, each after its entry is durable, again when refused.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Released, Shared, lock};
use crate::journal::segment::frame;
use crate::stream::{Delivery, OutputProducer, Outputs, let_go};

/// While records are on their way, delivery reports are looked for this often.
const POLL: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_millis(50);
/// A refused group is sent again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// A group whose records are on their way.
struct Sent {
    n: u64,
    outputs: Outputs,
    sent: usize,
}

pub(super) fn run(shared: &Shared, producer: OutputProducer, stop: &AtomicBool) {
    let mut out = Out { shared, producer, on_way: VecDeque::new(), marked: 0, marked_at: Instant::now() };
    loop {
        let progressed = out.take_released() | out.send() | out.acknowledge();
        out.mark(false);
        if stop.load(Ordering::SeqCst) {
            break;
        }
        if !progressed {
            out.wait();
        }
    }
    out.mark(true);
    let_go(out.producer);
}

struct Out<'a> {
    shared: &'a Shared,
    producer: OutputProducer,
    on_way: VecDeque<Sent>,
    marked: u64,
    marked_at: Instant,
}

impl Out<'_> {
    /// Takes what may leave by now.
    fn take_released(&mut self) -> bool {
        let durable = self.shared.durable.load(Ordering::Acquire);
        let already = self.shared.acknowledged.load(Ordering::Acquire);
        let mut released = lock(&self.shared.released);
        let before = self.on_way.len();
        while self.on_way.len() < OutputProducer::GROUPS_MAX - 1
            && let Some(Released { n, outputs, .. }) =
                released.queue.pop_front_if(|first| first.after <= durable)
        {
            // What a recovery computes again and what was acknowledged before does not leave twice.
            let outputs = if n <= already { Outputs::default() } else { outputs };
            self.on_way.push_back(Sent { n, outputs, sent: 0 });
        }
        self.on_way.len() > before
    }

    /// Queues records until the producer's queue is full.
    fn send(&mut self) -> bool {
        let mut progressed = false;
        for group in &mut self.on_way {
            if group.sent == group.outputs.len() {
                continue;
            }
            match self.producer.send(group.n as usize, &group.outputs, group.sent) {
                Ok(sent) => {
                    progressed |= sent > group.sent;
                    group.sent = sent;
                    if sent < group.outputs.len() {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(entry = group.n, %error, "an output cannot be queued; trying again");
                    std::thread::sleep(RETRY);
                    break;
                }
            }
        }
        progressed
    }

    /// Takes the groups off that are acknowledged, in order.
    fn acknowledge(&mut self) -> bool {
        self.producer.poll(Duration::ZERO);
        let mut done = None;
        while let Some(group) = self.on_way.front_mut() {
            if group.sent < group.outputs.len() {
                break;
            }
            match self.producer.delivery(group.n as usize) {
                Delivery::Waiting(_) => break,
                Delivery::Done => {
                    done = Some(group.n);
                    self.on_way.pop_front();
                }
                Delivery::Failed(reason) => {
                    tracing::error!(
                        entry = group.n,
                        reason,
                        "outputs were refused; sending the entry's again"
                    );
                    metrics::counter!("tidewheel_outputs_refused_total").increment(1);
                    std::thread::sleep(RETRY);
                    group.sent = 0;
                    break;
                }
            }
        }
        if let Some(n) = done {
            self.shared.acknowledged.fetch_max(n, Ordering::AcqRel);
            (self.shared.on_progress)(self.shared.progress());
        }
        done.is_some()
    }

    /// Leaves a mark in the journal; it becomes durable with whatever entry comes next.
    fn mark(&mut self, last: bool) {
        let acknowledged = self.shared.acknowledged.load(Ordering::Acquire);
        let due = last || self.marked_at.elapsed() >= Duration::from_millis(self.shared.config.mark_ms);
        if acknowledged > self.marked && due {
            let line = format!("{{\"mark\":{acknowledged}}}");
            frame(line.as_bytes(), &mut lock(&self.shared.writer).buffer);
            self.marked = acknowledged;
            self.marked_at = Instant::now();
        }
    }

    /// Waits for something to be released, for an entry to become durable, or a while for delivery reports.
    fn wait(&self) {
        // Not by rdkafka's poll: it spins through the last millisecond of a time-out.
        let patience = if self.on_way.is_empty() { IDLE } else { POLL };
        let released = lock(&self.shared.released);
        let durable = self.shared.durable.load(Ordering::Acquire);
        let full = self.on_way.len() >= OutputProducer::GROUPS_MAX - 1;
        if full || released.queue.front().is_none_or(|first| first.after > durable) {
            let waited = self.shared.to_send.wait_timeout(released, patience);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
