use std::sync::Arc;

use super::forward::CategoryWeights;

/// Places in a chunk.
const CHUNK: usize = 256;

/// Category weights of a predictor, in chunks shared with earlier predictors where nothing changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunks {
    scores: usize,
    chunks: Vec<Arc<[f32]>>,
}

impl Chunks {
    /// All of `weights`, `[places, scores]`.
    pub fn new(scores: usize, weights: &[f32]) -> Self {
        let chunks = weights.chunks(CHUNK * scores).map(Arc::from).collect();
        Self { scores, chunks }
    }

    /// Takes over what changed in `weights`, `[places, scores]`, and marks it as taken.
    fn update(&mut self, weights: &[f32], changed: &mut [bool]) {
        for (index, chunk) in weights.chunks(CHUNK * self.scores).enumerate() {
            if index >= self.chunks.len() {
                self.chunks.push(chunk.into());
            } else if changed[index] {
                self.chunks[index] = chunk.into();
            }
            changed[index] = false;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = f32> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().copied())
    }
}

impl CategoryWeights for Chunks {
    #[inline(always)]
    fn of(&self, place: usize) -> &[f32] {
        let start = place % CHUNK * self.scores;
        &self.chunks[place / CHUNK][start..start + self.scores]
    }
}

/// Category weights of a learner: flat, with the chunks that changed since the last publish marked.
#[derive(Debug, Clone)]
pub(super) struct Flat {
    scores: usize,
    weights: Vec<f32>,
    changed: Vec<bool>,
    published: Chunks,
}

impl Flat {
    pub fn new(scores: usize, weights: Vec<f32>) -> Self {
        let published = Chunks { scores, chunks: Vec::new() };
        let chunks = weights.len().div_ceil(CHUNK * scores);
        Self { scores, weights, changed: vec![true; chunks], published }
    }

    pub fn all(&self) -> &[f32] {
        &self.weights
    }

    /// Makes room for `places` places, not fewer than there are, new ones at 0.
    pub fn grow(&mut self, places: usize) {
        let last = self.weights.len() / self.scores / CHUNK;
        self.weights.resize(places * self.scores, 0.0);
        self.changed.resize(places.div_ceil(CHUNK), true);
        if let Some(last) = self.changed.get_mut(last) {
            *last = true;
        }
    }

    #[inline(always)]
    pub fn change(&mut self, place: usize) -> &mut [f32] {
        self.changed[place / CHUNK] = true;
        &mut self.weights[place * self.scores..(place + 1) * self.scores]
    }

    pub fn publish(&mut self) -> Chunks {
        self.published.update(&self.weights, &mut self.changed);
        self.published.clone()
    }
}

impl CategoryWeights for Flat {
    #[inline(always)]
    fn of(&self, place: usize) -> &[f32] {
        &self.weights[place * self.scores..(place + 1) * self.scores]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_copies_the_chunks_that_changed_and_shares_the_rest() {
        let mut flat = Flat::new(2, vec![0.0; 3 * CHUNK * 2]);
        let before = flat.publish();
        flat.change(CHUNK + 5)[1] = 7.0;
        let after = flat.publish();
        assert_eq!(
            (before.of(CHUNK + 5), after.of(CHUNK + 5)),
            ([0.0, 0.0].as_slice(), [0.0, 7.0].as_slice())
        );
        let shared: Vec<bool> =
            before.chunks.iter().zip(&after.chunks).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(shared, [true, false, true]);
    }

    #[test]
    fn new_places_appear_in_the_next_publish() {
        let mut flat = Flat::new(1, vec![1.0; CHUNK - 1]);
        let before = flat.publish();
        flat.grow(CHUNK + 1);
        flat.change(CHUNK)[0] = 3.0;
        let after = flat.publish();
        assert_eq!(before.iter().count(), CHUNK - 1);
        assert_eq!(after.iter().collect::<Vec<_>>(), flat.all());
        assert_eq!((after.of(CHUNK - 1), after.of(CHUNK)), ([0.0].as_slice(), [3.0].as_slice()));
    }
}
