use std::time::{Duration, Instant};

use tidewheel_loadgen::audit::Counts;

use crate::support::{
    EVENTS, Random, Service, Trial, assert_accounts_add_up, audit, shared_broker, sleep_until,
};

const KILLS: usize = 10;
/// Events a second: the replay must last longer than all the restarts.
const RATE: f64 = 2_500.0;

#[test]
fn ten_kills_at_random_instants_lose_nothing_learn_nothing_twice_and_leave_a_state_that_can_be_rebuilt() {
    ten_kills("file");
}

#[test]
fn with_the_journal_in_kafka_ten_kills_also_leave_no_output_that_is_there_twice() {
    let counts = ten_kills("kafka");
    assert_eq!((counts.predictions, counts.examples), (EVENTS, EVENTS), "exactly once");
}

fn ten_kills(home: &str) -> Counts {
    // Given Elec2 on its way, with checkpoints and versions so often that kills meet them,
    let mut random = Random::seeded("ten kills");
    let mut trial = Trial::in_home(shared_broker(), home);
    trial.set("pipeline.elec2.checkpoint.every_ms", 700);
    trial.set("pipeline.elec2.version.every_examples", 3_000);
    let mut service = Service::start(&trial);
    service.wait_ready();
    let replaying = trial.replay(0..EVENTS, Some(RATE));
    let start = Instant::now();

    // when the service is killed ten times and started again at once,
    let lasts = EVENTS as f64 / RATE;
    let mut instants: Vec<f64> = (0..KILLS).map(|_| lasts * (0.05 + 0.85 * random.unit())).collect();
    instants.sort_by(f64::total_cmp);
    for at in instants {
        sleep_until(start + Duration::from_secs_f64(at));
        service.kill();
        service = Service::start(&trial);
    }
    assert!(!replaying.is_finished(), "the kills came in the middle");
    replaying.finish();

    // then everything is learned, once, and the service ends cleanly;
    let all = [("events", "read", EVENTS), ("events", "learned", EVENTS), ("labels", "matched", EVENTS)];
    let accounts = service.wait_for_accounts(Duration::from_secs(60), &all);
    assert_accounts_add_up(&accounts);
    assert_eq!(service.terminate().0, 0);

    // the topics agree with the journal, record by record;
    let counts = audit(&trial).counts;
    assert_eq!((counts.events, counts.labels), (EVENTS, EVENTS));
    assert_eq!((counts.events_predicted, counts.predictions_distinct), (EVENTS, EVENTS));
    assert_eq!((counts.examples_distinct, counts.dead_letters), (EVENTS, 0));
    assert_eq!(counts.journal_tail_records, 0);
    assert!((2..=1 + KILLS as u64).contains(&counts.journal_epochs), "{counts:?}");

    // and the last version is what a process that was never killed makes of the journal.
    let nearest = trial.rebuild(&["--to", "latest"]);
    let from_nothing = trial.rebuild(&["--to", "latest", "--from-nothing"]);
    assert_eq!(nearest, from_nothing);
    counts
}
