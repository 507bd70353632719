use std::sync::Arc;

use super::table::{LANES, LEAF};

/// Children of an inner node.
const FAN: usize = 64;

type Leaf = [f32; LEAF];
type Branch = [Arc<Leaf>; FAN];
type Twig = [Arc<Branch>; FAN];

/// Slots under a twig.
const TWIG: usize = LEAF * FAN * FAN;

/// The weights of a revision, as a tree of three levels under a short list: a revision shares with the one before every
/// leaf in which nothing changed, and making it copies, for each leaf that did, that leaf and two nodes of 64 pointers
/// at most. Leaves that were never learned are one and the same.
#[derive(Debug, Clone)]
pub(super) struct Leaves {
    /// A power of two.
    slots: usize,
    twigs: Vec<Arc<Twig>>,
    /// Leaves with a weight that is not finite.
    broken: usize,
}

impl Leaves {
    /// `slots` weights, all 0.
    pub fn new(slots: usize) -> Self {
        let leaf = Arc::new([0.0; LEAF]);
        let branch = Arc::new(std::array::from_fn(|_| leaf.clone()));
        let twig = Arc::new(std::array::from_fn(|_| branch.clone()));
        Self { slots, twigs: vec![twig; slots.div_ceil(TWIG)], broken: 0 }
    }

    /// Replaces a leaf.
    pub fn replace(&mut self, leaf: usize, weights: Leaf) {
        let twig = Arc::make_mut(&mut self.twigs[leaf / (FAN * FAN)]);
        let branch = Arc::make_mut(&mut twig[leaf / FAN % FAN]);
        let place = &mut branch[leaf % FAN];
        let finite = |leaf: &Leaf| leaf.iter().all(|weight| weight.is_finite());
        self.broken += usize::from(!finite(&weights));
        self.broken -= usize::from(!finite(place));
        match Arc::get_mut(place) {
            Some(own) => *own = weights,
            None => *place = Arc::new(weights),
        }
    }

    pub fn is_finite(&self) -> bool {
        self.broken == 0
    }

    #[inline(always)]
    fn leaf(&self, slot: usize) -> &Leaf {
        &self.twigs[slot / TWIG][slot / (LEAF * FAN) % FAN][slot / LEAF % FAN]
    }

    #[inline(always)]
    pub fn weight(&self, slot: u32) -> f32 {
        self.leaf(slot as usize)[slot as usize % LEAF]
    }

    /// The line, around the end of the slots, `by` lines after that of `slot`.
    #[inline(always)]
    pub fn line(&self, slot: u32, by: usize) -> &[f32; LANES] {
        let slot = (slot as usize + by * LANES) & (self.slots - 1);
        let (lines, _) = self.leaf(slot).as_chunks::<LANES>();
        &lines[slot % LEAF / LANES]
    }

    /// The weights that are not 0, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> {
        let branches = self.twigs.iter().flat_map(|twig| twig.iter());
        let leaves = branches.flat_map(|branch| branch.iter());
        let weights = leaves.flat_map(|leaf| leaf.iter().copied());
        (0..).zip(weights).filter(|(_, weight)| weight.to_bits() != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(a: &Leaves, b: &Leaves) -> usize {
        (0..1 << 14)
            .filter(|leaf| std::ptr::eq(a.leaf(leaf * LEAF).as_ptr(), b.leaf(leaf * LEAF).as_ptr()))
            .count()
    }

    #[test]
    fn a_revision_shares_with_the_one_before_what_did_not_change() {
        let mut leaves = Leaves::new(1 << 20);
        let before = leaves.clone();
        leaves.replace(5, [1.0; LEAF]);
        leaves.replace(10_000, [2.0; LEAF]);
        assert_eq!((before.weight(5 * 64), leaves.weight(5 * 64)), (0.0, 1.0));
        assert_eq!((before.weight(640_007), leaves.weight(640_007)), (0.0, 2.0));
        assert_eq!(shared(&before, &leaves), (1 << 14) - 2);
        let middle = leaves.clone();
        leaves.replace(5, [3.0; LEAF]);
        assert_eq!((middle.weight(320), leaves.weight(320)), (1.0, 3.0));
        assert_eq!(shared(&middle, &leaves), (1 << 14) - 1);
    }

    #[test]
    fn weights_are_found_again_by_slot_line_and_in_order() {
        let mut leaves = Leaves::new(1 << 19);
        let slots = [0_u32, 63, 64, 4_095, 4_096, 262_143, 262_144, 524_287];
        for slot in slots {
            let mut leaf = *leaves.leaf(slot as usize);
            leaf[slot as usize % LEAF] = slot as f32 + 1.0;
            leaves.replace(slot as usize / LEAF, leaf);
        }
        for slot in slots {
            assert_eq!(leaves.weight(slot), slot as f32 + 1.0);
            assert_eq!(leaves.line(slot, 0)[slot as usize % LANES], slot as f32 + 1.0);
        }
        assert_eq!(leaves.line(524_280, 1)[0], 1.0, "around the end");
        assert_eq!(leaves.iter().collect::<Vec<_>>(), slots.map(|slot| (slot, slot as f32 + 1.0)));
    }

    #[test]
    fn a_weight_that_is_not_finite_is_seen_until_it_is_replaced() {
        let mut leaves = Leaves::new(1 << 18);
        leaves.replace(3, [f32::NAN; LEAF]);
        leaves.replace(3, [f32::INFINITY; LEAF]);
        assert!(!leaves.is_finite());
        leaves.replace(3, [1.0; LEAF]);
        assert!(leaves.is_finite());
    }
}
