use std::sync::Arc;

use tidewheel::config::Batching;
use tidewheel::journal::Body;
use tidewheel::pipeline::Stage;

use super::Bench;
use super::panics::Once;

const ROWS: u64 = 1_500;
const BATCH: u64 = 450;

#[test]
fn a_fixed_batch_that_a_failure_interrupts_is_read_again_and_is_not_cut_short() {
    // Given batches so large that reading one is interrupted,
    let mut bench = Bench::new();
    let pipeline = bench.config.pipeline.get_mut("elec2").unwrap();
    pipeline.batching = Batching::Fixed;
    pipeline.batch.max_rows = BATCH as usize;

    // when stages fail in between,
    let outcome = bench.run_fixed(ROWS, BATCH, Arc::new(Once::new(Stage::Learn, 700)));

    // then every batch but the last one, which the stop hands over, is full.
    let counts = |body: &Body| match body {
        Body::Batch { parts } => Some(parts.iter().map(|part| part.count).sum::<u64>()),
        _ => None,
    };
    let sizes: Vec<u64> = outcome.entries.iter().filter_map(|entry| counts(&entry.body)).collect();
    let (last, full) = sizes.split_last().unwrap();
    assert!(full.iter().all(|size| *size == BATCH), "{sizes:?}");
    assert_eq!((*last, sizes.iter().sum::<u64>()), (2 * ROWS % BATCH, 2 * ROWS));
    assert_eq!(outcome.stored, outcome.rebuilt);
}
