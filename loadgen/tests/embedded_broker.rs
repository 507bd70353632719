//! Replays and audits against librdkafka's mock cluster: the real client and real sockets, in the process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};
use tidewheel_loadgen::audit::{AuditPlan, AuditTopics};
use tidewheel_loadgen::replay::{Replay, ReplayError};
use tidewheel_loadgen::streams::{Source, Stream};

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(topics: &[&str]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for topic in topics {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    cluster
}

fn consumer(cluster: &Cluster, topics: &[&str]) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        // The mock cluster answers a fetch that found nothing only when this has passed.
        .set("fetch.wait.max.ms", "5")
        .set("auto.offset.reset", "error")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for topic in topics {
        assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    consumer
}

/// The next `count` values of the consumer's topics, by topic, their offsets without a gap.
fn read(consumer: &BaseConsumer, count: usize) -> HashMap<String, Vec<String>> {
    let mut values: HashMap<String, Vec<String>> = HashMap::new();
    for _ in 0..count {
        let message = consumer.poll(Duration::from_secs(10)).expect("a record").unwrap();
        let of_topic = values.entry(message.topic().to_owned()).or_default();
        assert_eq!(message.offset(), of_topic.len() as i64);
        of_topic.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
    }
    values
}

#[test]
fn a_thousand_rows_arrive_in_order_with_their_labels() {
    let cluster = cluster(&["events", "labels"]);
    let elec2 = Stream::Elec2.open().unwrap();
    let replay =
        Replay { rows: Some(1_000), ..Replay::new(&cluster.bootstrap_servers(), "events", "labels") };

    let report = replay.run(&elec2).unwrap();

    assert_eq!((report.events, report.labels, report.stopped), (1_000, 1_000, false));
    assert_eq!(replay.progress.delivered.load(Relaxed), 2_000);
    let values = read(&consumer(&cluster, &["events", "labels"]), 2_000);
    for row in 0..1_000 {
        let (mut event, mut label) = (Vec::new(), Vec::new());
        elec2.event_json(row, &mut event);
        elec2.label_json(row, &mut label);
        assert_eq!(values["events"][row as usize].as_bytes(), event);
        assert_eq!(values["labels"][row as usize].as_bytes(), label);
    }
}

#[test]
fn a_gate_keeps_the_records_that_are_not_consumed_below_the_bound() {
    const BOUND: u64 = 100;
    let cluster = cluster(&["events", "labels"]);
    let consumed = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let of_gate = consumed.clone();
    let replay = Replay {
        rows: Some(2_000),
        gate: Some(Arc::new(move || of_gate.load(Relaxed))),
        outstanding_records_max: BOUND,
        ..Replay::new(&cluster.bootstrap_servers(), "events", "labels")
    };
    let running = replay.clone();
    let run = thread::spawn(move || running.run(&Stream::Elec2.open().unwrap()).unwrap());

    let consumer = consumer(&cluster, &["events", "labels"]);
    for count in 1..=4_000 {
        consumer.poll(Duration::from_secs(10)).expect("a record").unwrap();
        let sent = replay.progress.events.load(Relaxed) + replay.progress.labels.load(Relaxed);
        assert!(sent <= count - 1 + BOUND, "{sent} sent, {count} consumed");
        consumed.store(count, Relaxed);
    }

    assert_eq!(run.join().unwrap().events, 2_000);
}

#[test]
fn a_paced_replay_keeps_its_rate_and_stops_when_told() {
    let cluster = cluster(&["events", "labels"]);
    let replay = Replay {
        rate: Some(1_000.0),
        rows: Some(300),
        ..Replay::new(&cluster.bootstrap_servers(), "events", "labels")
    };
    let elec2 = Stream::Elec2.open().unwrap();

    let report = replay.run(&elec2).unwrap();
    // Above .8 the first records would have waited for the producer's id.
    assert!((0.299..0.8).contains(&report.seconds), "{report}");
    assert_eq!(report.labels, 300);

    let replay = Replay { rows: None, from_row: 300, ..replay };
    let (stop, running) = (replay.stop.clone(), replay.clone());
    let run = thread::spawn(move || running.run(&elec2).unwrap());
    while replay.progress.events.load(Relaxed) < 400 {
        thread::sleep(Duration::from_millis(1));
    }
    stop.store(true, Relaxed);
    let report = run.join().unwrap();
    assert!(report.stopped && report.unconfirmed == 0 && report.events < 45_000, "{report}");
}

#[test]
fn a_missing_topic_is_named() {
    let cluster = cluster(&["events"]);
    let error = Replay::new(&cluster.bootstrap_servers(), "events", "lables")
        .run(&Stream::Elec2.open().unwrap())
        .unwrap_err();

    assert!(matches!(error, ReplayError::NoTopic { ref topic, .. } if topic == "lables"), "{error}");
}

#[test]
fn an_audit_reads_the_topics_to_their_end_and_finds_what_is_missing() {
    let cluster = cluster(&["events", "labels", "predictions"]);
    Replay { rows: Some(500), ..Replay::new(&cluster.bootstrap_servers(), "events", "labels") }
        .run(&Stream::Elec2.open().unwrap())
        .unwrap();
    let journal = r#"{"n":1,"time_ms":1,"kind":"batch","parts":[
        {"topic":"events","partition":0,"first":0,"last":498,"count":499,"hash":""}]}"#
        .replace('\n', "");
    let plan = AuditPlan {
        topics: AuditTopics {
            events: Some("events".into()),
            labels: Some("labels".into()),
            predictions: Some("predictions".into()),
            ..AuditTopics::default()
        },
        ..AuditPlan::new(&cluster.bootstrap_servers())
    };

    let audit = plan.run(Some(&mut journal.as_bytes())).unwrap();

    assert_eq!((audit.counts.events, audit.counts.labels), (500, 500));
    // One event and all labels are in no batch, the batch's hash is wrong, and no event is predicted.
    assert_eq!(audit.counts.journal_tail_records, 501);
    let faults: Vec<u64> = audit.checks.iter().map(|check| check.faults).filter(|&n| n > 0).collect();
    assert_eq!(faults, [501, 1, 500], "{audit}");
}
