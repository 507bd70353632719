use std::sync::Arc;

use tidewheel::config::LearnerKind;
use tidewheel::pipeline::Stage;

use super::Bench;
use super::panics::Once;

const ROWS: u64 = 1_500;

#[test]
fn auto_is_made_again_from_checkpoint_and_journal_with_the_context_of_rows_that_wait() {
    // Given a learner whose rows carry a context from when they come until they are learned,
    let mut bench = Bench::new();
    bench.config.pipeline.get_mut("elec2").unwrap().model.learner = LearnerKind::Auto;

    // when its stage fails amid the stream, after the first checkpoints,
    let outcome = bench.run(ROWS, Arc::new(Once::new(Stage::Learn, 900)));

    // then every row is learned once, and the state is that of a run that never failed.
    assert_eq!(outcome.skips, []);
    assert_eq!(outcome.accounts.events.learned, ROWS);
    assert_eq!(outcome.stored, outcome.rebuilt);
}
