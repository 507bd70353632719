use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::util::Timeout;

use super::client::{Endpoint, StreamError, let_go};
use super::native::{ProduceBatch, TopicHandle};
use super::output::{OutputRecord, Outputs};

/// Groups of records that may be on their way at a time.
const GROUPS_MAX: usize = 4096;

/// What became of a group of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// All are acknowledged.
    Done,
    /// This many are still on their way.
    Waiting(usize),
    /// At least one was refused for good; the first reason.
    Failed(String),
}

struct Deliveries {
    outstanding: Vec<AtomicUsize>,
    failures: Mutex<Vec<(usize, String)>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, group: usize) {
        if let Err((error, _)) = result {
            let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            failures.push((group, error.to_string()));
        }
        self.outstanding[group % GROUPS_MAX].fetch_sub(1, Ordering::Relaxed);
    }
}

/// An idempotent producer for what entries cause; one thread sends and polls.
pub struct OutputProducer {
    /// Before the producer, so that the handles are let go first.
    topics: HashMap<Arc<str>, TopicHandle>,
    producer: BaseProducer<Deliveries>,
    batch: ProduceBatch,
}

impl OutputProducer {
    /// Most groups that may be unacknowledged at a time; group numbers are taken modulo this.
    pub const GROUPS_MAX: usize = GROUPS_MAX;

    pub fn new(endpoint: &Endpoint) -> Result<Self, StreamError> {
        let deliveries = Deliveries {
            outstanding: (0..GROUPS_MAX).map(|_| AtomicUsize::new(0)).collect(),
            failures: Mutex::new(Vec::new()),
        };
        let producer = endpoint.producer().create_with_context(deliveries)?;
        Ok(Self { topics: HashMap::new(), producer, batch: ProduceBatch::default() })
    }

    /// Queues the records of `outputs` from `start` on as part of group `group` and returns where it stopped: before
    /// the end when the local queue is full (poll, then go on).
    pub fn send(&mut self, group: usize, outputs: &Outputs, start: usize) -> Result<usize, StreamError> {
        self.open_topics(outputs)?;
        let outstanding = &self.producer.client().context().outstanding[group % GROUPS_MAX];
        let mut at = start;
        while at < outputs.len() {
            let first = outputs.get(at);
            let (sent, refused) = if first.headers.is_empty() {
                // Records without headers for the same topic go in one call.
                let end = (at..outputs.len())
                    .find(|place| {
                        let record = outputs.get(*place);
                        record.topic != first.topic || !record.headers.is_empty()
                    })
                    .unwrap_or(outputs.len());
                let handle = &self.topics[&outputs.topics()[first.topic]];
                handle.produce((at..end).map(|place| outputs.get(place)), &mut self.batch, group)
            } else {
                match send_with_headers(&self.producer, &outputs.topics()[first.topic], &first, group) {
                    Ok(()) => (1, None),
                    Err(code) => (0, Some(code)),
                }
            };
            // In time: reports are only served by `poll`, on this thread.
            outstanding.fetch_add(sent, Ordering::Relaxed);
            at += sent;
            match refused {
                None => {}
                Some(RDKafkaErrorCode::QueueFull) => return Ok(at),
                Some(code) => return Err(StreamError::Kafka(KafkaError::MessageProduction(code))),
            }
        }
        Ok(at)
    }

    fn open_topics(&mut self, outputs: &Outputs) -> Result<(), StreamError> {
        for topic in outputs.topics() {
            if !self.topics.contains_key(topic) {
                let handle = TopicHandle::new(&self.producer, topic)?;
                self.topics.insert(topic.clone(), handle);
            }
        }
        Ok(())
    }

    /// Serves delivery reports; waits at most `timeout` for the first.
    pub fn poll(&self, timeout: Duration) {
        self.producer.poll(Timeout::After(timeout));
    }

    /// What became of a group whose records were all sent.
    pub fn delivery(&self, group: usize) -> Delivery {
        let waiting =
            self.producer.client().context().outstanding[group % GROUPS_MAX].load(Ordering::Relaxed);
        if waiting > 0 {
            return Delivery::Waiting(waiting);
        }
        let mut failures = self
            .producer
            .client()
            .context()
            .failures
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match failures.iter().position(|(failed, _)| *failed == group) {
            Some(index) => {
                let (_, reason) = failures.swap_remove(index);
                failures.retain(|(failed, _)| *failed != group);
                Delivery::Failed(reason)
            }
            None => Delivery::Done,
        }
    }

    /// Records that the local queue holds.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }
}

fn send_with_headers(
    producer: &BaseProducer<Deliveries>,
    topic: &str,
    record: &OutputRecord<'_>,
    group: usize,
) -> Result<(), RDKafkaErrorCode> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let mut message = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, group).headers(headers);
    message.partition = record.partition;
    message.key = record.key;
    message.payload = record.value;
    producer.send(message).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
}

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A call to be made once, from whichever thread librdkafka's reports are served on.
struct Once(Mutex<Option<Done>>);

impl Once {
    fn call(&self, result: Result<(), String>) {
        let done = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(done) = done {
            done(result);
        }
    }
}

struct Callbacks;

impl ClientContext for Callbacks {}

impl ProducerContext for Callbacks {
    type DeliveryOpaque = Box<Once>;

    fn delivery(&self, result: &DeliveryResult<'_>, done: Box<Once>) {
        done.call(result.as_ref().map(|_| ()).map_err(|(error, _)| error.to_string()));
    }
}

/// A producer for single records that others hand in, each with a call when the broker has it.
pub struct SingleProducer {
    /// There until it is dropped.
    producer: Option<ThreadedProducer<Callbacks>>,
}

impl Drop for SingleProducer {
    fn drop(&mut self) {
        let_go(self.producer.take());
    }
}

impl SingleProducer {
    pub fn new(endpoint: &Endpoint) -> Result<Self, StreamError> {
        let mut config = endpoint.producer();
        config.set("linger.ms", "1").set("message.timeout.ms", "10000");
        config.set("queue.buffering.max.messages", "100000");
        Ok(Self { producer: Some(config.create_with_context(Callbacks)?) })
    }

    /// Queues one record; `done` is called once, here or later, with the broker's answer.
    pub fn send(&self, topic: &str, key: &[u8], value: &[u8], done: Done) {
        let done = Box::new(Once(Mutex::new(Some(done))));
        let record = BaseRecord::with_opaque_to(topic, done).key(key).payload(value);
        let producer = self.producer.as_ref().expect("there until it is dropped");
        if let Err((error, record)) = producer.send(record) {
            record.delivery_opaque.call(Err(error.to_string()));
        }
    }
}
