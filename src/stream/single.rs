use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};

use super::client::{Endpoint, StreamError, let_go};

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A call to be made once, from whichever thread librdkafka's reports are served on.
struct Once(Mutex<Option<Done>>);

impl Once {
    fn call(&self, result: Result<(), String>) {
        let done = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
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
        // Whoever handed a record in waits for the answer: soon, and not for ever.
        let soon =
            [("linger.ms", "1"), ("message.timeout.ms", "10000"), ("queue.buffering.max.messages", "100000")];
        Ok(Self { producer: Some(endpoint.producer(&soon).create_with_context(Callbacks)?) })
    }

    /// Queues one record; `done` is called once, here or later, with the broker's answer. It must not panic: the thread
    /// that calls it is librdkafka's.
    pub fn send(&self, topic: &str, key: &[u8], value: &[u8], done: Done) {
        let done = Box::new(Once(Mutex::new(Some(done))));
        let record = BaseRecord::with_opaque_to(topic, done).key(key).payload(value);
        let producer = self.producer.as_ref().expect("there until it is dropped");
        if let Err((error, record)) = producer.send(record) {
            record.delivery_opaque.call(Err(error.to_string()));
        }
    }
}
