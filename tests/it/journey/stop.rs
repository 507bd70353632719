use std::time::Duration;

use crate::support::{Service, Trial, assert_accounts_add_up, audit, eventually, shared_broker};

const ROWS: u64 = 20_000;
const DAY_MS: i64 = 86_400_000;

#[test]
fn sigterm_in_the_middle_of_the_stream_ends_cleanly_and_the_next_start_serves_at_once_and_goes_on() {
    // Given a service in the middle of a stream, without checkpoints, so that a start has all of the journal to apply,
    let mut trial = Trial::new(shared_broker());
    trial.set("pipeline.elec2.checkpoint.every_ms", DAY_MS);
    let mut service = Service::start(&trial);
    service.wait_ready();
    let replaying = trial.replay(0..ROWS, Some(2_500.0));
    eventually("a third is learned", Duration::from_secs(30), || {
        let learned = service.monitor()["learned"].as_u64().unwrap_or(0);
        if learned > ROWS / 3 { Ok(()) } else { Err(learned) }
    });

    // when it is asked to stop,
    let (code, took) = service.terminate();

    // then it ends in time and without an error,
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!replaying.is_finished(), "it was in the middle");

    // the next start answers with the version stored at the stop before it has caught up,
    let mut service = Service::start(&trial);
    let first = service.predict();
    let versions = service.get("/v1/models/elec2/versions").json();
    let last = versions["versions"].as_array().unwrap().last().unwrap();
    assert_eq!(first["stale"], true, "{first}");
    for part in ["version", "revision", "epoch"] {
        assert_eq!(first[part], last[part], "{first}");
    }

    // every request is answered until it has,
    let caught_up = eventually("it has caught up", Duration::from_secs(30), || {
        let answer = service.predict();
        if answer["stale"] == false { Ok(answer) } else { Err(answer) }
    });
    assert!(caught_up["epoch"].as_u64() >= first["epoch"].as_u64(), "{caught_up}");

    // and it goes on where the other stopped.
    replaying.finish();
    let all = [("events", "learned", ROWS), ("labels", "matched", ROWS)];
    assert_accounts_add_up(&service.wait_for_accounts(Duration::from_secs(60), &all));
    assert_eq!(service.monitor()["epoch"], 2);
    assert_eq!(service.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.events_predicted, counts.examples_distinct), (ROWS, ROWS));
    assert_eq!(counts.journal_epochs, 2);
    trial.rebuild(&["--from-nothing"]);
}

#[test]
fn sigterm_while_the_journal_is_being_applied_ends_in_bounded_time() {
    let mut trial = Trial::new(shared_broker());
    trial.set("pipeline.elec2.checkpoint.every_ms", DAY_MS);
    let mut service = Service::start(&trial);
    service.wait_ready();
    trial.replay(0..ROWS, None).finish();
    service.wait_for_accounts(Duration::from_secs(60), &[("events", "learned", ROWS)]);
    service.kill();

    let mut service = Service::start(&trial);
    assert_eq!(service.get("/readyz").status, 503);
    let (code, took) = service.terminate();

    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(20), "{took:?}");
    trial.rebuild(&["--from-nothing"]);
}
