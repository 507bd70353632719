use std::thread::sleep;
use std::time::Duration;

use crate::support::{Service, Trial, assert_accounts_add_up, audit, eventually, own_broker, shared_broker};

const ROWS: u64 = 20_000;
/// Events a second.
const RATE: f64 = 2_000.0;

/// All rows are learned, once, the topics agree with the journal, and the state can be rebuilt.
fn assert_nothing_lost(trial: &Trial, mut service: Service) {
    let all = [("events", "read", ROWS), ("events", "learned", ROWS), ("labels", "matched", ROWS)];
    let accounts = service.wait_for_accounts(Duration::from_secs(60), &all);
    assert_accounts_add_up(&accounts);
    assert_eq!(service.terminate().0, 0);
    let counts = audit(trial).counts;
    assert_eq!((counts.events, counts.labels), (ROWS, ROWS));
    assert_eq!((counts.events_predicted, counts.examples_distinct), (ROWS, ROWS));
    assert_eq!(counts.journal_epochs, 1, "the process was never restarted");
    trial.rebuild(&["--from-nothing"]);
}

/// Waits until the service has learned from some of the stream.
fn wait_for_the_middle(service: &mut Service) {
    eventually("something is learned", Duration::from_secs(30), || {
        let learned = service.monitor()["learned"].as_u64().unwrap_or(0);
        if learned > ROWS / 10 { Ok(()) } else { Err(learned) }
    });
}

#[test]
fn a_broker_that_is_stopped_and_one_that_crashes_in_the_middle_of_the_stream_lose_nothing() {
    a_broker_that_is_stopped_and_one_that_crashes("file");
}

#[test]
fn with_the_journal_in_kafka_a_broker_that_is_stopped_and_one_that_crashes_lose_nothing() {
    a_broker_that_is_stopped_and_one_that_crashes("kafka");
}

fn a_broker_that_is_stopped_and_one_that_crashes(home: &str) {
    let (mut broker, _folder) = own_broker();
    let trial = Trial::in_home(&broker.address(), home);
    let mut service = Service::start(&trial);
    service.wait_ready();
    let replaying = trial.replay(0..ROWS, Some(RATE));
    wait_for_the_middle(&mut service);

    broker.restart().unwrap();
    assert!(!replaying.is_finished(), "the broker was away in the middle");
    assert_eq!(service.get("/livez").status, 200, "it does not depend on Kafka");
    service.predict();
    broker.kill().unwrap();
    service.predict();
    broker.restart().unwrap();

    replaying.finish();
    assert_nothing_lost(&trial, service);
}

#[test]
fn a_service_that_is_paused_for_eight_seconds_loses_nothing() {
    let trial = Trial::new(shared_broker());
    let mut service = Service::start(&trial);
    service.wait_ready();
    let replaying = trial.replay(0..ROWS, Some(RATE));
    wait_for_the_middle(&mut service);

    service.signal("STOP");
    sleep(Duration::from_secs(8));
    service.signal("CONT");

    replaying.finish();
    assert_nothing_lost(&trial, service);
}

#[test]
fn with_the_broker_away_a_stop_still_ends_in_bounded_time_and_the_next_start_goes_on() {
    a_stop_with_the_broker_away("file");
}

#[test]
fn with_the_journal_in_kafka_and_the_broker_away_a_stop_still_ends_in_bounded_time() {
    a_stop_with_the_broker_away("kafka");
}

fn a_stop_with_the_broker_away(home: &str) {
    const SOME: u64 = 3_000;
    let (mut broker, _folder) = own_broker();
    let trial = Trial::in_home(&broker.address(), home);
    let mut service = Service::start(&trial);
    service.wait_ready();
    trial.replay(0..SOME, None).finish();
    broker.pause().unwrap();

    let (code, took) = service.terminate();

    assert_eq!(code, 0, "after {took:?}");
    assert!(took < Duration::from_secs(30), "10 s for what is on its way, 10 s to close: {took:?}");
    broker.restart().unwrap();
    let mut service = Service::start(&trial);
    let all = [("events", "learned", SOME), ("labels", "matched", SOME)];
    assert_accounts_add_up(&service.wait_for_accounts(Duration::from_secs(60), &all));
    assert_eq!(service.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.events_predicted, counts.examples_distinct), (SOME, SOME));
}
