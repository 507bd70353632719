use std::time::Duration;

use crate::support::{Service, Trial, assert_accounts_add_up, audit, eventually, shared_broker};

const ROWS: u64 = 20_000;
/// Events a second.
const RATE: f64 = 2_500.0;
const WITHIN: Duration = Duration::from_secs(60);
const FENCED: i32 = 5;

/// Waits until the service has learned so much of the stream.
fn wait_for_learned(service: &mut Service, rows: u64) {
    eventually("something is learned", WITHIN, || {
        let learned = service.monitor()["learned"].as_u64().unwrap_or(0);
        if learned >= rows { Ok(()) } else { Err(learned) }
    });
}

#[test]
fn a_second_machine_takes_over_from_the_journal_alone_and_the_first_one_writes_nothing_more() {
    // Given a service in the middle of a stream, whose journal is in Kafka,
    let mut trial = Trial::in_home(shared_broker(), "kafka");
    let mut first = Service::start(&trial);
    first.wait_ready();
    let replaying = trial.replay(0..ROWS, Some(RATE));
    wait_for_learned(&mut first, ROWS / 4);

    // when another one is started on a machine that has nothing,
    trial.on_an_empty_disk();
    let mut second = Service::start(&trial);

    // then the first is fenced, and says so by its exit code;
    assert_eq!(first.wait_exit(WITHIN), FENCED);
    assert!(first.logged().contains("another instance has taken this pipeline over"), "{}", first.logged());

    // the second learns what is left, and nothing twice;
    replaying.finish();
    let all = [("events", "read", ROWS), ("events", "learned", ROWS), ("labels", "matched", ROWS)];
    assert_accounts_add_up(&second.wait_for_accounts(WITHIN, &all));
    assert_eq!(second.monitor()["epoch"], 2);
    assert_eq!(second.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.predictions, counts.predictions_distinct), (ROWS, ROWS));
    assert_eq!((counts.examples, counts.examples_distinct), (ROWS, ROWS));
    trial.rebuild(&["--from-nothing"]);
}

#[test]
fn an_owner_that_was_stopped_while_another_took_over_writes_nothing_when_it_wakes_up() {
    // Given an owner that is stopped in the middle of its work, with transactions under way,
    let mut trial = Trial::in_home(shared_broker(), "kafka");
    let mut first = Service::start(&trial);
    first.wait_ready();
    let replaying = trial.replay(0..ROWS, Some(RATE));
    wait_for_learned(&mut first, ROWS / 4);
    first.signal("STOP");

    // when another takes over, finishes the stream, and the first one wakes up,
    trial.on_an_empty_disk();
    let mut second = Service::start(&trial);
    replaying.finish();
    let all = [("events", "learned", ROWS), ("labels", "matched", ROWS)];
    second.wait_for_accounts(WITHIN, &all);
    first.signal("CONT");

    // then it ends as fenced, and nothing of it is to be seen.
    assert_eq!(first.wait_exit(WITHIN), FENCED);
    assert_eq!(second.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.predictions, counts.predictions_distinct), (ROWS, ROWS));
    assert_eq!((counts.examples, counts.examples_distinct), (ROWS, ROWS));
}

#[test]
fn trimming_a_journal_in_kafka_leaves_what_recovery_needs() {
    const SOME: u64 = 6_000;
    let mut trial = Trial::in_home(shared_broker(), "kafka");
    trial.set("pipeline.elec2.journal.trim", true);
    trial.set("pipeline.elec2.checkpoint.every_ms", 500);
    let mut service = Service::start(&trial);
    service.wait_ready();
    trial.replay(0..SOME, Some(2_000.0)).finish();
    service.wait_for_accounts(WITHIN, &[("events", "learned", SOME)]);
    eventually("the journal begins later", WITHIN, || {
        let printed = trial.run("journal", &[]);
        let first = printed.stdout.lines().next().unwrap_or_default().to_owned();
        if first.starts_with("{\"n\":1,") || first.is_empty() { Err(first) } else { Ok(()) }
    });
    service.kill();

    let mut service = Service::start(&trial);
    service.wait_ready();
    let all = [("events", "learned", SOME), ("labels", "matched", SOME)];
    assert_accounts_add_up(&service.wait_for_accounts(WITHIN, &all));
    assert_eq!(service.terminate().0, 0);
}
