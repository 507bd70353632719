use std::sync::Arc;

use super::grown::Tree;
use super::growth::Growth;
use super::leaves::{Draw, Example, LeafShape, Scratch};
use super::row::Row;
use super::saved;
use super::view::TreeView;
use crate::config::TreeConfig;
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// The Hoeffding tree: one tree that splits a leaf as soon as it is sure enough of the best test.
///
/// The prediction recorded for an example is bit for bit what `predict` said just before. An example whose weight is
/// not above zero, or whose target is no class or value, is predicted, not learned.
#[derive(Debug, Clone)]
pub struct HoeffdingTree {
    shape: Shape,
    growth: Growth,
    tree: Tree,
    published: TreeView,
    row: Row,
    scratch: Scratch,
}

impl HoeffdingTree {
    /// A tree of one leaf that has seen nothing.
    pub fn new(config: &TreeConfig, shape: &Shape) -> Self {
        let leaf = LeafShape::new(shape, shape.numeric + shape.categorical, Draw::Leaf);
        Self {
            shape: shape.clone(),
            growth: Growth::new(config),
            tree: Tree::new(leaf, 0),
            published: TreeView::default(),
            row: Row::new(shape.numeric, shape.categorical),
            scratch: Scratch::default(),
        }
    }

    #[cfg(test)]
    pub(in crate::learn) fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// Takes one example after the other: `step` gets its row, its target and importance if it is to be learned, and the
/// place of its prediction.
pub(in crate::learn) fn each_example(
    examples: Examples<'_>,
    objective: Objective,
    row: &mut Row,
    out: &mut Predictions,
    mut step: impl FnMut(&Row, Option<(f32, f32)>, &mut [f32]),
) {
    let Examples { rows, targets, weights } = examples;
    out.reset(objective.outputs(), rows.len());
    for (index, (target, weight)) in targets.iter().zip(weights).enumerate() {
        row.set(rows, index);
        let importance = objective.importance(*target, *weight);
        step(row, importance.map(|importance| (*target, importance)), out.row_mut(index));
    }
}

impl Learner for HoeffdingTree {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.shape.objective.outputs(), rows.len());
        let (mut row, mut scratch) = (self.row.clone(), Scratch::default());
        for index in 0..rows.len() {
            row.set(rows, index);
            self.tree.predict(&row, &self.growth, &mut scratch, out.row_mut(index));
        }
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Self { shape, growth, tree, row, scratch, .. } = self;
        each_example(examples, shape.objective, row, out, |row, label, out| match label {
            Some((target, weight)) => tree.learn(Example::new(row, target, weight), growth, scratch, out),
            None => tree.predict(row, growth, scratch, out),
        });
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        self.published.update(&mut self.tree, self.growth.vote);
        Arc::new(HoeffdingTreePredictor::new(&self.shape, self.published.clone()))
    }

    fn save(&self) -> TensorMap {
        saved::tree(&self.tree)
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.tree = saved::load_tree(self.tree.leaves.shape, state)?;
        self.published = TreeView::default();
        Ok(())
    }
}

/// What serving needs of a Hoeffding tree.
#[derive(Debug, Clone)]
pub struct HoeffdingTreePredictor {
    shape: Shape,
    tree: TreeView,
}

impl HoeffdingTreePredictor {
    pub(in crate::learn) fn new(shape: &Shape, tree: TreeView) -> Self {
        Self { shape: shape.clone(), tree }
    }

    /// What [`Predictor::save`] wrote of a tree of this shape.
    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        Ok(Self { shape: shape.clone(), tree: saved::load_view(shape, state)? })
    }
}

impl Predictor for HoeffdingTreePredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.shape.objective.outputs(), rows.len());
        let mut row = Row::new(self.shape.numeric, self.shape.categorical);
        let mut scratch = Scratch::default();
        for index in 0..rows.len() {
            row.set(rows, index);
            self.tree.predict(&row, &mut scratch, out.row_mut(index));
        }
    }

    fn is_finite(&self) -> bool {
        self.tree.is_finite()
    }

    fn save(&self) -> TensorMap {
        saved::view(&self.tree)
    }
}
