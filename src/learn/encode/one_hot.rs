use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::state::{StateError, TensorMap, mismatch};

/// What a missing categorical value is in `Rows`.
const MISSING: u64 = 0;

/// Places of each column that are there from the start.
const FIXED: usize = 2;

/// Categorical columns as places in one list of indicators, exactly one of which is 1 for each column.
///
/// Column `c` has place `2c` for every category without a place of its own ("other") and `2c + 1` for the missing
/// value. Further places go to categories in the order in which they are learned, over all columns, at most
/// `categories_max` a column, so that what is kept grows with what was seen. Looking up never changes anything. Cheap
/// to clone: each column is in parts of some hundred categories, which are shared until the next one is claimed in them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneHot {
    categories_max: usize,
    places: usize,
    /// Categories of each column with a place of their own.
    claimed: Vec<usize>,
    /// Of each column so many parts, side by side: 2 to the power of this.
    parts_log: u32,
    parts: Vec<Arc<Places>>,
}

/// Categories that a part may well have.
const PART: usize = 512;

/// Hash of a category to its place.
type Places = HashMap<u64, u32, BuildHasherDefault<Hashed>>;

impl OneHot {
    pub fn new(columns: usize, categories_max: usize) -> Self {
        let parts = categories_max.div_ceil(PART).clamp(1, 128).next_power_of_two();
        Self {
            categories_max,
            places: FIXED * columns,
            claimed: vec![0; columns],
            parts_log: parts.ilog2(),
            parts: vec![Arc::default(); columns * parts],
        }
    }

    pub fn columns(&self) -> usize {
        self.claimed.len()
    }

    /// The part that a category is in.
    #[inline(always)]
    fn part(&self, column: usize, category: u64) -> usize {
        // Neither the lowest nor the highest bits: these are what tells categories apart within a part.
        let within = (category >> 32) as usize & ((1 << self.parts_log) - 1);
        (column << self.parts_log) + within
    }

    pub fn categories_max(&self) -> usize {
        self.categories_max
    }

    /// Places given out so far.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Places that there can ever be.
    pub fn places_max(&self) -> usize {
        self.columns() * (FIXED + self.categories_max)
    }

    /// Categories that have a place of their own in a column.
    pub fn claimed(&self, column: usize) -> usize {
        self.claimed[column]
    }

    /// The place of a category, by its hash, in a column.
    #[inline]
    pub fn place(&self, column: usize, category: u64) -> usize {
        if category == MISSING {
            return FIXED * column + 1;
        }
        self.parts[self.part(column, category)].get(&category).map_or(FIXED * column, |place| *place as usize)
    }

    /// As [`OneHot::place`], but an unseen category claims a place while its column may have more.
    #[inline]
    pub fn claim(&mut self, column: usize, category: u64) -> usize {
        let place = self.place(column, category);
        if place != FIXED * column || self.claimed[column] >= self.categories_max {
            return place;
        }
        self.give(column, category)
    }

    #[cold]
    fn give(&mut self, column: usize, category: u64) -> usize {
        // Places number as many as weights in memory: billions do not fit.
        let Ok(place) = u32::try_from(self.places) else {
            return FIXED * column;
        };
        let part = self.part(column, category);
        Arc::make_mut(&mut self.parts[part]).insert(category, place);
        self.claimed[column] += 1;
        self.places += 1;
        place as usize
    }

    /// `column` and `category` of each claimed place, in the order of the places.
    pub fn save(&self) -> TensorMap {
        let mut claims: Vec<(u32, u32, u64)> = Vec::with_capacity(self.places);
        for (part, places) in self.parts.iter().enumerate() {
            let column = (part >> self.parts_log) as u32;
            claims.extend(places.iter().map(|(category, place)| (*place, column, *category)));
        }
        claims.sort_unstable();
        let mut map = TensorMap::new();
        map.put_u32("column", &claims.iter().map(|claim| claim.1).collect::<Vec<_>>());
        map.put_u64("category", &claims.iter().map(|claim| claim.2).collect::<Vec<_>>());
        map
    }

    /// What [`OneHot::save`] wrote of `columns` columns.
    pub fn load(columns: usize, categories_max: usize, state: &TensorMap) -> Result<Self, StateError> {
        let (of, categories) = (state.u32s("column")?, state.u64s("category")?);
        if of.len() != categories.len() {
            let expected = format!("{} places, as many as \"column\" has", of.len());
            return Err(mismatch("category", format_args!("{} places", categories.len()), expected));
        }
        let mut one_hot = Self::new(columns, categories_max);
        for (column, category) in of.into_iter().zip(categories) {
            if column as usize >= columns {
                return Err(mismatch("column", column, format!("a number below {columns}")));
            }
            let place = one_hot.places;
            if one_hot.claim(column as usize, category) != place {
                let expected = format!("up to {categories_max} categories a column, each once, none missing");
                return Err(mismatch("category", format_args!("{category:#x} in column {column}"), expected));
            }
        }
        Ok(one_hot)
    }
}

/// Categories are hashes already.
#[derive(Debug, Clone, Copy, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("only u64 keys are hashed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn categories_get_places_in_the_order_in_which_they_are_learned() {
        let mut one_hot = OneHot::new(2, 8);
        assert_eq!(one_hot.places(), 4);
        assert_eq!([one_hot.claim(1, 77), one_hot.claim(0, 77), one_hot.claim(1, 5)], [4, 5, 6]);
        assert_eq!([one_hot.claim(1, 77), one_hot.place(1, 5)], [4, 6]);
        assert_eq!((one_hot.places(), one_hot.places_max()), (7, 20));
    }

    #[test]
    fn a_missing_value_and_an_unseen_category_have_places_of_their_own() {
        let mut one_hot = OneHot::new(2, 8);
        assert_eq!([one_hot.place(0, 9), one_hot.place(1, 9)], [0, 2]);
        assert_eq!([one_hot.place(0, MISSING), one_hot.claim(1, MISSING)], [1, 3]);
        assert_eq!(one_hot.places(), 4);
    }

    #[test]
    fn beyond_the_bound_categories_share_other() {
        let mut one_hot = OneHot::new(1, 2);
        assert_eq!([1, 2, 3, 4, 2].map(|category| one_hot.claim(0, category)), [2, 3, 0, 0, 3]);
        assert_eq!(one_hot.places(), one_hot.places_max());
        assert_eq!(OneHot::new(1, 0).claim(0, 5), 0);
    }

    #[test]
    fn a_clone_does_not_see_later_claims() {
        let mut one_hot = OneHot::new(2, 4);
        one_hot.claim(0, 1);
        let frozen = one_hot.clone();
        one_hot.claim(0, 2);
        assert_eq!([frozen.place(0, 1), frozen.place(0, 2), one_hot.place(0, 2)], [4, 0, 5]);
        assert!(Arc::ptr_eq(&frozen.parts[1], &one_hot.parts[1]), "an unchanged column is shared");
    }

    #[test]
    fn many_categories_are_in_parts_that_a_clone_shares() {
        let mut one_hot = OneHot::new(2, 10_000);
        let category = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (1..=9_000).for_each(|index| _ = one_hot.claim(1, category(index)));
        let frozen = one_hot.clone();
        let place = one_hot.claim(1, category(9_001));
        assert_eq!((place, one_hot.claimed(1), frozen.claimed(1)), (9_004, 9_001, 9_000));
        assert_eq!([frozen.place(1, category(9_001)), frozen.place(1, category(77))], [2, 80]);
        let differ = frozen.parts.iter().zip(&one_hot.parts).filter(|(a, b)| !Arc::ptr_eq(a, b));
        assert_eq!(differ.count(), 1);
        let largest = one_hot.parts.iter().map(|part| part.len()).max();
        assert!(largest < Some(2 * PART), "{largest:?}");
        assert_eq!(OneHot::load(2, 10_000, &one_hot.save()).unwrap(), one_hot);
    }

    #[test]
    fn a_state_that_no_encoder_can_have_is_refused() {
        let mut one_hot = OneHot::new(2, 4);
        (1..=4).for_each(|category| _ = one_hot.claim(1, category));
        let state = one_hot.save();
        let error = OneHot::load(1, 4, &state).unwrap_err().to_string();
        assert_eq!(error, "tensor \"column\" is 1, expected a number below 1");
        assert!(OneHot::load(2, 3, &state).is_err(), "more categories than the bound");
        for categories in [[1, 2, 3, 3], [1, 2, 3, MISSING]] {
            let mut state = state.clone();
            state.put_u64("category", &categories);
            assert!(OneHot::load(2, 4, &state).is_err(), "{categories:?}");
        }
        let mut state = state.clone();
        state.put_u64("category", &[1]);
        assert!(OneHot::load(2, 4, &state).is_err(), "tensors of different lengths");
    }

    proptest! {
        #[test]
        fn looking_up_changes_nothing_and_saving_keeps_everything(
            learned in prop::collection::vec((0..3_usize, 0..9_u64), 0..60),
            asked in prop::collection::vec((0..3_usize, any::<u64>()), 0..20),
        ) {
            let mut one_hot = OneHot::new(3, 4);
            learned.iter().for_each(|(column, category)| _ = one_hot.claim(*column, *category));
            let digest = one_hot.save().digest();
            prop_assert!(asked.iter().all(|(column, category)| one_hot.place(*column, *category) < one_hot.places()));
            prop_assert_eq!(one_hot.save().digest(), digest);
            let mut loaded = OneHot::load(3, 4, &one_hot.save()).unwrap();
            prop_assert_eq!(&loaded, &one_hot);
            for (column, category) in asked {
                prop_assert_eq!(loaded.claim(column, category), one_hot.claim(column, category));
            }
            prop_assert!(one_hot.places() <= one_hot.places_max());
        }
    }
}
