//! What the sanitisers watch: messages and handles taken and given back in every order.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::{ConsumerQueue, Queued, TopicHandle, flush};
use crate::stream::delivery::{Deliveries, Reports};
use crate::stream::trial::{TOPIC, Trial, WITHIN, deliver};
use crate::stream::{Delivery, Outputs, Records, RecordsBuilder};

const READ: Duration = Duration::from_millis(20);

fn topics() -> Arc<[Arc<str>]> {
    [Arc::from(TOPIC)].into()
}

fn consumer(trial: &Trial) -> Arc<BaseConsumer> {
    Arc::new(trial.endpoint(&[]).consumer("trial").create().unwrap())
}

fn assign(consumer: &BaseConsumer, partitions: i32) {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(TOPIC, partition, Offset::Offset(0)).unwrap();
    }
    consumer.assign(&list).unwrap();
}

fn read(queue: &mut ConsumerQueue, rows: usize) -> Records {
    let mut sink = RecordsBuilder::new(topics());
    let start = Instant::now();
    while sink.len() < rows {
        let (_, error) = queue.read(READ, rows - sink.len(), &topics(), &mut sink);
        assert!(error.is_none(), "{error:?}");
        assert!(start.elapsed() < WITHIN, "{} of {rows} records", sink.len());
    }
    sink.take()
}

fn reporting(trial: &Trial, properties: &[(&str, &str)]) -> (Arc<BaseProducer<Reports>>, Arc<Deliveries>) {
    let deliveries = Arc::new(Deliveries::new());
    let config = trial.endpoint(properties).producer(&[]);
    (Arc::new(config.create_with_context(Reports(deliveries.clone())).unwrap()), deliveries)
}

/// Produces all of `outputs` to partition 0, each record with its place as the number of its report.
fn produce(handle: &mut TopicHandle<Reports>, outputs: &Outputs) -> (Queued, Vec<(usize, RDKafkaErrorCode)>) {
    let mut refused = Vec::new();
    let records = outputs.iter().enumerate().map(|(place, record)| (record, place));
    let queued = handle.produce(Some(0), records, |place, code| refused.push((place, code)));
    (queued, refused)
}

#[test]
fn keys_values_and_headers_arrive_as_they_left() {
    let trial = Trial::new(1);
    let mut outputs = Outputs::default();
    let many: Vec<(&'static str, Vec<u8>)> =
        vec![("a", b"1".to_vec()), ("b", Vec::new()), ("a", vec![0, 255])];
    outputs.push(&trial.topic, Some(0), Some(b"key"), Some(b"value"), Vec::new());
    outputs.push(&trial.topic, Some(0), Some(b"gone"), None, Vec::new());
    outputs.push(&trial.topic, Some(0), None, Some(b""), many.clone());
    outputs.push(&trial.topic, Some(0), Some(b""), Some(&[0, 1, 255]), Vec::new());
    outputs.push(&trial.topic, Some(0), Some(b"gone too"), None, vec![("why", b"old".to_vec())]);
    let mut producer = trial.producer(&[]);
    assert_eq!(deliver(&mut producer, 0, &outputs), Delivery::Done);

    let consumer = consumer(&trial);
    assign(&consumer, 1);
    let records = read(&mut ConsumerQueue::all(consumer), outputs.len());
    for (record, sent) in records.iter().zip(outputs.iter()) {
        assert_eq!((record.key(), record.value()), (sent.key, sent.value));
        let headers: Vec<(&[u8], Option<&[u8]>)> = record.headers().collect();
        let sent: Vec<(&[u8], Option<&[u8]>)> =
            sent.headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_slice()))).collect();
        assert_eq!(headers, sent);
    }
    assert_eq!(records.get(2).headers().len(), many.len());
}

#[test]
fn queues_and_clients_may_be_let_go_in_any_order_with_records_unread() {
    let trial = Trial::new(2);
    trial.fill(0, 20);
    trial.fill(1, 20);
    for order in 0..6 {
        let consumer = consumer(&trial);
        let mut apart: Vec<ConsumerQueue> = (0..2)
            .map(|partition| ConsumerQueue::partition(consumer.clone(), TOPIC, partition).unwrap())
            .collect();
        assign(&consumer, 2);
        let batches: Vec<Records> = apart.iter_mut().map(|queue| read(queue, 7)).collect();
        let second = apart.pop();
        let first = apart.pop();
        match order {
            0 => drop((consumer, first, second)),
            1 => drop((second, first, consumer)),
            2 => drop((first, consumer, second)),
            3 => {
                consumer.unassign().unwrap();
                drop((first, second, consumer));
            }
            4 => {
                // Taken, then read on through another reference to the same queue.
                let mut again = ConsumerQueue::partition(consumer.clone(), TOPIC, 0).unwrap();
                drop(first);
                assert_eq!(read(&mut again, 3).get(0).offset(), 7);
                drop((consumer, second, again));
            }
            _ => {
                let thread = std::thread::spawn(move || drop((first, consumer)));
                drop(second);
                thread.join().unwrap();
            }
        }
        // Batches are plain data: they outlive everything.
        for batch in batches {
            assert_eq!(batch.get(6).value(), Some(&b"6"[..]));
        }
    }
}

#[test]
fn a_panic_amid_a_batch_gives_every_message_back() {
    let trial = Trial::new(1);
    trial.fill(0, 10);
    let consumer = consumer(&trial);
    assign(&consumer, 1);
    let mut queue = ConsumerQueue::all(consumer);
    // One at first, so that the next call finds the others there.
    read(&mut queue, 1);
    let others: Arc<[Arc<str>]> = [Arc::from("another topic")].into();
    let mut sink = RecordsBuilder::new(others.clone());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let start = Instant::now();
        while start.elapsed() < WITHIN {
            queue.read(READ, 9, &others, &mut sink);
        }
    }));
    assert!(panicked.is_err());
    assert!(queue.messages_held() == 0, "they would be given to nobody");
    // Would wait for ever for messages that nobody gives back.
    drop(queue);
}

#[test]
fn an_error_comes_with_its_place() {
    let trial = Trial::new(1);
    let consumer = consumer(&trial);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, Offset::Offset(77)).unwrap();
    consumer.assign(&list).unwrap();
    let mut queue = ConsumerQueue::all(consumer);
    let mut sink = RecordsBuilder::new(topics());
    let start = Instant::now();
    let error = loop {
        if let (_, Some(error)) = queue.read(READ, 1, &topics(), &mut sink) {
            break error;
        }
        assert!(start.elapsed() < WITHIN, "no error came");
    };
    let place = error.place.expect("a partition's error");
    assert_eq!((error.code, place.partition, place.offset), (RDKafkaErrorCode::AutoOffsetReset, 0, 77));
    assert_eq!(place.topic, TOPIC);
}

#[test]
fn a_topic_handle_keeps_its_client_alive() {
    let trial = Trial::new(1);
    let (producer, deliveries) = reporting(&trial, &[]);
    let mut handle = TopicHandle::new(&producer, TOPIC).unwrap();
    drop(producer);
    let outputs = trial.outputs(0, &[b"one", b"two"]);
    assert_eq!(produce(&mut handle, &outputs), (Queued { taken: 2, queued: 2 }, Vec::new()));
    deliveries.queued(0, 1);
    deliveries.queued(1, 1);
    // The client goes with the handle; what it held is reported as purged, to the right numbers.
    drop(handle);
    for group in 0..2 {
        assert!(matches!(deliveries.of(group), Delivery::Done | Delivery::Failed(_)), "{group}");
    }
}

#[test]
fn a_client_may_go_while_records_are_on_their_way() {
    for pause_ms in [0, 1, 5, 20] {
        let trial = Trial::new(1);
        let mut producer = trial.producer(&[("linger.ms", "1")]);
        let outputs = trial.outputs(0, &[&b"value"[..]; 500]);
        assert_eq!(producer.send(0, &outputs, 0).unwrap(), 500);
        producer.poll(Duration::from_millis(pause_ms));
        drop(producer);
    }
}

#[test]
fn with_a_full_queue_a_prefix_is_taken() {
    let trial = Trial::new(1);
    let (producer, deliveries) =
        reporting(&trial, &[("queue.buffering.max.messages", "10"), ("linger.ms", "60000")]);
    let mut handle = TopicHandle::new(&producer, TOPIC).unwrap();
    let large = vec![0; 2_000_000];
    let mut values: Vec<&[u8]> = vec![b"value"; 15];
    values[3] = &large;
    let outputs = trial.outputs(0, &values);
    let (queued, refused) = produce(&mut handle, &outputs);
    assert_eq!(queued, Queued { taken: 11, queued: 10 });
    assert_eq!(refused, [(3, RDKafkaErrorCode::MessageSizeTooLarge)]);
    let (queued, refused) = produce(&mut handle, &outputs);
    assert_eq!((queued, refused), (Queued { taken: 0, queued: 0 }, Vec::new()));
    for group in 0..15 {
        deliveries.queued(group, 1);
    }
}

#[test]
fn a_refused_partition_leaves_nothing_in_the_queue() {
    let trial = Trial::new(2);
    let (producer, deliveries) = reporting(&trial, &[("linger.ms", "0")]);
    let mut handle = TopicHandle::new(&producer, TOPIC).unwrap();
    let known = trial.outputs(0, &[b"makes the topic known"]);
    assert_eq!(produce(&mut handle, &known).0.queued, 1);
    deliveries.queued(0, 1);
    let start = Instant::now();
    while producer.in_flight_count() > 0 {
        producer.poll(READ);
        assert!(start.elapsed() < WITHIN);
    }
    let mut refused = Vec::new();
    let outputs = trial.outputs(9, &[b"one", b"two"]);
    let records = outputs.iter().enumerate().map(|(place, record)| (record, place));
    let queued = handle.produce(Some(9), records, |place, code| refused.push((place, code)));
    assert_eq!(queued, Queued { taken: 2, queued: 0 });
    let unknown = RDKafkaErrorCode::UnknownPartition;
    assert_eq!(refused, [(0, unknown), (1, unknown)]);
    assert_eq!(producer.in_flight_count(), 0, "librdkafka still counts what it refused");
}

/// Makes the client meet a fatal error, such as a broker that forgot its sequence numbers.
pub(in crate::stream) fn break_client(client: &BaseProducer<Reports>) {
    let reason = CString::new("for a test").unwrap();
    let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    // SAFETY: the client is live; the reason outlives the call, which copies it.
    let made = unsafe { c::rd_kafka_test_fatal_error(client.client().native_ptr(), code, reason.as_ptr()) };
    assert_eq!(made, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
}

#[test]
fn a_flush_sends_what_lingers_and_says_nothing_itself() {
    let trial = Trial::new(1);
    let (producer, deliveries) = reporting(&trial, &[("linger.ms", "60000")]);
    let mut handle = TopicHandle::new(&producer, TOPIC).unwrap();
    let outputs = trial.outputs(0, &[b"one", b"two"]);
    let (queued, _) = produce(&mut handle, &outputs);
    deliveries.queued(0, queued.queued);
    let start = Instant::now();
    while producer.in_flight_count() > 0 {
        flush(&producer);
        producer.poll(Duration::ZERO);
        assert!(start.elapsed() < WITHIN, "{} on their way", producer.in_flight_count());
    }
    assert_eq!(trial.everything(0, 2).len(), 2);
    flush(&producer);
}
