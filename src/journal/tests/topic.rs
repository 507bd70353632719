//! The journal in a topic, on librdkafka's mock cluster: transactions are a façade there, so this is about what is written
//! and read. What transactions are for is tested against a real Kafka (`tests/it/journey/`).

use std::path::Path;

use super::support::*;
use crate::journal::topic::TopicReader;
use crate::journal::{
    Body, Journal, JournalError, Line, Lines, Progress, Scan, Skip, TopicJournal, TopicOpening,
};
use crate::stream::{Endpoint, OutputProducer};

const JOURNAL: &str = "journal";

fn broker() -> (Broker, Endpoint) {
    let broker = Broker::start();
    broker.cluster.create_topic(JOURNAL, 1, 1).unwrap();
    let endpoint = broker.endpoint();
    (broker, endpoint)
}

fn open(root: &Path, endpoint: &Endpoint, checkpoint: u64) -> Result<(TopicJournal, Scan), JournalError> {
    TopicJournal::open(TopicOpening {
        endpoint,
        topic: JOURNAL,
        root,
        config: &Default::default(),
        checkpoint,
        reached: 0,
        on_progress: Box::new(|_| {}),
        on_failure: Box::new(|error| panic!("{error}")),
    })
}

fn all(endpoint: &Endpoint, from: u64) -> Vec<Line> {
    let mut reader = TopicReader::open(endpoint, JOURNAL, from).unwrap();
    std::iter::from_fn(|| reader.next_line().unwrap()).collect()
}

#[test]
fn entries_and_outputs_are_committed_and_the_next_owner_goes_on_without_repeating_them() {
    let (broker, endpoint) = broker();
    let dir = tempfile::tempdir().unwrap();
    let (journal, found) = open(dir.path(), &endpoint, 0).unwrap();
    assert_eq!((found.last, found.mark), (0, 0));
    write(&journal, 5);
    assert!(journal.wait_durable(5, soon().duration_since(std::time::Instant::now())));
    assert!(
        matches!(open(dir.path(), &endpoint, 0), Err(JournalError::Owned(_))),
        "the folder is one owner's"
    );
    assert_eq!(journal.close(soon()), Progress { durable: 5, acknowledged: 5 });
    assert!(matches!(journal.append(Body::Tick), Err(JournalError::Closed)));

    let (journal, found) = open(dir.path(), &endpoint, 0).unwrap();
    assert_eq!((found.last, found.mark), (5, 5));
    // A recovery hands everything over again.
    for n in 1..=5 {
        journal.release(n, n, output("again"));
    }
    write(&journal, 2);
    assert_eq!(journal.close(soon()), Progress { durable: 7, acknowledged: 7 });
    assert_eq!(broker.values(8), ["1", "2", "3", "4", "5", "6", "7"]);
    assert!(matches!(open(dir.path(), &endpoint, 8), Err(JournalError::Short { last: 7, reached: 8, .. })));
}

#[test]
fn outputs_leave_after_the_skip_that_they_wait_for_and_a_skip_needs_none() {
    let (broker, endpoint) = broker();
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), &endpoint, 0).unwrap();
    let n = journal.append(Body::Tick).unwrap().n;
    journal.release(n, n + 1, output("after the skip"));
    assert!(journal.wait_durable(n, soon().duration_since(std::time::Instant::now())));
    assert_eq!(journal.progress().acknowledged, 0);

    let skip = Skip { entry: n, topic: "t".into(), partition: 0, offset: 1, reason: "it panics".into() };
    journal.append(Body::Skip(skip)).unwrap();
    eventually("the skip counts as acknowledged, too", || journal.progress().acknowledged == n + 1);
    assert_eq!(broker.values(2), ["after the skip"]);
    journal.close(soon());
    let marks = all(&endpoint, 1).into_iter().filter(|line| matches!(line, Line::Mark { mark: 2 })).count();
    assert_eq!(marks, 1);
}

#[test]
fn a_reader_begins_a_little_before_the_entry_that_it_is_asked_for() {
    let (_broker, endpoint) = broker();
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), &endpoint, 0).unwrap();
    write(&journal, 5_000);
    journal.close(soon());
    for from in [0, 1, 2, 2_500, 4_999, 5_000, 9_000] {
        let lines = all(&endpoint, from);
        let numbers: Vec<u64> = lines
            .iter()
            .filter_map(|line| match line {
                Line::Entry(entry) => Some(entry.n),
                Line::Mark { .. } => None,
            })
            .collect();
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        assert!(first <= from.max(1) && first + 2_100 > from.min(5_000), "{first} for {from}");
        assert_eq!((last, numbers.len() as u64), (5_000, 5_001 - first));
    }
}

#[test]
fn a_record_that_is_none_of_ours_is_named() {
    let (_broker, endpoint) = broker();
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), &endpoint, 0).unwrap();
    write(&journal, 3);
    journal.close(soon());
    let mut producer = OutputProducer::new(&endpoint).unwrap();
    let mut foreign = crate::stream::Outputs::default();
    foreign.push(&JOURNAL.into(), Some(0), None, Some(b"hello"), Vec::new());
    producer.send(0, &foreign, 0).unwrap();
    eventually("it is there", || {
        producer.poll(std::time::Duration::from_millis(1));
        producer.in_flight() == 0
    });
    let error = open(dir.path(), &endpoint, 0).map(|_| ()).unwrap_err();
    assert!(matches!(&error, JournalError::Foreign { topic, .. } if topic == JOURNAL), "{error}");
    assert!(error.to_string().contains("not an entry"), "{error}");
}
