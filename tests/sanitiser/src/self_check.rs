//! Tests that are wrong on purpose: what the sanitiser is there for, done once in each way. A run that does not report one
//! of them proves nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as c;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::config::KafkaConfig;
use crate::stream::{EmbeddedBroker, Endpoint, OutputProducer, Outputs};

const TOPIC: &str = "trial";
const WITHIN: Duration = Duration::from_secs(60);

fn consumer(brokers: &str) -> BaseConsumer {
    ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "trial").create().unwrap()
}

/// A message from the embedded broker, taken by the C interface.
fn message(broker: &EmbeddedBroker, consumer: &BaseConsumer) -> *mut c::rd_kafka_message_t {
    broker.create_topic(TOPIC, 1).unwrap();
    let kafka = KafkaConfig { brokers: broker.address(), ..KafkaConfig::default() };
    let mut producer = OutputProducer::new(&Endpoint::new(&kafka)).unwrap();
    let mut outputs = Outputs::default();
    outputs.push(&Arc::from(TOPIC), Some(0), None, Some(&[b'x'; 5_000]), Vec::new());
    producer.send(0, &outputs, 0).unwrap();
    while producer.in_flight() > 0 {
        producer.poll(Duration::from_millis(1));
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let start = Instant::now();
    loop {
        // SAFETY: the client is live.
        let message = unsafe { c::rd_kafka_consumer_poll(consumer.client().native_ptr(), 100) };
        if !message.is_null() {
            return message;
        }
        assert!(start.elapsed() < WITHIN, "no message");
    }
}

#[test]
fn leaks_what_c_allocated() {
    let consumer = consumer("127.0.0.1:1");
    // SAFETY: the client is live. The reference is never given back, which is the fault.
    let queue = unsafe { c::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    assert!(!queue.is_null());
}

#[test]
fn rust_reads_what_c_has_freed() {
    let broker = EmbeddedBroker::start().unwrap();
    let consumer = consumer(&broker.address());
    let message = message(&broker, &consumer);
    // SAFETY: none; the value is read after the message was given back, which is the fault.
    let first = unsafe {
        let value = (*message).payload.cast::<u8>();
        c::rd_kafka_message_destroy(message);
        drop(consumer);
        value.read_volatile()
    };
    assert_ne!(first, 0);
}

#[test]
fn c_reads_what_it_has_freed() {
    let broker = EmbeddedBroker::start().unwrap();
    let consumer = consumer(&broker.address());
    let message = message(&broker, &consumer);
    let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: none; the message is used after it was given back, which is the fault.
    unsafe {
        c::rd_kafka_message_destroy(message);
        c::rd_kafka_message_timestamp(message, &mut kind);
    }
}
