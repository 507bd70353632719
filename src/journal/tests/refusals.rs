//! Outputs that the broker refuses.

use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::support::*;
use crate::journal::{Body, Journal, JournalError};

#[test]
fn an_output_that_is_refused_once_is_sent_again_and_later_ones_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    let produce = RDKafkaApiKey::Produce;
    broker.cluster.request_errors(produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let owner = Owner::with(dir.path(), &broker);
    let (journal, _) = owner.open().unwrap();

    write(&journal, 2);

    assert_eq!(journal.close(soon()).acknowledged, 2);
    let values = broker.values(3);
    assert_eq!(
        values[values.len() - 2..],
        ["1", "2"],
        "the last word is in the order of the entries: {values:?}"
    );
    assert!(owner.told.failures.lock().unwrap().is_empty());
}

#[test]
fn an_output_that_is_too_large_ends_in_a_failure_that_names_it_and_nothing_after_it_leaves() {
    // Given an output that the producer will never take, between two that it takes,
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    let owner = Owner::with(dir.path(), &broker);
    let (journal, _) = owner.open().unwrap();
    write(&journal, 1);
    eventually("the first is there", || journal.progress().acknowledged == 1);
    let n = journal.append(Body::Tick).unwrap().n;
    journal.release(n, n, output(&"x".repeat(2 << 20)));
    write(&journal, 1);

    // then after some tries, with pauses, the owner is told what and why,
    eventually("it fails", || !owner.told.failures.lock().unwrap().is_empty());
    let failures = owner.told.failures.lock().unwrap().clone();
    assert_eq!(failures.len(), 1, "{failures:?}");
    for word in ["entry 2", "topic out", "5 times", "MessageSizeTooLarge", "record 0"] {
        assert!(failures[0].contains(word), "no {word} in {}", failures[0]);
    }

    // nothing is lost in silence, nothing goes on behind it, and closing does not wait.
    assert!(matches!(journal.append(Body::Tick), Err(JournalError::Closed)));
    let start = Instant::now();
    assert_eq!(journal.close(start + Duration::from_secs(20)).acknowledged, 1);
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(journal);
    assert_eq!(broker.values(2), ["1"]);
    let (_, scan) = Owner { endpoint: broker.endpoint(), ..Owner::of(dir.path()) }.open().unwrap();
    assert_eq!((scan.last, scan.mark), (3, 1), "the next start sends from there");
}
