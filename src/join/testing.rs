//! Chunks for the tests of this room.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

use super::chunk::Chunk;
use crate::schema::{Origin, Rows};

/// The id of event `number`.
pub(super) fn id(number: u64) -> u128 {
    xxh3_128(&number.to_le_bytes())
}

/// A chunk of entry `entry` with events of these numbers, each other than all others in every column.
pub(super) fn chunk(entry: u64, numeric: usize, categorical: usize, events: Range<u64>) -> Chunk {
    let mut chunk = Chunk {
        entry,
        time_ms: entry * 10,
        revision: entry / 2,
        baseline: (entry as f32 * 0.5, 1.0),
        rows: Rows::new(numeric, categorical),
        outputs: 2,
        ..Chunk::default()
    };
    for event in events {
        let numbers: Vec<f32> = (0..numeric).map(|column| (event * 10) as f32 + column as f32).collect();
        let categories: Vec<u64> = (0..categorical).map(|column| event << 8 | column as u64).collect();
        chunk.rows.push(&numbers, &categories);
        chunk.sequences.push(event + 1);
        chunk.ids.push(format!("event-{event}").as_bytes());
        chunk.id_hashes.push(id(event));
        chunk.keys.push(format!("{}", event % 17).as_bytes());
        chunk.weights.push(1.0 + (event % 3) as f32);
        chunk.origins.push(Origin { partition: (event % 4) as i32, offset: event as i64 });
        chunk.served.extend([event as f32, -(event as f32)]);
    }
    chunk
}
