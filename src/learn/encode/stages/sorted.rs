use std::sync::Arc;

/// Numbers on a leaf; one with more is split.
const LEAF: usize = 256;

/// Numbers in their order, on leaves that a clone shares until they change: to put a number in or to take one out
/// costs a leaf, however many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Sorted {
    /// None is empty.
    leaves: Vec<Arc<Vec<f32>>>,
    len: usize,
}

impl Sorted {
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first leaf that has a number not below `value`, or as many as there are leaves.
    fn leaf_of(&self, value: f32) -> usize {
        self.leaves.partition_point(|leaf| leaf.last().is_some_and(|last| *last < value))
    }

    pub fn insert(&mut self, value: f32) {
        self.len += 1;
        let at = self.leaf_of(value).min(self.leaves.len().saturating_sub(1));
        let Some(leaf) = self.leaves.get_mut(at) else {
            self.leaves.push(Arc::new(vec![value]));
            return;
        };
        let leaf = Arc::make_mut(leaf);
        leaf.insert(leaf.partition_point(|other| *other < value), value);
        if leaf.len() > LEAF {
            let right = leaf.split_off(LEAF / 2);
            self.leaves.insert(at + 1, Arc::new(right));
        }
    }

    /// Takes a number out that is there.
    pub fn remove(&mut self, value: f32) {
        let at = self.leaf_of(value);
        let Some(leaf) = self.leaves.get_mut(at) else { return };
        let leaf = Arc::make_mut(leaf);
        leaf.remove(leaf.partition_point(|other| *other < value));
        self.len -= 1;
        let left = leaf.len();
        let next = self.leaves.get(at + 1).map_or(LEAF, |next| next.len());
        if left == 0 {
            self.leaves.remove(at);
        } else if left + next <= LEAF / 2 {
            let next = self.leaves.remove(at + 1);
            Arc::make_mut(&mut self.leaves[at]).extend_from_slice(&next);
        }
    }

    /// Number `index` from the lowest.
    pub fn get(&self, mut index: usize) -> Option<f32> {
        for leaf in &self.leaves {
            match leaf.get(index) {
                Some(value) => return Some(*value),
                None => index -= leaf.len(),
            }
        }
        None
    }

    /// How many are below a value, and how many are not above it.
    pub fn counts(&self, value: f32) -> (usize, usize) {
        let (mut below, mut upto) = (0, 0);
        for leaf in &self.leaves {
            if leaf.last().is_some_and(|last| *last < value) {
                below += leaf.len();
                upto += leaf.len();
                continue;
            }
            below += leaf.partition_point(|other| *other < value);
            let here = leaf.partition_point(|other| *other <= value);
            upto += here;
            if here < leaf.len() {
                break;
            }
        }
        (below, upto)
    }

    #[cfg(test)]
    pub fn all(&self) -> Vec<f32> {
        self.leaves.iter().flat_map(|leaf| leaf.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_in_order_whatever_comes_and_goes(
            steps in prop::collection::vec((any::<bool>(), 0..400_i32), 0..3_000),
        ) {
            let (mut sorted, mut plain) = (Sorted::default(), Vec::<f32>::new());
            for (out, value) in steps {
                let value = value as f32;
                if out && plain.contains(&value) {
                    sorted.remove(value);
                    plain.remove(plain.partition_point(|other| *other < value));
                } else {
                    sorted.insert(value);
                    plain.insert(plain.partition_point(|other| *other < value), value);
                }
                let counts = [-1.0, 200.0, value, 1e3].map(|ask| sorted.counts(ask));
                let expected = [-1.0, 200.0, value, 1e3].map(|ask| {
                    (plain.partition_point(|v| *v < ask), plain.partition_point(|v| *v <= ask))
                });
                prop_assert_eq!(counts, expected);
            }
            prop_assert_eq!(sorted.all(), plain.clone());
            prop_assert_eq!(sorted.len(), plain.len());
            prop_assert_eq!(sorted.get(plain.len() / 2), plain.get(plain.len() / 2).copied());
            prop_assert!(sorted.leaves.iter().all(|leaf| (1..=LEAF).contains(&leaf.len())));
            prop_assert!(sorted.leaves.len() <= 1 + 4 * plain.len() / LEAF + 1, "{} leaves", sorted.leaves.len());
        }
    }

    #[test]
    fn a_clone_shares_the_leaves_that_did_not_change() {
        let mut sorted = Sorted::default();
        (0..2_000).for_each(|value| sorted.insert(value as f32));
        let before = sorted.clone();
        sorted.insert(1_000.5);
        let shared =
            before.leaves.iter().filter(|leaf| sorted.leaves.iter().any(|other| Arc::ptr_eq(leaf, other)));
        assert_eq!(shared.count(), before.leaves.len() - 1);
        assert_eq!((before.len(), sorted.len()), (2_000, 2_001));
    }
}
