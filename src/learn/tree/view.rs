//! A published tree: immutable, shared with earlier ones where nothing changed.

use std::sync::Arc;

use super::cells::RUNS_READ;
use super::grown::Tree;
use super::leaves::Scratch;
use super::lines;
use super::nodes::{Fan, Node, descend};
use super::row::Row;
use super::shelf::Shelf;
use super::table::Table;
use super::vote::{Watched, normalise, shares};
use crate::config::LeafVote;

/// What predicting needs of a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct LeafView {
    /// `[numbers]`.
    pub weights: Box<[f64]>,
    /// Where naive Bayes answers.
    pub bayes: Option<BayesView>,
    /// Of a regression, where the line answers.
    pub line: Option<Box<[f32]>>,
    /// Whether a number of it is not finite: looked at once, since the gate asks at every publish.
    broken: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct BayesView {
    pub columns: Box<[u32]>,
    /// `[classes, RUNS_READ, width]`.
    pub cells: Box<[f32]>,
    pub tables: Box<[Table]>,
    pub logs: Box<[f32]>,
}

impl LeafView {
    fn new(tree: &Tree, leaf: usize, vote: LeafVote) -> Self {
        let leaves = &tree.leaves;
        if leaves.shape.is_value {
            let line = leaves.is_line(leaf, vote).then(|| leaves.lines.of(leaf).into());
            return Self::of(leaves.weights(leaf).into(), None, line);
        }
        let bayes = tree.leaves.watched(leaf).filter(|_| tree.leaves.is_bayes(leaf, vote));
        let bayes = bayes.map(|watched| {
            let read = RUNS_READ * watched.columns.len();
            let blocks = watched.logs.iter().enumerate();
            let cells = blocks.flat_map(|(class, _)| &watched.cells[class * watched.stride..][..read]);
            BayesView {
                columns: watched.columns.into(),
                cells: cells.copied().collect(),
                tables: watched.tables.into(),
                logs: watched.logs.into(),
            }
        });
        Self::of(tree.leaves.weights(leaf).into(), bayes, None)
    }

    pub fn of(weights: Box<[f64]>, bayes: Option<BayesView>, line: Option<Box<[f32]>>) -> Self {
        let broken = !bayes.as_ref().is_none_or(BayesView::is_finite)
            || !weights.iter().all(|weight| weight.is_finite())
            || !line.iter().flatten().all(|weight| weight.is_finite());
        Self { weights, bayes, line, broken }
    }

    /// The prediction of a class's shares.
    #[inline]
    fn predict(&self, row: &Row, scratch: &mut Scratch, out: &mut [f32]) {
        let Some(bayes) = &self.bayes else {
            return shares(&self.weights, out);
        };
        let watched = Watched {
            columns: &bayes.columns,
            cells: &bayes.cells,
            stride: RUNS_READ * bayes.columns.len(),
            tables: &bayes.tables,
            logs: &bayes.logs,
        };
        scratch.scores.resize(out.len(), 0.0);
        watched.gather(row, &mut scratch.xs);
        watched.score(row, &scratch.xs, &mut scratch.scores);
        normalise(&scratch.scores, out);
    }
}

impl BayesView {
    fn is_finite(&self) -> bool {
        let counts = |table: &Table| table.counts.iter().chain(&table.totals).all(|count| count.is_finite());
        self.cells.iter().chain(&self.logs).all(|number| number.is_finite()) && self.tables.iter().all(counts)
    }
}

/// A tree as predictors hold it.
#[derive(Debug, Clone, Default)]
pub(in crate::learn) struct TreeView {
    pub nodes: Shelf<Node>,
    pub leaves: Shelf<Arc<LeafView>>,
    pub fans: Vec<Fan>,
    /// Of a regression, see [`Scale`](super::lines::Scale); otherwise empty.
    pub scale: Arc<[f32]>,
    /// Leaves that are broken.
    broken: usize,
}

impl TreeView {
    pub fn new(nodes: Shelf<Node>, leaves: Shelf<Arc<LeafView>>, fans: Vec<Fan>, scale: Arc<[f32]>) -> Self {
        let broken = leaves.iter().filter(|leaf| leaf.broken).count();
        Self { nodes, leaves, fans, scale, broken }
    }

    /// Takes over what changed in the tree since it was last asked.
    pub fn update(&mut self, tree: &mut Tree, vote: LeafVote) {
        let mut changed = std::mem::take(&mut tree.leaves.changed);
        debug_assert!(changed.len() >= self.leaves.len(), "leaves go only with their whole tree");
        let broken = &mut self.broken;
        self.leaves.update(
            &mut changed,
            |leaf| Arc::new(LeafView::new(tree, leaf, vote)),
            |old, new| {
                *broken += usize::from(new.broken);
                *broken -= usize::from(old.is_some_and(|old| old.broken));
            },
        );
        tree.leaves.changed = changed;
        let nodes = &tree.nodes.all;
        self.nodes.update(&mut tree.nodes.changed, |at| nodes[at], |_, _| {});
        self.fans.truncate(tree.nodes.fans.len());
        self.fans.extend_from_slice(&tree.nodes.fans[self.fans.len()..]);
        if tree.leaves.shape.is_value {
            self.scale = tree.leaves.lines.scale.plain.as_slice().into();
        }
    }

    #[inline]
    pub fn predict(&self, row: &Row, scratch: &mut Scratch, out: &mut [f32]) {
        let at = descend(0, row, &self.fans, |at| *self.nodes.get(at as usize));
        let leaf = self.nodes.get(at as usize).first as usize;
        let leaf = self.leaves.get(leaf);
        if self.scale.is_empty() {
            return leaf.predict(row, scratch, out);
        }
        out[0] = match &leaf.line {
            Some(line) => {
                lines::standardise(row, &self.scale, &mut scratch.xs);
                lines::say(line, &scratch.xs, &self.scale)
            }
            None => leaf.weights[1] as f32,
        };
    }

    pub fn is_finite(&self) -> bool {
        self.broken == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::tree::leaves::{Draw, LeafShape};

    #[test]
    fn a_leaf_that_is_not_finite_is_seen_until_it_is_replaced() {
        let shape = LeafShape {
            numbers: 2,
            numeric: 1,
            categorical: 0,
            watched: 1,
            draw: Draw::Leaf,
            is_value: false,
            kept_bytes: 0,
        };
        let mut tree = Tree::new(shape, 1);
        let mut view = TreeView::default();
        for (weight, finite) in [(1.0, true), (f64::NAN, false), (f64::INFINITY, false), (2.0, true)] {
            tree.leaves.weights[0] = weight;
            tree.leaves.changed[0] = true;
            view.update(&mut tree, LeafVote::Majority);
            assert_eq!(view.is_finite(), finite, "{weight}");
        }
        view.update(&mut tree, LeafVote::Majority);
        assert!(view.is_finite());
    }
}
