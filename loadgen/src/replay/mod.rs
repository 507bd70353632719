//! Replays a stream into Kafka: events, and their labels one event later, paced or at full speed.

mod pace;
mod producer;
mod window;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

pub use pace::{Lateness, Pacer};
pub use window::Gate;

use crate::streams::Source;
use producer::Producer;
use window::Window;

/// How long the last records may take to be delivered. librdkafka itself gives up after five minutes.
const FINISH_TIMEOUT: Duration = Duration::from_secs(310);
/// The same after a stop: the caller wants to leave.
const STOPPED_FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before a closed gate is asked again, and at most before `stop` is looked at.
const GATE_WAIT: Duration = Duration::from_millis(1);
const STOP_CHECK: Duration = Duration::from_millis(50);

/// A stream's way into Kafka. Label i goes out right after event i+1, the last label after the last event.
#[derive(Clone)]
pub struct Replay {
    /// Bootstrap brokers, `host:port`, separated by commas.
    pub brokers: String,
    /// Further librdkafka properties; they come last, so they win.
    pub properties: Vec<(String, String)>,
    pub events_topic: String,
    /// `None`: no label is sent; where the stream has labels, they are in its events.
    pub labels_topic: Option<String>,
    /// Events a second, open loop; `None`: full speed.
    pub rate: Option<f64>,
    /// First row, from 0.
    pub from_row: u64,
    /// Number of rows; `None`: to the end of the stream.
    pub rows: Option<u64>,
    /// Says what was consumed; with it, no more than the two bounds below is outstanding.
    pub gate: Option<Gate>,
    /// Bound on records, of both topics together, sent and not yet consumed.
    pub outstanding_records_max: u64,
    /// Bound on their bytes, counting each as the largest, uncompressed, in a batch of its own.
    pub outstanding_bytes_max: u64,
    /// Set it to end the replay early, cleanly.
    pub stop: Arc<AtomicBool>,
    /// What was done so far, for others to look at.
    pub progress: Arc<Progress>,
}

/// Counters of a running replay.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events handed to the client.
    pub events: AtomicU64,
    /// Labels handed to the client.
    pub labels: AtomicU64,
    /// Records that a broker has acknowledged.
    pub delivered: AtomicU64,
    /// Records that could not be delivered.
    pub failed: AtomicU64,
    /// The replay has ended, in whatever way.
    pub finished: AtomicBool,
}

/// What a replay did.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayReport {
    pub events: u64,
    pub labels: u64,
    /// From the first event to the last record's acknowledgement.
    pub seconds: f64,
    /// Events a second over that time.
    pub events_per_second: f64,
    /// How late events were sent, against their due times; 0 at full speed.
    pub late_ms_p99: f64,
    pub late_ms_max: f64,
    /// The replay was told to stop before its last row.
    pub stopped: bool,
    /// Records without an acknowledgement when a stopped replay left.
    pub unconfirmed: u64,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    #[error("rate {0}, expected a finite number of events a second above 0")]
    Rate(f64),
    #[error("rows {from} to {to}, but the stream has {rows}")]
    Rows { from: u64, to: u64, rows: u64 },
    #[error("bad Kafka properties: {0}")]
    Config(KafkaError),
    #[error("no broker of {brokers} answered within {seconds} s: {cause}")]
    Unreachable { brokers: String, seconds: u64, cause: KafkaError },
    #[error("no topic `{topic}` at {brokers}: create it first")]
    NoTopic { topic: String, brokers: String },
    #[error("a record for `{topic}` was refused: {cause}")]
    Send { topic: String, cause: KafkaError },
    #[error("{records} records were not delivered; the first: {first}")]
    Undelivered { records: u64, first: String },
    #[error("{records} records had no acknowledgement {seconds} s after the last was sent")]
    Unacknowledged { records: u64, seconds: u64 },
}

impl Replay {
    /// Bound on outstanding records, unless told otherwise.
    pub const OUTSTANDING_RECORDS_MAX: u64 = 20_000;
    /// Bound on outstanding bytes, unless told otherwise: below the 5 MiB that the embedded broker keeps of a partition.
    pub const OUTSTANDING_BYTES_MAX: u64 = 4 << 20;

    /// At full speed, the whole stream, labels to `labels_topic`, no gate.
    pub fn new(brokers: &str, events_topic: &str, labels_topic: &str) -> Self {
        Self {
            brokers: brokers.into(),
            properties: Vec::new(),
            events_topic: events_topic.into(),
            labels_topic: Some(labels_topic.into()),
            rate: None,
            from_row: 0,
            rows: None,
            gate: None,
            outstanding_records_max: Self::OUTSTANDING_RECORDS_MAX,
            outstanding_bytes_max: Self::OUTSTANDING_BYTES_MAX,
            stop: Arc::default(),
            progress: Arc::default(),
        }
    }

    /// Sends the rows and returns when each record is acknowledged. Blocks: give it a thread.
    pub fn run(&self, source: &dyn Source) -> Result<ReplayReport, ReplayError> {
        let _finished = Finished(&self.progress);
        if let Some(rate) = self.rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Err(ReplayError::Rate(rate));
        }
        let rows = source.rows();
        let to = self.rows.map_or(rows, |count| self.from_row.saturating_add(count));
        if self.from_row > to || to > rows {
            return Err(ReplayError::Rows { from: self.from_row, to, rows });
        }
        let topics: Vec<&str> = [Some(&self.events_topic), self.labels_topic.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let producer = Producer::connect(
            &self.brokers,
            &self.properties,
            &topics,
            self.rate.is_some(),
            self.progress.clone(),
        )?;
        let window = Window::new(self.gate.clone(), self.outstanding_records_max, self.outstanding_bytes_max);
        let start = Instant::now();
        Run {
            replay: self,
            source,
            producer,
            window,
            pacer: Pacer::new(start, self.rate),
            lateness: Lateness::default(),
            key: Vec::new(),
            value: Vec::new(),
            events: 0,
            labels: 0,
        }
        .rows(self.from_row, to, start)
    }
}

/// Marks the progress as finished, however the replay ends.
struct Finished<'a>(&'a Progress);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.finished.store(true, Relaxed);
    }
}

struct Run<'a> {
    replay: &'a Replay,
    source: &'a dyn Source,
    producer: Producer,
    window: Window,
    pacer: Pacer,
    lateness: Lateness,
    key: Vec<u8>,
    value: Vec<u8>,
    events: u64,
    labels: u64,
}

/// A record was sent, or the replay was told to stop first.
#[derive(PartialEq)]
enum Sent {
    Yes,
    Stopped,
}

impl Run<'_> {
    fn rows(mut self, from: u64, to: u64, start: Instant) -> Result<ReplayReport, ReplayError> {
        let mut stopped = false;
        for step in steps(from, to) {
            let sent = match step {
                Step::Event(row) => self.event(row, row - from)?,
                Step::Label(row) => self.label(row)?,
            };
            if sent == Sent::Stopped {
                stopped = true;
                break;
            }
        }
        let limit = if stopped { STOPPED_FINISH_TIMEOUT } else { FINISH_TIMEOUT };
        let unconfirmed = self.producer.finish(limit)?;
        if unconfirmed > 0 && !stopped {
            let seconds = limit.as_secs();
            return Err(ReplayError::Unacknowledged { records: unconfirmed, seconds });
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(ReplayReport {
            events: self.events,
            labels: self.labels,
            seconds,
            events_per_second: self.events as f64 / seconds,
            late_ms_p99: self.lateness.ms_p99(),
            late_ms_max: self.lateness.ms_max(),
            stopped,
            unconfirmed,
        })
    }

    fn event(&mut self, row: u64, index: u64) -> Result<Sent, ReplayError> {
        let due = self.pacer.due_at(index);
        if let Some(due) = due
            && !self.wait_until(due)
        {
            return Ok(Sent::Stopped);
        }
        self.value.clear();
        self.source.event_json(row, &mut self.value);
        let replay = self.replay;
        let sent = self.send(&replay.events_topic, row)?;
        if sent == Sent::Yes {
            self.events += 1;
            replay.progress.events.fetch_add(1, Relaxed);
            if let Some(due) = due {
                self.lateness.add(due, Instant::now());
            }
        }
        Ok(sent)
    }

    fn label(&mut self, row: u64) -> Result<Sent, ReplayError> {
        let replay = self.replay;
        let Some(topic) = &replay.labels_topic else { return Ok(Sent::Yes) };
        self.value.clear();
        if !self.source.label_json(row, &mut self.value) {
            return Ok(Sent::Yes);
        }
        let sent = self.send(topic, row)?;
        if sent == Sent::Yes {
            self.labels += 1;
            replay.progress.labels.fetch_add(1, Relaxed);
        }
        Ok(sent)
    }

    /// Sends `self.value` once the window has room for it.
    fn send(&mut self, topic: &str, row: u64) -> Result<Sent, ReplayError> {
        self.key.clear();
        let keyed = self.source.key(row, &mut self.key);
        self.window.observe(self.key.len() + self.value.len());
        while !self.window.is_open(self.producer.sent()) {
            if self.stop_asked() {
                return Ok(Sent::Stopped);
            }
            self.producer.poll(GATE_WAIT);
            self.producer.check()?;
        }
        if self.stop_asked() {
            return Ok(Sent::Stopped);
        }
        self.producer.send(topic, keyed.then_some(&*self.key), &self.value)?;
        // At full speed delivery reports come in bulk: serving them now and then is enough.
        if self.replay.rate.is_some() || self.producer.sent().is_multiple_of(64) {
            self.producer.poll(Duration::ZERO);
            self.producer.check()?;
        }
        Ok(Sent::Yes)
    }

    /// Serves delivery reports until `due`; `false` when told to stop.
    fn wait_until(&self, due: Instant) -> bool {
        loop {
            if self.stop_asked() {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            // librdkafka waits in whole milliseconds: the rest of one is slept, not spun through.
            let whole = Duration::from_millis(left.as_millis() as u64);
            if whole.is_zero() {
                std::thread::sleep(left);
            } else {
                self.producer.poll(whole.min(STOP_CHECK));
            }
        }
    }

    fn stop_asked(&self) -> bool {
        self.replay.stop.load(Relaxed)
    }
}

/// What is sent, by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Event(u64),
    Label(u64),
}

/// Label i right after event i+1, the last label after the last event.
fn steps(from: u64, to: u64) -> impl Iterator<Item = Step> {
    let label_before = move |row: u64| (row > from).then(|| Step::Label(row - 1));
    (from..to)
        .flat_map(move |row| std::iter::once(Step::Event(row)).chain(label_before(row)))
        .chain((to > from).then(|| Step::Label(to - 1)))
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "events         {}", self.events)?;
        writeln!(f, "labels         {}", self.labels)?;
        writeln!(f, "seconds        {:.3}", self.seconds)?;
        writeln!(f, "events/s       {:.0}", self.events_per_second)?;
        write!(f, "late           p99 {:.3} ms, max {:.3} ms", self.late_ms_p99, self.late_ms_max)?;
        if self.stopped {
            write!(f, "\nstopped early  {} records unconfirmed", self.unconfirmed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{Event, Label};
    use super::*;
    use crate::streams::Synthetic;

    #[test]
    fn each_label_follows_the_next_event_and_the_last_follows_the_last() {
        let sent: Vec<Step> = steps(4, 7).collect();
        assert_eq!(sent, [Event(4), Event(5), Label(4), Event(6), Label(5), Label(6)]);

        assert_eq!(steps(0, 1).collect::<Vec<_>>(), [Event(0), Label(0)]);
        assert_eq!(steps(3, 3).count(), 0);
    }

    #[test]
    fn impossible_rates_and_rows_are_refused_before_any_contact() {
        let source = Synthetic::new(10, 2, 1);
        let replay = Replay::new("127.0.0.1:1", "events", "labels");

        let rate = Replay { rate: Some(0.0), ..replay.clone() }.run(&source).unwrap_err();
        let rows = Replay { from_row: 8, rows: Some(3), ..replay.clone() }.run(&source).unwrap_err();

        assert!(rate.to_string().starts_with("rate 0, expected"), "{rate}");
        assert_eq!(rows.to_string(), "rows 8 to 11, but the stream has 10");
        assert!(replay.progress.finished.load(Relaxed));
    }
}
