use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidewheel::pipeline::{Probe, Stage};

use super::Bench;

const ROWS: u64 = 1_500;
/// Batches that a run has at least.
const STEPS_MIN: u64 = 30;

/// Panics at the `nth` step of one stage, once.
pub struct Once {
    stage: Stage,
    nth: u64,
    steps: AtomicU64,
}

impl Once {
    pub fn new(stage: Stage, nth: u64) -> Self {
        Self { stage, nth, steps: AtomicU64::new(0) }
    }
}

impl Probe for Once {
    fn at(&self, stage: Stage, _entry: u64, _offset: i64) {
        if stage == self.stage && self.steps.fetch_add(1, Ordering::SeqCst) + 1 == self.nth {
            panic!("the {}th step of {stage:?} panics once", self.nth);
        }
    }
}

/// Panics in one stage whenever it meets one of these offsets.
struct Always {
    stage: Stage,
    offsets: &'static [i64],
}

impl Probe for Always {
    fn at(&self, stage: Stage, _entry: u64, offset: i64) {
        if stage == self.stage && self.offsets.contains(&offset) {
            panic!("offset {offset} always makes {stage:?} panic");
        }
    }
}

fn assert_one_panic_changes_nothing(stage: Stage, nth: u64) {
    let probe = Arc::new(Once::new(stage, nth));
    let mut bench = Bench::new();
    // However late the service is to read what was sent, there are batches enough for the `nth`.
    bench.config.pipeline.get_mut("elec2").unwrap().batch.max_rows = (2 * ROWS / STEPS_MIN) as usize;
    let outcome = bench.run(ROWS, probe.clone());

    assert!(probe.steps.load(Ordering::SeqCst) >= nth, "the probe panicked");
    assert_eq!(outcome.skips, [], "a panic that does not come again costs no row");
    assert_eq!(outcome.accounts.events.learned, ROWS);
    assert_eq!(outcome.stored, outcome.rebuilt, "the state is that of a run that never panicked");
}

/// The step is taken from the clock, so that runs differ; it is in the message of the panic.
fn some_step(of: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) % of + 1
}

#[test]
fn a_panic_while_sequencing_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Sequence, some_step(STEPS_MIN));
}

#[test]
fn a_panic_while_decoding_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Decode, some_step(2 * ROWS));
}

#[test]
fn a_panic_while_predicting_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Predict, some_step(ROWS));
}

#[test]
fn a_panic_while_joining_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Join, some_step(ROWS));
}

#[test]
fn a_panic_while_learning_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Learn, some_step(ROWS));
}

#[test]
fn a_panic_while_judging_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Judge, some_step(ROWS));
}

#[test]
fn a_panic_while_taking_effect_changes_nothing() {
    assert_one_panic_changes_nothing(Stage::Effect, some_step(STEPS_MIN));
}

fn assert_bad_events_are_skipped(stage: Stage, offsets: &'static [i64]) {
    let outcome = Bench::new().run(ROWS, Arc::new(Always { stage, offsets }));

    let mut skipped: Vec<i64> = outcome.skips.iter().map(|skip| skip.offset).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, offsets);
    assert!(outcome.skips.iter().all(|skip| skip.topic == "elec2.events"), "{:?}", outcome.skips);
    let bad = offsets.len() as u64;
    assert_eq!(outcome.accounts.events.skipped, bad);
    assert_eq!(outcome.accounts.events.learned, ROWS - bad);
    assert_eq!(outcome.accounts.labels.pending, bad, "their labels wait for events that will not come");
    assert!(outcome.accounts.add_up(), "{:?}", outcome.accounts);
    assert_eq!(outcome.stored, outcome.rebuilt, "the state is that of a run that was told to skip them");
}

#[test]
fn rows_that_always_make_predicting_panic_are_skipped_and_nothing_else() {
    assert_bad_events_are_skipped(Stage::Predict, &[321, 322]);
}

#[test]
fn a_label_that_always_makes_joining_panic_is_skipped_and_its_event_waits_on() {
    let outcome = Bench::new().run(ROWS, Arc::new(Always { stage: Stage::Join, offsets: &[1_000] }));

    let skipped: Vec<_> = outcome.skips.iter().map(|skip| (skip.topic.as_str(), skip.offset)).collect();
    assert_eq!(skipped, [("elec2.labels", 1_000)]);
    assert_eq!(outcome.accounts.labels.skipped, 1);
    assert_eq!((outcome.accounts.events.learned, outcome.accounts.events.pending), (ROWS - 1, 1));
    assert_eq!(outcome.stored, outcome.rebuilt);
}

#[test]
fn of_an_event_and_its_label_that_make_learning_panic_the_later_one_is_skipped_and_the_other_waits_on() {
    let outcome = Bench::new().run(ROWS, Arc::new(Always { stage: Stage::Learn, offsets: &[1_000] }));

    let skipped: Vec<_> = outcome.skips.iter().map(|skip| (skip.topic.as_str(), skip.offset)).collect();
    let (events, labels) = (outcome.accounts.events, outcome.accounts.labels);
    // Which of the two is read first is up to the poll.
    match skipped[..] {
        [("elec2.labels", 1_000)] => assert_eq!((labels.skipped, events.pending), (1, 1)),
        [("elec2.events", 1_000)] => assert_eq!((events.skipped, labels.pending), (1, 1)),
        _ => panic!("{skipped:?}"),
    }
    assert_eq!(events.learned, ROWS - 1);
    assert!(outcome.accounts.add_up(), "{:?}", outcome.accounts);
    assert_eq!(outcome.stored, outcome.rebuilt);
}

#[test]
fn records_that_always_make_decoding_panic_are_skipped_on_both_topics() {
    // The probe cannot tell the topics apart: the event and the label at this offset are both bad.
    let outcome = Bench::new().run(ROWS, Arc::new(Always { stage: Stage::Decode, offsets: &[50] }));

    let mut skipped: Vec<_> = outcome.skips.iter().map(|skip| (skip.topic.as_str(), skip.offset)).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, [("elec2.events", 50), ("elec2.labels", 50)]);
    assert_eq!((outcome.accounts.events.skipped, outcome.accounts.labels.skipped), (1, 1));
    assert_eq!(outcome.accounts.events.learned, ROWS - 1);
    assert_eq!(outcome.stored, outcome.rebuilt);
}
