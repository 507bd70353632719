use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::stream::Position;

/// How far each source partition is done: its records are learned and everything they caused is acknowledged.
#[derive(Default)]
pub struct Reached {
    next: Mutex<BTreeMap<(Arc<str>, i32), i64>>,
}

impl Reached {
    pub(super) fn reached(&self, positions: Vec<Position>) {
        if positions.is_empty() {
            return;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        for position in positions {
            next.insert((position.topic, position.partition), position.next);
        }
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let position = |((topic, partition), next): (&(Arc<str>, i32), &i64)| Position {
            topic: topic.clone(),
            partition: *partition,
            next: *next,
        };
        next.iter().map(position).collect()
    }
}
