//! What a leaf of a regression tree says and learns.
//!
//! Of its three numbers ([`Leaves::weights`]) the first is the weight of its examples, the others are the mean of their
//! targets and the sum of squared deviations from it. `majority_right` and `bayes_right` of its head are the squared
//! errors of mean and line, fading.

use super::bins::{self, COLUMN};
use super::growth::Growth;
use super::leaves::{Example, Head, Leaves, NO_SLOT, Scratch};
use super::lines::{self, Moments};
use super::row::Row;
use crate::config::LeafVote;

/// By how much an error of weight one counts beside all earlier ones (FIMT-DD fades by 0.995).
const FADING: f64 = 0.005;

impl Leaves {
    /// Whether a leaf answers with its line.
    #[inline(always)]
    pub fn is_line(&self, leaf: usize, vote: LeafVote) -> bool {
        let head = &self.heads[leaf];
        match vote {
            LeafVote::Majority => false,
            LeafVote::NaiveBayes => head.total > 0.0,
            LeafVote::Adaptive => head.total > 0.0 && head.bayes_right <= head.majority_right,
        }
    }

    pub fn predict_value(&self, leaf: usize, row: &Row, vote: LeafVote, scratch: &mut Scratch) -> f32 {
        if self.is_line(leaf, vote) {
            lines::standardise(row, &self.lines.scale.plain, &mut scratch.xs);
            return lines::say(self.lines.of(leaf), &scratch.xs, &self.lines.scale.plain);
        }
        self.weights(leaf)[1] as f32
    }

    /// Predicts into `out`, then learns. Says whether a split should be tried.
    pub fn learn_value(
        &mut self,
        leaf: usize,
        example: Example<'_>,
        growth: &Growth,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> bool {
        let Example { row, target, weight, .. } = example;
        let exact = f64::from(weight);
        let plain = &self.lines.scale.plain;
        lines::standardise(row, plain, &mut scratch.xs);
        // Before the first target there are no bounds, and nothing to be off by.
        let begun = self.lines.scale.target.weight > 0.0;
        let line = if begun { lines::say(self.lines.of(leaf), &scratch.xs, plain) } else { target };
        let mean = self.weights(leaf)[1];
        out[0] = if self.is_line(leaf, growth.vote) { line } else { mean as f32 };

        let head = self.heads[leaf];
        if head.slot == NO_SLOT && (!head.dormant || head.total - head.tried_at >= growth.grace_period) {
            self.watch(leaf, growth);
            let slot = self.heads[leaf].slot;
            if slot != NO_SLOT {
                let centre = if head.total > 0.0 { mean as f32 } else { target };
                self.lines.centres[slot as usize] = centre;
            }
        }
        let slot = self.heads[leaf].slot;
        if slot != NO_SLOT {
            self.observe_value(slot as usize, example, growth);
        }

        let head = &mut self.heads[leaf];
        if head.total > 0.0 {
            let fade = (FADING * exact).min(1.0);
            for (faded, said) in [(&mut head.majority_right, mean), (&mut head.bayes_right, f64::from(line))]
            {
                let error = f64::from(target) - said;
                *faded += fade * (error * error - *faded);
            }
        }
        let numbers = &mut self.weights[leaf * 3..leaf * 3 + 3];
        let mut moments = Moments { weight: numbers[0], mean: numbers[1], squares: numbers[2] };
        moments.add(f64::from(target), exact);
        numbers.copy_from_slice(&[moments.weight, moments.mean, moments.squares]);
        let head = &mut self.heads[leaf];
        head.total += exact;
        let width = self.lines.width;
        let own = &mut self.lines.weights[leaf * width..(leaf + 1) * width];
        if begun {
            lines::step(own, &scratch.xs, target - line, weight);
        } else {
            own[width - 1] = target;
        }
        self.lines.scale.observe(row, target, exact);
        self.changed[leaf] = true;
        head.slot != NO_SLOT && head.total - head.tried_at >= growth.grace_period
    }

    /// Gives a leaf what its parent knew: the line, and how good line and mean have been.
    pub fn inherit(&mut self, leaf: usize, parent: &Head, line: &[f32]) {
        self.lines.copy_from(leaf, line);
        let head = &mut self.heads[leaf];
        (head.majority_right, head.bayes_right) = (parent.majority_right, parent.bayes_right);
    }

    fn observe_value(&mut self, slot: usize, example: Example<'_>, growth: &Growth) {
        let Example { row, target, weight, .. } = example;
        let moments = bins::moments(target - self.lines.centres[slot], weight);
        let width = self.shape.width();
        let columns = &self.columns[slot * width..(slot + 1) * width];
        let block = self.shape.block();
        let blocks = self.cells[slot * block..(slot + 1) * block].chunks_exact_mut(COLUMN);
        for (column, block) in columns.iter().zip(blocks) {
            let value = row.numeric[*column as usize];
            // Places that watch no column are not looked at.
            if (*column as usize) < self.shape.numeric && !value.is_nan() {
                bins::observe(block, value, moments);
            }
        }
        if !self.tables[slot].is_empty() {
            self.observe_categories(slot, row, growth, |table, category, categories_max| {
                table.observe_value(category, moments, categories_max)
            });
        }
    }
}
