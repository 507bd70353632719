use super::counts::Counts;
use super::normal::Density;
use crate::learn::{Objective, Predictions};
use crate::schema::Rows;

/// Priors and likelihoods: what a prediction follows from, for learner and predictor alike.
pub(super) struct Posterior<'a> {
    /// Importance of each class's examples.
    pub seen: &'a [f64],
    pub density: &'a Density,
    pub counts: &'a Counts,
}

impl Posterior<'_> {
    pub fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let classes = self.seen.len();
        out.reset(Objective::Classify { classes }.outputs(), rows.len());
        let mut scores = vec![0.0; classes];
        for row in 0..rows.len() {
            self.respond(rows.numeric_row(row), rows.categorical_row(row), &mut scores, out.row_mut(row));
        }
    }

    /// The prediction for a row, into `out`; `scores` is room for one number a class. A class that was never seen has
    /// only what is spread over all: as much as one example of as many as were seen.
    #[inline]
    pub fn respond(&self, numeric: &[f32], categorical: &[u64], scores: &mut [f64], out: &mut [f32]) {
        scores.fill(0.0);
        self.density.score(numeric, scores);
        self.counts.score(categorical, scores);
        let mut highest = f64::NEG_INFINITY;
        for (score, seen) in scores.iter_mut().zip(self.seen) {
            *score = if *seen > 0.0 { *score + libm::log(*seen) } else { f64::NEG_INFINITY };
            highest = highest.max(*score);
        }
        let (all, classes) = (self.seen.iter().sum::<f64>(), scores.len() as f64);
        if all == 0.0 {
            out.fill(1.0 / scores.len() as f32);
            return;
        }
        let mut total = 0.0;
        for score in &mut *scores {
            *score = libm::exp(*score - highest);
            total += *score;
        }
        for (out, score) in out.iter_mut().zip(scores) {
            *out = ((*score / total * all + 1.0 / classes) / (all + 1.0)) as f32;
        }
    }
}
