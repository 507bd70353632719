//! A published tree: immutable, shared with earlier ones where nothing changed.

use std::sync::Arc;

use super::cells::RUNS_READ;
use super::grown::Tree;
use super::leaves::Scratch;
use super::nodes::{Fan, Node, descend};
use super::row::Row;
use super::shelf::Shelf;
use super::table::Table;
use super::vote::{Watched, normalise, shares};
use crate::config::LeafVote;

/// What predicting needs of a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LeafView {
    /// `[classes]`.
    pub weights: Box<[f64]>,
    /// Where naive Bayes answers.
    pub bayes: Option<BayesView>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct BayesView {
    pub columns: Box<[u32]>,
    /// `[classes, RUNS_READ, width]`.
    pub cells: Box<[f32]>,
    pub tables: Box<[Table]>,
    pub logs: Box<[f32]>,
}

impl LeafView {
    fn new(tree: &Tree, leaf: usize, vote: LeafVote) -> Self {
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
        Self { weights: tree.leaves.weights(leaf).into(), bayes }
    }

    #[inline]
    pub fn predict(&self, row: &Row, scratch: &mut Scratch, out: &mut [f32]) {
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

    pub fn is_finite(&self) -> bool {
        let counts = |table: &Table| table.counts.iter().chain(&table.totals).all(|count| count.is_finite());
        self.weights.iter().all(|weight| weight.is_finite())
            && self.bayes.as_ref().is_none_or(|bayes| {
                bayes.cells.iter().chain(&bayes.logs).all(|number| number.is_finite())
                    && bayes.tables.iter().all(counts)
            })
    }
}

/// A tree as predictors hold it.
#[derive(Debug, Clone, Default)]
pub(super) struct TreeView {
    pub nodes: Shelf<Node>,
    pub leaves: Shelf<Arc<LeafView>>,
    pub fans: Vec<Fan>,
}

impl TreeView {
    /// Takes over what changed in the tree since it was last asked.
    pub fn update(&mut self, tree: &mut Tree, vote: LeafVote) {
        let mut changed = std::mem::take(&mut tree.leaves.changed);
        self.leaves.update(&mut changed, |leaf| Arc::new(LeafView::new(tree, leaf, vote)));
        tree.leaves.changed = changed;
        let nodes = &tree.nodes.all;
        self.nodes.update(&mut tree.nodes.changed, |at| nodes[at]);
        self.fans.truncate(tree.nodes.fans.len());
        self.fans.extend_from_slice(&tree.nodes.fans[self.fans.len()..]);
    }

    #[inline]
    pub fn predict(&self, row: &Row, scratch: &mut Scratch, out: &mut [f32]) {
        let at = descend(0, row, &self.fans, |at| *self.nodes.get(at as usize));
        let leaf = self.nodes.get(at as usize).first as usize;
        self.leaves.get(leaf).predict(row, scratch, out);
    }

    pub fn is_finite(&self) -> bool {
        self.leaves.iter().all(|leaf| leaf.is_finite())
    }
}
