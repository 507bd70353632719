//! A classification tree that grows: the Hoeffding tree (Domingos and Hulten, "Mining high-speed data streams", KDD
//! 2000) with the leaves of Gama, Rocha and Medas ("Accurate decision trees for mining high-speed data streams", KDD
//! 2003) and of Holmes, Kirkby and Pfahringer ("Stress-testing Hoeffding trees", PKDD 2005).

use super::growth::Growth;
use super::leaves::{Example, LeafShape, Leaves, Scratch};
use super::nodes::{Node, Nodes, Test};
use super::row::Row;
use super::splits::{self, Candidate, Cut};
use super::table::Table;
use crate::config::NominalSplit;

/// A tree, its nodes and leaves in flat arrays; node 0 is the root.
#[derive(Debug, Clone)]
pub(super) struct Tree {
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
        let leaf = self.leaves.push(&vec![0.0; self.leaves.shape.classes]);
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
        let (mut best, mut second) = (Candidate::NONE, Candidate::NONE);
        for candidate in numeric.chain(nominal) {
            if candidate.merit > best.merit {
                (best, second) = (candidate, best);
            } else if candidate.merit > second.merit {
                second = candidate;
            }
        }
        (best, second)
    }

    /// Puts the test of a cut in the place of the leaf at node `at`, unless memory is short.
    fn split(&mut self, at: u32, cut: Cut, growth: &Growth) {
        let leaf = self.leaf(at);
        let runs = self.leaves.runs(leaf);
        let watched = self.leaves.watched(leaf).expect("a leaf that splits has observers");
        let classes = self.leaves.shape.classes;
        let weights = splits::children(cut, &runs, watched.tables);
        let children = weights.len() / classes;
        if self.leaves.bytes() + (children - 1) * self.leaves.shape.leaf_bytes() > growth.memory_bytes_max {
            return;
        }
        let test = test(cut, watched.columns, watched.tables, &weights);
        debug_assert_eq!(test.children(), children);
        let first = self.nodes.all.len() as u32;
        for (child, weights) in weights.chunks_exact(classes).enumerate() {
            let leaf = if child == 0 {
                self.leaves.renew(leaf, weights);
                leaf
            } else {
                self.leaves.push(weights)
            };
            self.nodes.push(Node::leaf(leaf));
        }
        self.nodes.set_test(at, &test, first);
    }
}

fn test(cut: Cut, columns: &[u32], tables: &[Table], weights: &[f64]) -> Test {
    match cut {
        Cut::Threshold { place, threshold } => {
            let (first, second) = weights.split_at(weights.len() / 2);
            let missing_first = first.iter().sum::<f64>() >= second.iter().sum::<f64>();
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
