use std::sync::Arc;

use super::branches::{self, Branches};
use super::growth::Growth;
use super::hoeffding::{HoeffdingTreePredictor, each_example};
use super::leaves::{Draw, Example, LeafShape, Scratch};
use super::row::Row;
use super::view::TreeView;
use crate::config::TreeConfig;
use crate::detect::AdwinConfig;
use crate::learn::{Context, Examples, Learner, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// What serving needs of an adaptive tree: its main branches, which are a Hoeffding tree.
pub type HoeffdingAdaptivePredictor = HoeffdingTreePredictor;

/// The Hoeffding adaptive tree (Bifet and Gavaldà, "Adaptive learning from evolving data streams", IDA 2009): ADWIN
/// watches the error of the tree at each test; where it rises, a new branch begins to grow beside the old one and
/// takes its place once it is significantly better.
///
/// Other than in the paper, only the main branches vote, so that a predictor is a plain tree.
#[derive(Debug, Clone)]
pub struct HoeffdingAdaptiveTree {
    shape: Shape,
    growth: Growth,
    adwin: AdwinConfig,
    branches: Branches,
    published: TreeView,
    row: Row,
    scratch: Scratch,
}

impl HoeffdingAdaptiveTree {
    /// A tree of one leaf that has seen nothing.
    pub fn new(config: &TreeConfig, shape: &Shape) -> Self {
        let leaf = LeafShape {
            kept_bytes: branches::BYTES_A_LEAF,
            ..LeafShape::new(shape, shape.numeric + shape.categorical, Draw::Leaf)
        };
        let adwin = AdwinConfig { delta: config.drift_delta, ..AdwinConfig::default() };
        Self {
            shape: shape.clone(),
            growth: Growth::new(config),
            branches: Branches::new(leaf, &adwin),
            adwin,
            published: TreeView::default(),
            row: Row::new(shape.numeric, shape.categorical),
            scratch: Scratch::default(),
        }
    }
}

impl Learner for HoeffdingAdaptiveTree {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.shape.objective.outputs(), rows.len());
        let (mut row, mut scratch) = (self.row.clone(), Scratch::default());
        for index in 0..rows.len() {
            row.set(rows, index);
            self.branches.tree.predict(&row, &self.growth, &mut scratch, out.row_mut(index));
        }
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Self { shape, growth, branches, row, scratch, .. } = self;
        each_example(examples, shape.objective, row, out, |row, label, out| match label {
            Some((target, weight)) => branches.learn(Example::new(row, target, weight), growth, scratch, out),
            None => branches.tree.predict(row, growth, scratch, out),
        });
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        if std::mem::take(&mut self.branches.moved) {
            self.published = TreeView::default();
            self.branches.tree.touch();
        }
        self.published.update(&mut self.branches.tree, self.growth.vote);
        Arc::new(HoeffdingTreePredictor::new(&self.shape, self.published.clone()))
    }

    fn save(&self) -> TensorMap {
        branches::save(&self.branches)
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.branches = branches::load(self.branches.tree.leaves.shape, &self.adwin, state)?;
        self.published = TreeView::default();
        Ok(())
    }
}
