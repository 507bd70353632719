//! A tree that grows: the Hoeffding tree (Domingos and Hulten, "Mining high-speed data streams", KDD
//! 2000) with the leaves of Gama, Rocha and Medas ("Accurate decision trees for mining high-speed data streams", KDD
//! 2003) and of Holmes, Kirkby and Pfahringer ("Stress-testing Hoeffding trees", PKDD 2005);
//! and for values, with tests that reduce the variance, FIMT-DD (Ikonomovska, Gama and Džeroski, "Learning model trees
//! from evolving data streams", Data Mining and Knowledge Discovery 23, 2011).

use super::growth::Growth;
use super::leaves::{Example, LeafShape, Leaves, Scratch};
use super::nodes::{Node, Nodes, Test};
use super::row::Row;
use super::splits::{self, Candidate, Cut};
use super::table::Table;
use super::variance;
use super::vote::highest;
use crate::config::NominalSplit;

/// A tree, its nodes and leaves in flat arrays; node 0 is the root.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Tree {
    pub nodes: Nodes,
    pub leaves: Leaves,
}

impl Tree {
    /// One leaf that has seen nothing.
    pub fn new(shape: LeafShape, seed: u64) -> Self {
        let mut tree = Self { nodes: Nodes::default(), leaves: Leaves::new(shape, seed) };
        tree.sprout();
        tree
    }

    /// A new node that is a leaf which has seen nothing.
    pub fn sprout(&mut self) -> u32 {
        let leaf = self.leaves.push(&vec![0.0; self.leaves.shape.numbers]);
        self.nodes.push(Node::leaf(leaf))
    }

    /// Marks all as changed, so that the next publish takes everything.
    pub fn touch(&mut self) {
        self.nodes.changed.fill(true);
        self.leaves.changed.fill(true);
    }

    /// The leaf that is at node `at`.
    #[inline(always)]
    pub fn leaf(&self, at: u32) -> usize {
        self.nodes.all[at as usize].first as usize
    }

    #[inline]
    pub fn predict(&self, row: &Row, growth: &Growth, scratch: &mut Scratch, out: &mut [f32]) {
        let leaf = self.leaf(self.nodes.descend(0, row));
        self.leaves.predict(leaf, row, growth.vote, scratch, out);
    }

    /// How wrong a prediction was: from 0 to 1; of a value, its distance beside the deviation of all targets.
    #[inline]
    pub fn error(&self, example: Example<'_>, out: &[f32]) -> f64 {
        if !self.leaves.shape.is_value {
            return f64::from(u8::from(highest(out) != example.class));
        }
        let distance = (f64::from(example.target) - f64::from(out[0])).abs();
        let all = distance + self.leaves.lines.scale.target.deviation();
        if all > 0.0 { distance / all } else { 0.0 }
    }

    /// Predicts into `out`, then learns.
    #[inline]
    pub fn learn(&mut self, example: Example<'_>, growth: &Growth, scratch: &mut Scratch, out: &mut [f32]) {
        let at = self.nodes.descend(0, example.row);
        self.learn_at(at, example, growth, scratch, out);
    }

    /// As [`Tree::learn`], for a row that reaches the leaf at node `at`.
    #[inline]
    pub fn learn_at(
        &mut self,
        at: u32,
        example: Example<'_>,
        growth: &Growth,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let leaf = self.leaf(at);
        if self.leaves.learn(leaf, example, growth, scratch, out) {
            self.try_split(at, growth);
        }
    }

    /// Splits the leaf at node `at` if its best test is better than that of any other column by more than chance allows,
    /// or if chance no longer matters.
    fn try_split(&mut self, at: u32, growth: &Growth) {
        let leaf = self.leaf(at);
        let head = &mut self.leaves.heads[leaf];
        head.tried_at = head.total;
        let total = head.total;
        if self.leaves.shape.is_value {
            return self.try_split_values(at, growth);
        }
        let weights = self.leaves.weights(leaf);
        let seen = weights.iter().filter(|weight| **weight > 0.0).count();
        if seen < 2 {
            return;
        }
        let before = splits::entropy(weights.iter().map(|weight| *weight as f32));
        let bound = growth.bound(libm::log2(seen as f64), total);
        let is_tie = bound < growth.tie_threshold;
        let (best, second) = self.best_two(leaf, before, growth);
        let Some(cut) = best.cut else { return };
        // Without a rival, the best has to be better than no test.
        let rival = if second.cut.is_some() { second.merit } else { 0.0 };
        let is_sure = f64::from(best.merit - rival) > bound;
        if is_sure || is_tie {
            self.split(at, cut, growth);
        }
    }

    /// As [`Tree::try_split`] of a regression: the second best column must be worse by its share of the merit.
    fn try_split_values(&mut self, at: u32, growth: &Growth) {
        /// Weight times merit that the best of many tests of columns that mean nothing may have.
        const CHANCE: f64 = 12.0;
        let leaf = self.leaf(at);
        let total = self.leaves.heads[leaf].total;
        let watched = self.leaves.watched(leaf).expect("a leaf that is to split has observers");
        let fan = growth.nominal_split == NominalSplit::Multiway;
        let candidates = variance::candidates(&watched, self.leaves.shape.numeric, fan);
        let (best, second) = best_two(candidates.into_iter());
        let Some(cut) = best.cut else { return };
        let bound = growth.bound(1.0, total);
        let (merit, rival) = (f64::from(best.merit), f64::from(second.merit.max(0.0)));
        if merit * total > CHANCE && (rival < merit * (1.0 - bound) || bound < growth.tie_threshold) {
            self.split(at, cut, growth);
        }
    }

    /// The best tests of the two best columns.
    fn best_two(&self, leaf: usize, before: f32, growth: &Growth) -> (Candidate, Candidate) {
        let watched = self.leaves.watched(leaf).expect("a leaf that is to split has observers");
        let runs = self.leaves.runs(leaf);
        let columns = watched.columns.iter().enumerate();
        let numeric = columns.filter(|(_, column)| (**column as usize) < self.leaves.shape.numeric);
        let numeric = numeric.map(|(place, _)| splits::numeric(&runs, place, before));
        let fan = growth.nominal_split == NominalSplit::Multiway;
        let nominal = watched.tables.iter().enumerate();
        let nominal = nominal.map(|(index, table)| splits::nominal(table, index, before, fan));
        best_two(numeric.chain(nominal))
    }

    /// Puts the test of a cut in the place of the leaf at node `at`, unless memory is short.
    fn split(&mut self, at: u32, cut: Cut, growth: &Growth) {
        let leaf = self.leaf(at);
        let watched = self.leaves.watched(leaf).expect("a leaf that splits has observers");
        let LeafShape { numbers, is_value, .. } = self.leaves.shape;
        let weights = if is_value {
            let slot = self.leaves.heads[leaf].slot as usize;
            variance::children(cut, &watched, self.leaves.lines.centres[slot])
        } else {
            splits::children(cut, &self.leaves.runs(leaf), watched.tables)
        };
        let children = weights.len() / numbers;
        if self.leaves.bytes() + (children - 1) * self.leaves.shape.leaf_bytes() > growth.memory_bytes_max {
            return;
        }
        let shape = self.leaves.shape;
        let halves = weights.split_at(weights.len() / 2);
        let missing_first = shape.total(halves.0) >= shape.total(halves.1);
        let test = test(cut, watched.columns, watched.tables, missing_first);
        debug_assert_eq!(test.children(), children);
        let first = self.nodes.all.len() as u32;
        let (head, line) = (self.leaves.heads[leaf], self.leaves.lines.of(leaf).to_vec());
        for (child, weights) in weights.chunks_exact(numbers).enumerate() {
            let leaf = if child == 0 {
                self.leaves.renew(leaf, weights);
                leaf
            } else {
                self.leaves.push(weights)
            };
            if is_value {
                self.leaves.inherit(leaf, &head, &line);
            }
            self.nodes.push(Node::leaf(leaf));
        }
        self.nodes.set_test(at, &test, first);
    }
}

fn best_two(candidates: impl Iterator<Item = Candidate>) -> (Candidate, Candidate) {
    let (mut best, mut second) = (Candidate::NONE, Candidate::NONE);
    for candidate in candidates {
        if candidate.merit > best.merit {
            (best, second) = (candidate, best);
        } else if candidate.merit > second.merit {
            second = candidate;
        }
    }
    (best, second)
}

fn test(cut: Cut, columns: &[u32], tables: &[Table], missing_first: bool) -> Test {
    match cut {
        Cut::Threshold { place, threshold } => {
            Test::Threshold { column: columns[place] as usize, threshold, missing_first }
        }
        Cut::Equal { table, row } => {
            let Table { column, categories, .. } = &tables[table];
            Test::Equal { column: *column as usize, category: categories[row] }
        }
        Cut::Fan { table } => {
            let Table { column, categories, .. } = &tables[table];
            Test::Fan { column: *column as usize, categories: categories.clone() }
        }
    }
}
