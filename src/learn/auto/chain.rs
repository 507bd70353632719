//! What the labels before tell of the next by themselves: their shares, what came after the last label, and what comes a
//! period after one. Of values: the values themselves.

use super::labels::LAGS;
use super::scores::{self, SURE, floats, ln};
use crate::learn::Objective;
use crate::state::{StateError, TensorMap};

/// Opinions: by shares, by the last label, by the label of a period ago.
pub(super) const OPINIONS: usize = 3;

/// The most classes of which pairs are counted.
const CLASSES_MAX: usize = 64;

/// How much of a count is left after the next example of its row.
const KEEP: f32 = 0.998;

#[derive(Debug, Clone)]
pub(super) struct Chain {
    objective: Objective,
    /// Of a regression 0.
    classes: usize,
    /// `[1 + 2 * classes, classes]`: of all, after each label, a period after each.
    counts: Vec<f32>,
}

impl Chain {
    pub fn new(objective: Objective) -> Self {
        let classes = match objective {
            Objective::Classify { classes } => classes,
            Objective::Regress => 0,
        };
        let rows = if classes <= CLASSES_MAX { 1 + 2 * classes } else { 1 };
        Self { objective, classes, counts: vec![0.0; rows * classes] }
    }

    fn row(&self, labels: &[f32], opinion: usize) -> usize {
        let label = match opinion {
            1 => labels[0],
            2 => labels[LAGS - 1],
            _ => return 0,
        };
        if label.is_nan() || self.classes > CLASSES_MAX || label as usize >= self.classes {
            return 0;
        }
        1 + (opinion - 1) * self.classes + label as usize
    }

    /// The opinions, `[OPINIONS, scores]`, after `labels`, `[LAGS]`; standardised values of a regression.
    pub fn forward(&self, labels: &[f32], out: &mut [f32]) {
        if self.objective == Objective::Regress {
            (out[0], out[1], out[2]) = (0.0, labels[0], labels[LAGS - 1]);
            out.iter_mut().for_each(|out| *out = if out.is_nan() { 0.0 } else { *out });
            return;
        }
        let scores = scores::scores(self.objective);
        for (opinion, out) in out.chunks_exact_mut(scores).enumerate() {
            let row = self.row(labels, opinion);
            let counts = &self.counts[row * self.classes..(row + 1) * self.classes];
            if let [score] = out {
                *score = (ln(counts[1] + 0.5) - ln(counts[0] + 0.5)).clamp(-SURE, SURE);
                continue;
            }
            for (out, count) in out.iter_mut().zip(counts) {
                *out = ln(count + 0.5);
            }
            let middle = out.iter().sum::<f32>() / out.len() as f32;
            out.iter_mut().for_each(|out| *out = (*out - middle).clamp(-SURE, SURE));
        }
    }

    pub fn learn(&mut self, labels: &[f32], target: f32, importance: f32) {
        if self.classes == 0 {
            return;
        }
        let rows = [0, self.row(labels, 1), self.row(labels, 2)];
        for (_, row) in rows.into_iter().enumerate().filter(|(opinion, row)| *opinion == 0 || *row > 0) {
            let counts = &mut self.counts[row * self.classes..(row + 1) * self.classes];
            counts.iter_mut().for_each(|count| *count *= KEEP);
            counts[target as usize] += importance.min(8.0);
        }
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("counts", &self.counts);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let counts = floats(state, "counts", self.counts.len())?;
        self.counts = crate::state::at_least(counts, 0.0, "counts")?;
        Ok(())
    }
}
