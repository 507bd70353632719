//! The ids of the events that ended last, and how each ended.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::state::{StateError, TensorMap, sized};

/// How an event ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Learned, or scored only: its label came.
    Labelled = 0,
    /// Its label did not come in time.
    Expired = 1,
}

/// The last finished ids, first in, first out: what makes a repeated event a duplicate and a late label late.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    ids_max: usize,
    /// Oldest first; the number of the oldest is `first`.
    ring: VecDeque<(u128, f32, Outcome)>,
    first: u64,
    /// Numbers in the ring, modulo 2^32, by id: half the memory of whole ones, and so half the cache misses. What has left
    /// the ring is passed over here, and goes with its whole table: taking each out on its own would be another miss.
    young: HashTable<u32>,
    /// The table that was full before, with the numbers before those in `young`.
    old: HashTable<u32>,
    /// Sum of the hashes of what is in the ring, modulo 2^128.
    pub(super) sum: u128,
}

/// Places that the first table has.
const TABLE_MIN: usize = 1_024;

/// Mixes one entry into 128 bits that add up to a sum; ids are hashes already, so two multiplications are enough to
/// keep exchanged labels or places from cancelling out.
fn hash(number: u64, (id, label, outcome): (u128, f32, Outcome)) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let rest = u128::from(number) << 64 | u128::from(label.to_bits()) << 8 | outcome as u128;
    let mixed = (id ^ rest.wrapping_mul(ODD)).wrapping_mul(ODD);
    (mixed ^ (mixed >> 64)).wrapping_mul(ODD)
}

impl Finished {
    pub(super) fn new(ids_max: usize) -> Self {
        Self {
            ids_max: ids_max.max(1),
            ring: VecDeque::new(),
            first: 0,
            young: HashTable::new(),
            old: HashTable::new(),
            sum: 0,
        }
    }

    pub(super) fn configure(&mut self, ids_max: usize) {
        self.ids_max = ids_max.max(1);
        while self.ring.len() > self.ids_max {
            self.forget_oldest();
        }
    }

    pub(super) fn ids_max(&self) -> usize {
        self.ids_max
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn get(&self, id: u128) -> Option<(f32, Outcome)> {
        let find = |table: &HashTable<u32>| {
            table.find(id as u64, |number| self.at(*number).is_some_and(|entry| entry.0 == id)).copied()
        };
        let number = find(&self.young).or_else(|| find(&self.old))?;
        self.at(number).map(|(_, label, outcome)| (*label, *outcome))
    }

    /// Forgets the oldest, so that `count` others fit.
    pub(super) fn make_room(&mut self, count: usize) {
        let keep = self.ids_max.saturating_sub(count);
        while self.ring.len() > keep {
            self.forget_oldest();
        }
    }

    /// Remembers an id that is not in the ring; the oldest leaves when it is full.
    pub(super) fn push(&mut self, id: u128, label: f32, outcome: Outcome) {
        while self.ring.len() >= self.ids_max {
            self.forget_oldest();
        }
        if self.young.len() == self.young.capacity() {
            self.make_table();
        }
        let number = self.first + self.ring.len() as u64;
        self.ring.push_back((id, label, outcome));
        self.sum = self.sum.wrapping_add(hash(number, (id, label, outcome)));
        insert(&mut self.young, id, number as u32);
    }

    /// Room in `young`: a larger table as long as fewer than `ids_max` were remembered, else one to begin with anew.
    fn make_table(&mut self) {
        let numbers = self.young.len();
        if numbers >= self.ids_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            if self.young.capacity() < self.ids_max {
                self.young = HashTable::with_capacity(self.ids_max);
            }
            return;
        }
        let capacity = (2 * numbers).clamp(TABLE_MIN.min(self.ids_max), self.ids_max);
        let mut larger = HashTable::with_capacity(capacity);
        for number in &self.young {
            if let Some((id, _, _)) = self.at(*number) {
                insert(&mut larger, *id, *number);
            }
        }
        self.young = larger;
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.ring.pop_front() else { return };
        self.sum = self.sum.wrapping_sub(hash(self.first, oldest));
        self.first += 1;
    }

    /// What a number of a table stands for, unless it has left the ring, which holds fewer than 2^32.
    fn at(&self, number: u32) -> Option<&(u128, f32, Outcome)> {
        self.ring.get(number.wrapping_sub(self.first as u32) as usize)
    }

    pub(super) fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("first", self.first);
        let ids = self.ring.iter().flat_map(|(id, _, _)| id.to_le_bytes()).collect();
        map.put_bytes("ids", ids);
        map.put_f32("labels", &self.ring.iter().map(|(_, label, _)| *label).collect::<Vec<_>>());
        map.put_bytes("outcomes", self.ring.iter().map(|(_, _, outcome)| *outcome as u8).collect());
        map
    }

    pub(super) fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let (ids, _) = state.bytes("ids")?.as_chunks::<16>();
        let labels = sized(state.f32s("labels")?, ids.len(), "labels")?;
        let outcomes = sized(state.bytes("outcomes")?.to_vec(), ids.len(), "outcomes")?;
        let mut loaded = Self::new(self.ids_max);
        loaded.first = state.u64_one("first")?;
        for ((id, label), outcome) in ids.iter().zip(labels).zip(outcomes) {
            let outcome =
                if outcome == Outcome::Expired as u8 { Outcome::Expired } else { Outcome::Labelled };
            loaded.push(u128::from_le_bytes(*id), label, outcome);
        }
        *self = loaded;
        Ok(())
    }
}

/// Adds a number to a table that has room for it.
fn insert(table: &mut HashTable<u32>, id: u128, number: u32) {
    debug_assert!(table.len() < table.capacity(), "a table with room");
    table.insert_unique(id as u64, number, |_| unreachable!("a table with room does not grow"));
}

#[cfg(test)]
mod tests {
    use super::super::testing::id;
    use super::*;

    #[test]
    fn the_oldest_id_is_forgotten_first_and_the_sum_follows() {
        let mut finished = Finished::new(3);
        for id in 1..=5_u128 {
            finished.push(id << 70 | id, id as f32, Outcome::Labelled);
        }
        assert_eq!(finished.len(), 3);
        assert_eq!(finished.get(2 << 70 | 2), None);
        assert_eq!(finished.get(3 << 70 | 3), Some((3.0, Outcome::Labelled)));

        let mut back = Finished::new(3);
        back.load(&finished.save()).unwrap();
        assert_eq!(back.sum, finished.sum);
        back.push(99, 0.0, Outcome::Expired);
        finished.push(99, 0.0, Outcome::Expired);
        assert_eq!(back.sum, finished.sum);
        assert_eq!(back.get(3 << 70 | 3), None);
    }

    #[test]
    fn an_id_that_was_forgotten_and_comes_again_is_known_again() {
        for ids_max in [1, 2, 7, 1_000, 3_000] {
            let mut finished = Finished::new(ids_max);
            let mut model: VecDeque<u64> = VecDeque::new();
            // Every id comes again after a little more than the ring holds, over many tables.
            for step in 0..20_000_u64 {
                let event = step % (ids_max as u64 + 1);
                assert_eq!(finished.get(id(event)), None, "{event} of {ids_max}");
                finished.push(id(event), step as f32, Outcome::Labelled);
                model.push_back(event);
                while model.len() > ids_max {
                    model.pop_front();
                }
                let (oldest, youngest) = (model[0], model[model.len() - 1]);
                for known in [oldest, youngest] {
                    let label = step - (event + ids_max as u64 + 1 - known) % (ids_max as u64 + 1);
                    assert_eq!(finished.get(id(known)), Some((label as f32, Outcome::Labelled)));
                }
            }
            assert_eq!(finished.len(), model.len());
        }
    }

    #[test]
    fn another_bound_keeps_the_youngest() {
        let mut finished = Finished::new(1_000);
        (0..5_000).for_each(|event| finished.push(id(event), event as f32, Outcome::Labelled));
        for (ids_max, kept) in [(40, 4_960), (100_000, 4_960), (39, 4_961)] {
            finished.configure(ids_max);
            for event in 3_900..5_000 {
                assert_eq!(finished.get(id(event)).is_some(), event >= kept, "{event} of {ids_max}");
            }
        }
        finished.push(id(5_000), 1.0, Outcome::Expired);
        assert_eq!((finished.get(id(4_961)), finished.len()), (None, 39));
    }

    #[test]
    fn a_saved_state_of_uneven_columns_is_refused() {
        let mut finished = Finished::new(3);
        finished.push(7, 1.0, Outcome::Labelled);
        let mut state = finished.save();
        state.put_f32("labels", &[]);
        let error = Finished::new(3).load(&state).unwrap_err().to_string();
        assert!(error.contains("labels") && error.contains("0 elements"), "{error}");
    }
}
