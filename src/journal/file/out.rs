//! The thread that sends outputs: in the order of their entries, each after its entry is durable, again when refused.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Released, Shared, lock};
use crate::journal::error::JournalError;
use crate::journal::frame::frame_mark;
use crate::stream::{Delivery, OutputProducer, Outputs, RefusalKind, let_go};

/// While records are on their way, delivery reports are looked for this often.
const POLL: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_millis(50);
/// What was refused is sent again after this long, then after twice as long, and so on up to the other.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often outputs are sent whose refusal is not expected to go by: 15 s of waiting between them.
const LASTING_TRIES_MAX: u32 = 5;

/// A group whose records are on their way.
struct Sent {
    n: u64,
    outputs: Outputs,
    sent: usize,
}

/// What was refused, and everything after it, is to be sent again, so that topics get it in the order of the entries.
struct Pause {
    until: Instant,
    /// Whether nothing is on its way any more.
    drained: bool,
}

pub(super) fn run(shared: &Shared, producer: OutputProducer, stop: &AtomicBool) {
    let acknowledged = shared.acknowledged.load(Ordering::Acquire);
    let mut out = Out {
        shared,
        producer,
        on_way: VecDeque::new(),
        pause: None,
        refusals: 0,
        failed: false,
        marked: acknowledged,
        marked_at: Instant::now(),
    };
    while !stop.load(Ordering::SeqCst) {
        let progressed = !out.failed && out.step();
        out.mark(false);
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
    pause: Option<Pause>,
    /// Times in a row that the first group was refused.
    refusals: u32,
    /// Nothing is sent any more.
    failed: bool,
    marked: u64,
    marked_at: Instant,
}

impl Out<'_> {
    /// Whether anything has moved.
    fn step(&mut self) -> bool {
        let taken = self.take_released();
        let moved = if self.pause.is_some() { self.resume() } else { self.send() | self.acknowledge() };
        taken | moved | self.pass_skips()
    }

    fn room(&self) -> bool {
        !self.failed && self.on_way.len() < OutputProducer::GROUPS_MAX - 1
    }

    /// Takes what may leave by now.
    fn take_released(&mut self) -> bool {
        let durable = self.shared.durable.load(Ordering::Acquire);
        let already = self.shared.acknowledged.load(Ordering::Acquire);
        let mut released = lock(&self.shared.released);
        let before = self.on_way.len();
        while self.room()
            && let Some(Released { n, outputs, .. }) =
                released.queue.pop_front_if(|first| first.after <= durable)
        {
            // What a recovery computes again and what was acknowledged before does not leave twice.
            let outputs = if n <= already { Outputs::default() } else { outputs };
            self.on_way.push_back(Sent { n, outputs, sent: 0 });
        }
        self.on_way.len() > before
    }

    /// Queues records until the producer's queue is full, or one was refused: nothing may leave behind that one.
    fn send(&mut self) -> bool {
        let mut progressed = false;
        for place in 0..self.on_way.len() {
            if self.producer.any_refused() {
                break;
            }
            let group = &mut self.on_way[place];
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
                    self.refused(place, None, RefusalKind::Temporary, error.to_string());
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
        while let Some(group) = self.on_way.front()
            && group.sent == group.outputs.len()
        {
            match self.producer.delivery(group.n as usize) {
                Delivery::Waiting(_) => break,
                Delivery::Done => {
                    done = Some(group.n);
                    self.refusals = 0;
                    self.on_way.pop_front();
                }
                Delivery::Failed(refused) => {
                    let lasting = refused.iter().find(|refusal| refusal.kind() == RefusalKind::Permanent);
                    let worst = lasting.unwrap_or(&refused[0]);
                    self.refused(0, Some(worst.place), worst.kind(), worst.to_string());
                    break;
                }
            }
        }
        if let Some(n) = done {
            self.advance(n);
        }
        done.is_some()
    }

    fn advance(&self, n: u64) {
        self.shared.acknowledged.fetch_max(n, Ordering::AcqRel);
        (self.shared.on_progress)(self.shared.progress());
    }

    /// Whether entries that have nothing to be acknowledged were passed.
    fn pass_skips(&self) -> bool {
        let progress = self.shared.progress();
        let acknowledged = lock(&self.shared.released).pass_skips(progress.durable, progress.acknowledged);
        if acknowledged > progress.acknowledged {
            self.advance(acknowledged);
        }
        acknowledged > progress.acknowledged
    }

    /// Group `place` was refused, because of this record where it is known: sends it again later, or gives up where
    /// that does not help.
    fn refused(&mut self, place: usize, record: Option<usize>, kind: RefusalKind, reason: String) {
        let Sent { n: entry, outputs, .. } = &self.on_way[place];
        let (entry, topics) = (*entry, outputs.topics());
        let topic = match record {
            Some(record) => topics[outputs.get(record).topic].to_string(),
            None => topics.join(" or "),
        };
        self.refusals += 1;
        let tries = self.refusals;
        metrics::counter!("tidewheel_outputs_refused_total").increment(1);
        if kind == RefusalKind::Permanent && tries >= LASTING_TRIES_MAX {
            self.failed = true;
            return self.shared.fail(JournalError::Refused { entry, topic, tries, reason });
        }
        let delay = RETRY.saturating_mul(1 << (tries - 1).min(16)).min(RETRY_MAX);
        tracing::error!(entry, topic, reason, tries, ?delay, "outputs were refused; sending them again");
        self.pause = Some(Pause { until: Instant::now() + delay, drained: false });
    }

    /// Waits until nothing is on its way, then until it is time to send all of it again.
    fn resume(&mut self) -> bool {
        self.producer.poll(Duration::ZERO);
        let Some(pause) = &mut self.pause else { return false };
        if !pause.drained {
            let producer = &self.producer;
            let waiting = |group: &Sent| matches!(producer.delivery(group.n as usize), Delivery::Waiting(_));
            // All are asked: that also takes the refusals of later groups off the producer.
            if self.on_way.iter().filter(|group| waiting(group)).count() > 0 {
                return false;
            }
            self.on_way.iter_mut().for_each(|group| group.sent = 0);
            pause.drained = true;
        }
        let due = Instant::now() >= pause.until;
        if due {
            self.pause = None;
        }
        due
    }

    /// Leaves a mark in the journal; it becomes durable with whatever entry comes next.
    fn mark(&mut self, last: bool) {
        let acknowledged = self.shared.acknowledged.load(Ordering::Acquire);
        let due = last || self.marked_at.elapsed() >= Duration::from_millis(self.shared.config.mark_ms);
        if acknowledged > self.marked && due {
            frame_mark(acknowledged, &mut lock(&self.shared.writer).buffer);
            self.marked = acknowledged;
            self.marked_at = Instant::now();
        }
    }

    /// Waits for something to be released, for an entry to become durable, or a while for delivery reports.
    fn wait(&self) {
        // Not by rdkafka's poll: it spins through the last millisecond of a time-out.
        let patience = if self.failed || self.on_way.is_empty() { IDLE } else { POLL };
        let released = lock(&self.shared.released);
        let durable = self.shared.durable.load(Ordering::Acquire);
        if !self.room() || released.queue.front().is_none_or(|first| first.after > durable) {
            let waited = self.shared.to_send.wait_timeout(released, patience);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
