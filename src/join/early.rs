//! Labels that came before their event.

use std::collections::VecDeque;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128;

use super::chunk::Truth;
use crate::state::{StateError, TensorMap, sized};

/// Places of the ring that may be empty however few labels wait.
const SPARE: usize = 64;

#[derive(Debug, Clone, Copy)]
struct EarlyLabel {
    id: u128,
    truth: Truth,
    /// Time of the entry that it came in.
    time_ms: u64,
    taken: bool,
}

/// Labels that came before their event, first in, first out.
#[derive(Debug, Clone, Default)]
pub(super) struct EarlyLabels {
    ring: VecDeque<EarlyLabel>,
    first: u64,
    index: HashTable<u64>,
    /// Sum of the hashes of the waiting labels, modulo 2^128.
    pub(super) sum: u128,
}

fn hash(label: &EarlyLabel) -> u128 {
    let mut bytes = [0; 40];
    bytes[..16].copy_from_slice(&label.id.to_le_bytes());
    bytes[16..24].copy_from_slice(&label.time_ms.to_le_bytes());
    bytes[24..28].copy_from_slice(&label.truth.target.to_bits().to_le_bytes());
    bytes[28..32].copy_from_slice(&label.truth.weight.to_bits().to_le_bytes());
    bytes[32..].copy_from_slice(&label.truth.arrived_ms.to_le_bytes());
    xxh3_128(&bytes)
}

impl EarlyLabels {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, id: u128) -> Option<Truth> {
        let number = self.index.find(id as u64, |number| self.at(*number).id == id)?;
        Some(self.at(*number).truth)
    }

    pub(super) fn push(&mut self, id: u128, truth: Truth, time_ms: u64) {
        let label = EarlyLabel { id, truth, time_ms, taken: false };
        let number = self.first + self.ring.len() as u64;
        self.sum = self.sum.wrapping_add(hash(&label));
        self.ring.push_back(label);
        let (ring, first) = (&self.ring, self.first);
        self.index.insert_unique(id as u64, number, |number| ring[(number - first) as usize].id as u64);
    }

    /// Takes the label of an event that has come.
    pub(super) fn take(&mut self, id: u128) -> Option<Truth> {
        let (ring, first) = (&self.ring, self.first);
        let found =
            self.index.find_entry(id as u64, |number| ring[(number - first) as usize].id == id).ok()?;
        let (number, _) = found.remove();
        let label = &mut self.ring[(number - self.first) as usize];
        label.taken = true;
        self.sum = self.sum.wrapping_sub(hash(label));
        let truth = label.truth;
        self.drop_taken();
        Some(truth)
    }

    /// Time of the entry of the label that has waited longest.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        self.ring.front().map(|label| label.time_ms)
    }

    /// Gives up the label that has waited longest.
    pub(super) fn expire_oldest(&mut self) {
        if let Some(id) = self.ring.front().map(|label| label.id) {
            self.take(id);
        }
    }

    /// Keeps a waiting label at the front, so that its time is the oldest; and where most of the ring was taken, makes
    /// it anew of what waits: one label at the front must not hold the memory of all that come after it.
    fn drop_taken(&mut self) {
        while self.ring.front().is_some_and(|label| label.taken) {
            self.ring.pop_front();
            self.first += 1;
        }
        if self.ring.len() > 2 * self.index.len() + SPARE {
            self.ring.retain(|label| !label.taken);
            self.first = 0;
            self.index.clear();
            let ring = &self.ring;
            for (number, label) in ring.iter().enumerate() {
                let id_at = |number: &u64| ring[*number as usize].id as u64;
                self.index.insert_unique(label.id as u64, number as u64, id_at);
            }
        }
    }

    fn at(&self, number: u64) -> &EarlyLabel {
        &self.ring[(number - self.first) as usize]
    }

    pub(super) fn save(&self) -> TensorMap {
        let waiting: Vec<&EarlyLabel> = self.ring.iter().filter(|label| !label.taken).collect();
        let mut map = TensorMap::new();
        map.put_bytes("ids", waiting.iter().flat_map(|label| label.id.to_le_bytes()).collect());
        map.put_f32("targets", &waiting.iter().map(|label| label.truth.target).collect::<Vec<_>>());
        map.put_f32("weights", &waiting.iter().map(|label| label.truth.weight).collect::<Vec<_>>());
        map.put_i64("arrived_ms", &waiting.iter().map(|label| label.truth.arrived_ms).collect::<Vec<_>>());
        map.put_u64("times_ms", &waiting.iter().map(|label| label.time_ms).collect::<Vec<_>>());
        map
    }

    pub(super) fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let (ids, _) = state.bytes("ids")?.as_chunks::<16>();
        let targets = sized(state.f32s("targets")?, ids.len(), "targets")?;
        let weights = sized(state.f32s("weights")?, ids.len(), "weights")?;
        let arrived = sized(state.i64s("arrived_ms")?, ids.len(), "arrived_ms")?;
        let times = sized(state.u64s("times_ms")?, ids.len(), "times_ms")?;
        let mut loaded = Self::default();
        for (row, id) in ids.iter().enumerate() {
            let truth = Truth { target: targets[row], weight: weights[row], arrived_ms: arrived[row] };
            loaded.push(u128::from_le_bytes(*id), truth, times[row]);
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::id;
    use super::*;

    fn truth(target: f32) -> Truth {
        Truth { target, weight: 1.0, arrived_ms: 7 }
    }

    #[test]
    fn one_label_that_waits_does_not_hold_the_memory_of_those_that_were_taken() {
        let mut early = EarlyLabels::default();
        early.push(id(0), truth(0.5), 1);
        let sum = early.sum;
        for number in 1..=10_000 {
            early.push(id(number), truth(number as f32), number);
            assert_eq!(early.take(id(number)), Some(truth(number as f32)));
            assert!(early.ring.len() <= 2 * early.len() + SPARE, "{} for one label", early.ring.len());
        }
        assert_eq!((early.len(), early.sum, early.oldest_ms()), (1, sum, Some(1)));
        assert_eq!(early.get(id(0)), Some(truth(0.5)));
    }

    #[test]
    fn labels_among_taken_ones_are_found_and_leave_in_the_order_in_which_they_came() {
        let mut early = EarlyLabels::default();
        (0..1_000).for_each(|number| early.push(id(number), truth(number as f32), number));
        for number in (0..1_000).filter(|number| number % 7 != 3) {
            assert_eq!(early.take(id(number)), Some(truth(number as f32)));
        }
        for number in (0..1_000).filter(|number| number % 7 == 3) {
            assert_eq!(early.oldest_ms(), Some(number));
            assert_eq!(early.get(id(number)), Some(truth(number as f32)));
            early.expire_oldest();
            assert_eq!(early.get(id(number)), None);
        }
        assert_eq!((early.len(), early.sum, early.oldest_ms()), (0, 0, None));
    }

    #[test]
    fn a_saved_state_of_uneven_columns_is_refused() {
        let mut early = EarlyLabels::default();
        early.push(id(1), truth(1.0), 1);
        let mut state = early.save();
        state.put_u64("times_ms", &[]);
        let error = EarlyLabels::default().load(&state).unwrap_err().to_string();
        assert!(error.contains("times_ms") && error.contains("0 elements"), "{error}");
    }
}
