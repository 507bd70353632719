//! The bare pipe: reads with the batch consumer, writes a prediction that was made before for each record, and does
//! nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stream::{Delivery, Endpoint, OutputProducer, Outputs, Position, SourceConsumer, StreamError};

/// Records on their way at most, in batches.
const ON_WAY_MAX: u64 = 64;

/// Pipes `events` records of `topic` into `out` and returns how long it took until all were acknowledged.
pub fn run(
    endpoint: &Endpoint,
    topic: &str,
    partitions: i32,
    out: &str,
    values: &[Vec<u8>],
    events: u64,
) -> Result<Duration, StreamError> {
    let positions: Vec<Position> =
        (0..partitions).map(|partition| Position { topic: topic.into(), partition, next: 0 }).collect();
    let mut source = SourceConsumer::live(endpoint, "tidewheel.bench.bare", &positions)?;
    let mut producer = OutputProducer::new(endpoint)?;
    let out: Arc<str> = out.into();
    let start = Instant::now();
    let (mut read, mut group, mut done) = (0, 0_u64, 0_u64);
    while read < events {
        let batch = source.next_batch(Duration::from_millis(100), Duration::from_millis(5), 1_000)?;
        let Some(batch) = batch else { continue };
        read += batch.len() as u64;
        let mut outputs = Outputs::default();
        outputs.reserve(batch.len(), 320);
        for (record, value) in batch.iter().zip(values.iter().cycle()) {
            outputs.push_with(&out, Some(record.partition()), record.key(), |buffer| {
                buffer.extend_from_slice(value);
            });
        }
        group += 1;
        let mut sent = 0;
        while sent < outputs.len() {
            sent = producer.send(group as usize, &outputs, sent)?;
            producer.poll(Duration::ZERO);
        }
        while done < group
            && (producer.delivery(done as usize + 1) == Delivery::Done || group - done > ON_WAY_MAX)
        {
            if producer.delivery(done as usize + 1) == Delivery::Done {
                done += 1;
            } else {
                std::thread::sleep(Duration::from_micros(200));
                producer.poll(Duration::ZERO);
            }
        }
    }
    while producer.in_flight() > 0 {
        std::thread::sleep(Duration::from_micros(200));
        producer.poll(Duration::ZERO);
    }
    Ok(start.elapsed())
}
