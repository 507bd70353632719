//! The leaves of a tree, in flat arrays; what those of a regression do is in `values`.

use super::bins::{self, COLUMN};
use super::cells::{self, LANES, RUNS, Runs};
use super::functions::ln;
use super::growth::Growth;
use super::lines::Lines;
use super::row::{Row, VALUE_MAX};
use super::table::Table;
use super::vote::{UNSEEN, Watched, highest, normalise, shares};
use crate::config::LeafVote;
use crate::learn::counter::Counter;
use crate::learn::{Objective, Shape};

/// No place for observers.
pub(in crate::learn) const NO_SLOT: u32 = u32::MAX;

/// What is kept of a leaf beside its classes' weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::learn) struct Head {
    /// Weight of all examples, with what the parent passed on.
    pub total: f64,
    /// That weight at the last time a split was tried, or observers asked for.
    pub tried_at: f64,
    /// Weight of the examples that the majority class, and naive Bayes, told right before they were learned.
    pub majority_right: f64,
    pub bayes_right: f64,
    /// Where its observers are; none until its first example, or where memory is short.
    pub slot: u32,
    /// Whether observers were refused or taken away.
    pub dormant: bool,
}

/// An example as a tree learns it.
#[derive(Debug, Clone, Copy)]
pub(in crate::learn) struct Example<'a> {
    pub row: &'a Row,
    /// Of a classification.
    pub class: usize,
    /// Of a regression: the value to be met, within the bounds of [`Row`]'s values.
    pub target: f32,
    /// Above zero.
    pub weight: f32,
}

impl<'a> Example<'a> {
    #[inline(always)]
    pub fn new(row: &'a Row, target: f32, weight: f32) -> Self {
        Self { row, class: target as usize, target: target.clamp(-VALUE_MAX, VALUE_MAX), weight }
    }
}

/// Room for one example in work.
#[derive(Debug, Clone, Default)]
pub(in crate::learn) struct Scratch {
    pub xs: Vec<f32>,
    pub scores: Vec<f32>,
}

/// How the columns that a leaf watches are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::learn) enum Draw {
    /// For each leaf anew.
    Leaf,
    /// Once for the whole tree.
    Tree,
}

/// Sizes that all leaves of a tree share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::learn) struct LeafShape {
    /// Numbers of a leaf: the weights of its classes, or weight, mean and squared deviations of its values.
    pub numbers: usize,
    pub numeric: usize,
    pub categorical: usize,
    /// Columns that a leaf watches.
    pub watched: usize,
    pub draw: Draw,
    /// A regression.
    pub is_value: bool,
    /// Bytes that others keep for each leaf.
    pub kept_bytes: usize,
}

impl LeafShape {
    /// Of leaves that watch so many columns.
    pub fn new(shape: &Shape, watched: usize, draw: Draw) -> Self {
        Self {
            numbers: Self::numbers_of(shape.objective),
            numeric: shape.numeric,
            categorical: shape.categorical,
            watched,
            draw,
            is_value: shape.objective == Objective::Regress,
            kept_bytes: 0,
        }
    }

    pub fn numbers_of(objective: Objective) -> usize {
        match objective {
            Objective::Classify { classes } => classes,
            Objective::Regress => 3,
        }
    }

    /// Weight of a leaf's examples, from its numbers.
    pub fn total(self, numbers: &[f64]) -> f64 {
        if self.is_value { numbers[0] } else { numbers.iter().sum() }
    }

    /// Numeric places of a leaf's observers.
    pub fn width(self) -> usize {
        self.watched.min(self.numeric).next_multiple_of(LANES)
    }

    fn stride(self) -> usize {
        RUNS * self.width()
    }

    /// Numbers in the cells of a leaf.
    pub fn block(self) -> usize {
        if self.is_value { COLUMN * self.width() } else { self.numbers * self.stride() }
    }

    /// Bytes that a leaf's observers take, categories not counted.
    pub fn slot_bytes(self) -> usize {
        let tables = self.watched.min(self.categorical) * (size_of::<Table>() + 8 * self.numbers);
        4 * (self.width() + self.block()) + tables
    }

    /// Bytes that a leaf takes beside its observers, its node included.
    pub fn leaf_bytes(self) -> usize {
        let line = if self.is_value { 4 * (self.numeric + 1) } else { 0 };
        size_of::<Head>() + 24 + self.numbers * 12 + line + self.kept_bytes
    }
}

#[derive(Debug, Clone)]
pub(in crate::learn) struct Leaves {
    pub shape: LeafShape,
    pub heads: Vec<Head>,
    /// `[leaves, numbers]`, and logarithms of the weights of classes.
    pub weights: Vec<f64>,
    pub logs: Vec<f32>,
    /// Which changed since the last publish.
    pub changed: Vec<bool>,
    /// `[slots, width]`: the numeric columns that a leaf watches; beyond their number: the row's 0.
    pub columns: Vec<u32>,
    /// `[slots, classes, RUNS, width]`, of a regression `[slots, width, COLUMN]`.
    pub cells: Vec<f32>,
    /// `[slots]`: one a watched categorical column.
    pub tables: Vec<Vec<Table>>,
    pub free: Vec<u32>,
    /// Observers handed out so far.
    pub births: u64,
    /// Of the columns that leaves draw.
    pub seed: u64,
    pub table_bytes: usize,
    /// Of a regression.
    pub lines: Lines,
}

impl Leaves {
    pub fn new(shape: LeafShape, seed: u64) -> Self {
        Self {
            shape,
            heads: Vec::new(),
            weights: Vec::new(),
            logs: Vec::new(),
            changed: Vec::new(),
            columns: Vec::new(),
            cells: Vec::new(),
            tables: Vec::new(),
            free: Vec::new(),
            births: 0,
            seed,
            table_bytes: 0,
            lines: if shape.is_value { Lines::new(shape.numeric) } else { Lines::default() },
        }
    }

    /// A new leaf with numbers from its parent, `[numbers]`.
    pub fn push(&mut self, weights: &[f64]) -> usize {
        let total = self.shape.total(weights);
        self.heads.push(Head {
            total,
            tried_at: total,
            majority_right: 0.0,
            bayes_right: 0.0,
            slot: NO_SLOT,
            dormant: false,
        });
        self.weights.extend_from_slice(weights);
        self.logs.extend(weights.iter().map(|weight| log_weight(*weight)));
        self.changed.push(true);
        self.lines.push();
        self.heads.len() - 1
    }

    /// Makes leaf `leaf` as [`Leaves::push`] would.
    pub fn renew(&mut self, leaf: usize, weights: &[f64]) {
        self.release(leaf);
        self.push(weights);
        let classes = self.shape.numbers;
        let last = self.heads.len() - 1;
        self.heads.swap_remove(leaf);
        self.weights.copy_within(last * classes.., leaf * classes);
        self.weights.truncate(last * classes);
        self.logs.copy_within(last * classes.., leaf * classes);
        self.logs.truncate(last * classes);
        self.changed.pop();
        self.changed[leaf] = true;
        self.lines.swap_remove(leaf);
    }

    pub fn weights(&self, leaf: usize) -> &[f64] {
        &self.weights[leaf * self.shape.numbers..(leaf + 1) * self.shape.numbers]
    }

    /// Bytes of leaves and observers, nodes included.
    pub fn bytes(&self) -> usize {
        let used = self.tables.len() - self.free.len();
        self.heads.len() * self.shape.leaf_bytes() + used * self.shape.slot_bytes() + self.table_bytes
    }

    /// How much a leaf could gain from a split: the weight of what is not of its majority class, or the squared
    /// deviations of its values.
    fn promise(&self, leaf: usize) -> f64 {
        let weights = self.weights(leaf);
        if self.shape.is_value {
            return weights[2];
        }
        self.heads[leaf].total - weights[highest(weights)]
    }

    /// Gives a leaf its observers, if memory allows, or a leaf that promises less can do without.
    pub fn watch(&mut self, leaf: usize, growth: &Growth) {
        if self.bytes() + self.shape.slot_bytes() > growth.memory_bytes_max {
            let promise = self.promise(leaf);
            let watching = (0..self.heads.len()).filter(|other| self.heads[*other].slot != NO_SLOT);
            let least = watching.map(|other| (self.promise(other), other)).min_by(|a, b| a.0.total_cmp(&b.0));
            match least {
                Some((least, other)) if least < promise => {
                    self.release(other);
                    self.heads[other].dormant = true;
                    self.changed[other] = true;
                }
                _ => {
                    self.heads[leaf].dormant = true;
                    self.heads[leaf].tried_at = self.heads[leaf].total;
                    return;
                }
            }
        }
        let slot = self.slot();
        self.births += 1;
        self.clear(slot);
        let head = &mut self.heads[leaf];
        head.slot = slot as u32;
        head.dormant = false;
        if !self.shape.is_value {
            (head.majority_right, head.bayes_right) = (0.0, 0.0);
        }
    }

    fn slot(&mut self) -> usize {
        if let Some(slot) = self.free.pop() {
            return slot as usize;
        }
        let slot = self.tables.len();
        self.columns.resize((slot + 1) * self.shape.width(), 0);
        self.cells.resize((slot + 1) * self.shape.block(), 0.0);
        if self.shape.is_value {
            self.lines.centres.push(0.0);
        }
        self.tables.push(Vec::new());
        slot
    }

    /// Takes a leaf's observers away.
    pub fn release(&mut self, leaf: usize) {
        let slot = std::mem::replace(&mut self.heads[leaf].slot, NO_SLOT);
        if slot != NO_SLOT {
            let tables = std::mem::take(&mut self.tables[slot as usize]);
            self.table_bytes -= tables.iter().map(Table::bytes).sum::<usize>();
            self.free.push(slot);
        }
    }

    /// Empties the observers and draws the columns that they watch.
    fn clear(&mut self, slot: usize) {
        let LeafShape { numbers, numeric, categorical, watched, .. } = self.shape;
        let (width, stride, block) = (self.shape.width(), self.shape.stride(), self.shape.block());
        let cells = &mut self.cells[slot * block..(slot + 1) * block];
        if self.shape.is_value {
            cells.chunks_exact_mut(COLUMN).for_each(bins::clear);
        } else if stride > 0 {
            cells.chunks_exact_mut(stride).for_each(|cells| cells::clear(cells, width));
        }
        let mut drawn: Vec<u32> = (0..(numeric + categorical) as u32).collect();
        if watched < drawn.len() {
            let births = if self.shape.draw == Draw::Tree { 0 } else { self.births };
            let random = Counter::new(self.seed, births);
            for index in 0..watched {
                let left = (drawn.len() - index) as u64;
                drawn.swap(index, index + random.below(index as u64, left) as usize);
            }
            drawn.truncate(watched);
            drawn.sort_unstable();
        }
        let split = drawn.partition_point(|column| (*column as usize) < numeric);
        let columns = &mut self.columns[slot * width..(slot + 1) * width];
        columns.fill(numeric as u32);
        columns[..split].copy_from_slice(&drawn[..split]);
        self.tables[slot] =
            drawn[split..].iter().map(|column| Table::new(column - numeric as u32, numbers)).collect();
    }

    pub fn watched(&self, leaf: usize) -> Option<Watched<'_>> {
        let slot = self.heads[leaf].slot as usize;
        let LeafShape { numbers, .. } = self.shape;
        let (width, stride, block) = (self.shape.width(), self.shape.stride(), self.shape.block());
        (slot != NO_SLOT as usize).then(|| Watched {
            columns: &self.columns[slot * width..(slot + 1) * width],
            cells: &self.cells[slot * block..(slot + 1) * block],
            stride,
            tables: &self.tables[slot],
            logs: &self.logs[leaf * numbers..(leaf + 1) * numbers],
        })
    }

    /// The numeric observers of a leaf that has some, class by class.
    pub fn runs(&self, leaf: usize) -> Vec<Runs<'_>> {
        let watched = self.watched(leaf).expect("the leaf has observers");
        let width = self.shape.width();
        let blocks =
            (0..self.shape.numbers).map(|class| &watched.cells[class * watched.stride..][..watched.stride]);
        blocks.map(|block| Runs::new(block, width)).collect()
    }

    /// Whether naive Bayes answers for a leaf.
    #[inline(always)]
    pub fn is_bayes(&self, leaf: usize, vote: LeafVote) -> bool {
        let head = &self.heads[leaf];
        head.slot != NO_SLOT
            && match vote {
                LeafVote::Majority => false,
                LeafVote::NaiveBayes => true,
                LeafVote::Adaptive => head.bayes_right >= head.majority_right,
            }
    }

    #[inline]
    pub fn predict(&self, leaf: usize, row: &Row, vote: LeafVote, scratch: &mut Scratch, out: &mut [f32]) {
        if self.shape.is_value {
            out[0] = self.predict_value(leaf, row, vote, scratch);
            return;
        }
        if self.is_bayes(leaf, vote)
            && let Some(watched) = self.watched(leaf)
        {
            scratch.scores.resize(out.len(), 0.0);
            watched.gather(row, &mut scratch.xs);
            watched.score(row, &scratch.xs, &mut scratch.scores);
            normalise(&scratch.scores, out);
        } else {
            shares(self.weights(leaf), out);
        }
    }

    /// Predicts into `out`, then learns. Says whether a split should be tried.
    #[inline]
    pub fn learn(
        &mut self,
        leaf: usize,
        example: Example<'_>,
        growth: &Growth,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> bool {
        if self.shape.is_value {
            return self.learn_value(leaf, example, growth, scratch, out);
        }
        let Example { row, class, weight, .. } = example;
        let classes = self.shape.numbers;
        // Before observers are given out: empty ones have no say in this prediction.
        let bayes = self.is_bayes(leaf, growth.vote);
        let head = self.heads[leaf];
        let waited = head.total - head.tried_at;
        if head.slot == NO_SLOT && (!head.dormant || waited >= growth.grace_period) {
            self.watch(leaf, growth);
        }
        let exact = f64::from(weight);
        if let Some(watched) = self.watched(leaf) {
            watched.gather(row, &mut scratch.xs);
            if growth.vote != LeafVote::Majority {
                scratch.scores.resize(classes, 0.0);
                watched.score(row, &scratch.xs, &mut scratch.scores);
                let right = highest(&scratch.scores) == class && head.total > 0.0;
                if bayes {
                    normalise(&scratch.scores, out);
                }
                self.heads[leaf].bayes_right += if right { exact } else { 0.0 };
            }
            let slot = self.heads[leaf].slot as usize;
            let stride = self.shape.stride();
            let at = (slot * classes + class) * stride;
            cells::observe(&scratch.xs, &mut self.cells[at..at + stride], self.shape.width(), weight);
            if !self.tables[slot].is_empty() {
                self.observe_categories(slot, row, growth, |table, category, categories_max| {
                    table.observe(category, class, weight, categories_max)
                });
            }
        }
        let weights = &mut self.weights[leaf * classes..(leaf + 1) * classes];
        if !bayes {
            shares(weights, out);
        }
        let head = &mut self.heads[leaf];
        if head.total == 0.0 || highest(weights) == class {
            head.majority_right += exact;
        }
        weights[class] += exact;
        self.logs[leaf * classes + class] = log_weight(weights[class]);
        head.total += exact;
        self.changed[leaf] = true;
        head.slot != NO_SLOT && head.total - head.tried_at >= growth.grace_period
    }

    /// Has every table of a slot observe its category: `observe` gets the most that there may be.
    #[inline]
    pub fn observe_categories(
        &mut self,
        slot: usize,
        row: &Row,
        growth: &Growth,
        observe: impl Fn(&mut Table, u64, usize) -> bool,
    ) {
        let bytes = Table::category_bytes(self.shape.numbers);
        let mut room = growth.memory_bytes_max.saturating_sub(self.bytes()) / bytes;
        for table in &mut self.tables[slot] {
            let categories_max = if room > 0 { growth.categories_max } else { 0 };
            if observe(table, row.categorical[table.column as usize], categories_max) {
                self.table_bytes += bytes;
                room -= 1;
            }
        }
    }
}

pub(in crate::learn) fn log_weight(weight: f64) -> f32 {
    let weight = weight as f32;
    if weight > f32::MIN_POSITIVE { ln(weight) } else { UNSEEN }
}
