use super::space::Space;
use crate::state::{StateError, TensorMap, mismatch, sized};

/// Settings that may challenge, with how many examples the next turn is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Challenger {
    pub places: Vec<f64>,
    pub lease: u64,
}

/// Longest turn.
const LEASE_MAX: u64 = 1 << 40;

impl Challenger {
    /// After its turn; the next one is twice as long.
    pub fn renewed(self) -> Self {
        Self { lease: (2 * self.lease).min(LEASE_MAX), ..self }
    }
}

/// Challengers that wait for their turn; they have no learner, only settings.
#[derive(Debug, Clone)]
pub(super) struct Stable {
    space: Space,
    lease_first: u64,
    waiting_max: usize,
    waiting: Vec<Challenger>,
    /// Proposals so far.
    proposed: u64,
}

impl Stable {
    pub fn new(space: Space, lease_first: u64, waiting_max: usize) -> Self {
        Self { space, lease_first, waiting_max, waiting: Vec::new(), proposed: 0 }
    }

    /// The one whose turn is the shortest: a new one while there may be more.
    pub fn next(&mut self, champion: &[f64]) -> Challenger {
        let shortest = (0..self.waiting.len()).min_by_key(|index| self.waiting[*index].lease);
        match shortest {
            Some(index) if self.waiting.len() >= self.waiting_max => self.waiting.remove(index),
            _ => {
                self.proposed += 1;
                let places = self.space.propose(self.proposed - 1, champion);
                Challenger { places, lease: self.lease_first }
            }
        }
    }

    pub fn wait(&mut self, challenger: Challenger) {
        self.waiting.push(challenger);
    }

    /// Forgets those that wait: they were proposed around another champion.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// `proposed`, `waiting`, `[waiting, keys]`, and `leases`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("proposed", self.proposed);
        let places: Vec<f64> = self.waiting.iter().flat_map(|one| one.places.iter().copied()).collect();
        map.put_f64("waiting", &places);
        map.put_u64("leases", &self.waiting.iter().map(|one| one.lease).collect::<Vec<_>>());
        map
    }

    /// One of the same configuration, for so many keys, with what [`Stable::save`] wrote.
    pub fn load(&self, keys: usize, state: &TensorMap) -> Result<Self, StateError> {
        let proposed = state.u64_one("proposed")?;
        let leases = leases(state.u64s("leases")?, "leases")?;
        if leases.len() > self.waiting_max {
            let expected = format_args!("at most {} that wait", self.waiting_max);
            return Err(mismatch("leases", format_args!("{} that wait", leases.len()), expected));
        }
        let all = places(state.f64s("waiting")?, leases.len() * keys, "waiting")?;
        let waiting = leases.iter().zip(all.chunks(keys.max(1)));
        let waiting = waiting.map(|(lease, places)| Challenger { places: places.to_vec(), lease: *lease });
        Ok(Self { waiting: waiting.collect(), proposed, ..self.clone() })
    }
}

/// Places as they can be.
pub(super) fn places(places: Vec<f64>, count: usize, path: &str) -> Result<Vec<f64>, StateError> {
    let places = sized(places, count, path)?;
    match places.iter().find(|place| !(0.0..=1.0).contains(*place)) {
        Some(place) => Err(mismatch(path, place, "numbers from 0 to 1")),
        None => Ok(places),
    }
}

/// Leases as they can be.
pub(super) fn leases(leases: Vec<u64>, path: &str) -> Result<Vec<u64>, StateError> {
    match leases.iter().find(|lease| !(1..=LEASE_MAX).contains(*lease)) {
        Some(lease) => Err(mismatch(path, lease, format_args!("numbers from 1 to {LEASE_MAX}"))),
        None => Ok(leases),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ones_come_while_there_may_be_more_and_then_those_with_the_shortest_turn() {
        let mut stable = Stable::new(Space::new(1, 1, 4), 100, 2);
        let [first, second] = [0, 1].map(|_| stable.next(&[0.5]));
        assert_eq!((first.lease, second.lease), (100, 100));
        assert_ne!(first.places, second.places);
        stable.wait(first.clone().renewed().renewed());
        assert_eq!(stable.next(&[0.5]).lease, 100, "a new one");
        stable.wait(second.clone().renewed());
        assert_eq!(stable.next(&[0.5]), second.renewed());
        let loaded = Stable::new(Space::new(1, 1, 4), 100, 2).load(1, &stable.save()).unwrap();
        assert_eq!((loaded.waiting, loaded.proposed), (stable.waiting, stable.proposed));
    }
}
