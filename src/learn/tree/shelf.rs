//! What a predictor holds of a learner's arrays, shared with earlier predictors where nothing changed.

use std::sync::Arc;

/// Items in a chunk.
const CHUNK: usize = 64;

/// An array in chunks. Cloning it clones a pointer a chunk.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Shelf<T> {
    len: usize,
    chunks: Vec<Arc<[T]>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { len: 0, chunks: Vec::new() }
    }
}

impl<T: Clone> Shelf<T> {
    pub fn new(items: Vec<T>) -> Self {
        Self { len: items.len(), chunks: items.chunks(CHUNK).map(Arc::from).collect() }
    }

    #[inline(always)]
    pub fn get(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes over what changed of as many items as there are marks, and takes the marks away. `replaced` is told of each
    /// item that is made anew, with the one that was in its place.
    pub fn update(
        &mut self,
        changed: &mut [bool],
        make: impl Fn(usize) -> T,
        mut replaced: impl FnMut(Option<&T>, &T),
    ) {
        let before = self.len;
        self.len = changed.len();
        self.chunks.truncate(self.len.div_ceil(CHUNK));
        for (index, marks) in changed.chunks_mut(CHUNK).enumerate() {
            let old = self.chunks.get(index);
            if old.is_some_and(|old| old.len() == marks.len()) && !marks.contains(&true) {
                continue;
            }
            let item = |within: usize| match old {
                Some(old) if !marks[within] && index * CHUNK + within < before => old[within].clone(),
                _ => {
                    let made = make(index * CHUNK + within);
                    replaced(old.and_then(|old| old.get(within)), &made);
                    made
                }
            };
            let chunk = (0..marks.len()).map(item).collect();
            match self.chunks.get_mut(index) {
                Some(place) => *place = chunk,
                None => self.chunks.push(chunk),
            }
            marks.fill(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_makes_what_changed_and_shares_the_rest() {
        let mut shelf = Shelf::default();
        let mut changed = vec![true; 3 * CHUNK];
        shelf.update(&mut changed, |index| index, |old, _| assert_eq!(old, None));
        assert!(shelf.iter().copied().eq(0..3 * CHUNK));
        let before = shelf.clone();
        changed[CHUNK + 5] = true;
        changed.extend([false, true]);
        let mut told = Vec::new();
        shelf.update(&mut changed, |index| index + 1_000, |old, new| told.push((old.copied(), *new)));
        let (first, second) = (3 * CHUNK + 1_000, 3 * CHUNK + 1_001);
        assert_eq!(told, [(Some(CHUNK + 5), 1_069), (None, first), (None, second)]);
        assert_eq!((shelf.len, changed.contains(&true)), (3 * CHUNK + 2, false));
        assert_eq!([CHUNK + 4, CHUNK + 5, 3 * CHUNK].map(|index| *shelf.get(index)), [68, 1_069, 1_192]);
        let shared: Vec<bool> =
            before.chunks.iter().zip(&shelf.chunks).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(shared, [true, false, true]);
        assert_eq!(*before.get(CHUNK + 5), CHUNK + 5);
        changed.truncate(CHUNK);
        shelf.update(&mut changed, |_| unreachable!("nothing changed"), |_, _| {});
        assert_eq!((shelf.len, shelf.iter().count()), (CHUNK, CHUNK));
    }
}
