//! The thread that commits: whatever was appended and released while the last transaction was being committed is the
//! next one.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Shared;
use crate::journal::error::JournalError;
use crate::journal::release::Released;
use crate::stream::{Aborted, Outputs, Transactions};

/// What was aborted is tried again after this long, then after twice as long, and so on up to the other.
const RETRY: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often outputs are sent whose refusal is not expected to go by.
const LASTING_TRIES_MAX: u32 = 5;
/// Kafka answers a commit before it has written the transaction's markers. A transaction that begins before that is
/// refused, and librdkafka waits 20 ms before it asks again. Seen with librdkafka 2.16 and a Kafka that had nothing else to
/// do: 42 ms a transaction without a pause, 9 ms with this one. Under `bench pipeline` the gain is not shown.
const MARKERS: Duration = Duration::from_millis(3);
/// The stop flag is looked at this often.
const IDLE: Duration = Duration::from_millis(200);
/// Entries whose outputs go into one transaction at most.
const ENTRIES_MAX: usize = Transactions::PARTS_MAX - 1;

/// What goes in one transaction.
struct Group {
    /// Entries, and the mark.
    lines: Outputs,
    /// The last entry there is.
    last: u64,
    outputs: Vec<Released>,
    /// Outputs up to this entry are on their topics once it is committed.
    acknowledged: u64,
}

pub(super) fn run(shared: &Shared, mut producer: Transactions) {
    let mut marked = shared.progress().acknowledged;
    let least = Duration::from_millis(shared.config.commit_ms);
    let mut earliest = Instant::now();
    while let Some(group) = take_group(shared, earliest, marked) {
        let start = Instant::now();
        match commit(shared, &mut producer, &group) {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(last = group.last, "stopped before these were committed");
                break;
            }
            Err(error) => {
                shared.fail(error);
                break;
            }
        }
        let took = start.elapsed();
        earliest = start + least.max(took + MARKERS);
        metrics::histogram!("tidewheel_journal_sync_seconds").record(took);
        metrics::counter!("tidewheel_journal_written_bytes_total").increment(group.lines.bytes() as u64);
        marked = group.acknowledged;
        // Under the lock, so that no waiter looks before and sleeps after.
        let waiting = shared.lock();
        shared.durable.store(group.last, Ordering::Release);
        shared.acknowledged.store(group.acknowledged, Ordering::Release);
        drop(waiting);
        shared.changed.notify_all();
        (shared.on_progress)(shared.progress());
    }
    producer.let_go();
}

/// Commits a group, again and again where that may help; false: told to stop before it could be.
fn commit(shared: &Shared, producer: &mut Transactions, group: &Group) -> Result<bool, JournalError> {
    let stop = || shared.stop.load(Ordering::SeqCst);
    let parts: Vec<&Outputs> =
        std::iter::once(&group.lines).chain(group.outputs.iter().map(|released| &released.outputs)).collect();
    let topic = || shared.topic.to_string();
    let mut tries = 0;
    loop {
        tries += 1;
        let reason = match producer.commit(&parts, &stop) {
            Ok(()) => return Ok(true),
            Err(Aborted::Stopped) => return Ok(false),
            Err(Aborted::Fenced(reason)) => return Err(JournalError::Fenced { topic: topic(), reason }),
            Err(Aborted::Broken(reason)) => return Err(JournalError::Broken { topic: topic(), reason }),
            Err(Aborted::Again(reason)) => reason,
            Err(Aborted::Refused { part, place, reason }) => {
                let outputs = parts[part];
                let topic = outputs.topics()[outputs.get(place).topic].to_string();
                // The first part is the journal's own lines.
                let entry = part.checked_sub(1).map_or(group.last, |part| group.outputs[part].n);
                if tries >= LASTING_TRIES_MAX {
                    return Err(JournalError::Refused { entry, topic, tries, reason });
                }
                reason
            }
        };
        metrics::counter!("tidewheel_journal_aborts_total").increment(1);
        let delay = RETRY.saturating_mul(1 << (tries - 1).min(16)).min(RETRY_MAX);
        tracing::error!(
            last = group.last,
            reason,
            tries,
            ?delay,
            "a transaction was aborted; trying it again"
        );
        // `close` ends the wait; should it end by itself, it is tried a little early.
        std::thread::park_timeout(delay);
        if stop() {
            return Ok(false);
        }
    }
}

/// Waits for something to commit, and for the time to do it; None when all was committed and there will be no more.
fn take_group(shared: &Shared, earliest: Instant, marked: u64) -> Option<Group> {
    let mut waiting = shared.lock();
    loop {
        let stopping = shared.stop.load(Ordering::SeqCst);
        let last = waiting.next - 1;
        let early = earliest.saturating_duration_since(Instant::now());
        let any = !waiting.lines.is_empty()
            || waiting.release.queue.front().is_some_and(|first| first.after <= last);
        if any && (early.is_zero() || stopping) {
            break;
        }
        if stopping {
            return None;
        }
        let patience = if any { early } else { IDLE };
        waiting = shared.changed.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner).0;
    }
    let last = waiting.next - 1;
    let mut outputs = Vec::new();
    let mut acknowledged = shared.acknowledged.load(Ordering::Acquire);
    let already = acknowledged;
    while outputs.len() < ENTRIES_MAX
        && let Some(mut released) = waiting.release.queue.pop_front_if(|first| first.after <= last)
    {
        acknowledged = acknowledged.max(released.n);
        // What a recovery computes again and what left before does not leave twice.
        if released.n <= already {
            released.outputs = Outputs::default();
        }
        outputs.push(released);
    }
    let acknowledged = waiting.release.pass_skips(last, acknowledged);
    if acknowledged > marked {
        waiting.push_line(&shared.topic, format!("{{\"mark\":{acknowledged}}}").as_bytes());
    }
    let empty = waiting.spare.outputs();
    let lines = std::mem::replace(&mut waiting.lines, empty);
    Some(Group { lines, last, outputs, acknowledged })
}
