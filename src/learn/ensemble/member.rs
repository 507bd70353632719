//! One voice of a forest: a tree, what watches it, and its successor in the background.

use crate::detect::{Adwin, AdwinConfig};
use crate::learn::counter::Counter;
use crate::learn::tree::grown::Tree;
use crate::learn::tree::growth::Growth;
use crate::learn::tree::leaves::{Example, LeafShape, Scratch};

/// What becomes of a tree when the errors change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::learn) enum OnDrift {
    /// Nothing: errors are not watched.
    Keep,
    /// Once the error of any tree rises, the worst one gives way to a new one.
    ReplaceWorst,
    /// A tree whose error rises gives way to one that has grown since the first sign of it.
    ReplaceOwn,
}

/// What all members share.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Plan {
    pub growth: Growth,
    pub leaf: LeafShape,
    pub trees: usize,
    /// Mean of the Poisson weights.
    pub lambda: f64,
    pub on_drift: OnDrift,
    pub warning: AdwinConfig,
    pub drift: AdwinConfig,
}

/// A tree of the forest.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Member {
    pub tree: Tree,
    /// Grows from the warning to the drift.
    pub background: Option<Tree>,
    /// Of the seeds of its trees.
    random: Counter,
    pub warning: Adwin,
    pub drift: Adwin,
    /// Weight of the examples that the tree was asked about, and of those that it told right, or to that part.
    pub asked: f64,
    pub right: f64,
    /// Trees begun so far.
    pub trees: u64,
    /// Whether what the predictor shares is of an earlier tree.
    pub replaced: bool,
}

impl Member {
    pub fn new(plan: &Plan, random: Counter) -> Self {
        Self {
            tree: Tree::new(plan.leaf, random.bits(0)),
            background: None,
            random,
            warning: Adwin::new(plan.warning.clone()),
            drift: Adwin::new(plan.drift.clone()),
            asked: 0.0,
            right: 0.0,
            trees: 1,
            replaced: false,
        }
    }

    /// How much the vote counts: the share of its examples that the tree told right; 1 before the first.
    pub fn voice(&self) -> f32 {
        if self.asked > 0.0 { (self.right / self.asked) as f32 } else { 1.0 }
    }

    /// Predicts into `out` and learns with `times` the weight; then looks for a change of the tree's error. Says
    /// whether the worst tree is to be replaced.
    #[inline]
    pub fn learn(
        &mut self,
        plan: &Plan,
        example: Example<'_>,
        times: u32,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> bool {
        if times == 0 {
            self.tree.predict(example.row, &plan.growth, scratch, out);
        } else {
            let bagged = Example { weight: example.weight * times as f32, ..example };
            if let Some(tree) = &mut self.background {
                tree.learn(bagged, &plan.growth, scratch, out);
            }
            self.tree.learn(bagged, &plan.growth, scratch, out);
        }
        let weight = f64::from(example.weight);
        let error = self.tree.error(example, out);
        self.asked += weight;
        self.right += (1.0 - error) * weight;
        match plan.on_drift {
            OnDrift::Keep => false,
            OnDrift::ReplaceWorst => self.drift.update(error).is_some_and(|change| change.is_rise()),
            OnDrift::ReplaceOwn => {
                self.watch(plan, error);
                false
            }
        }
    }

    fn sprout(&mut self, plan: &Plan) -> Tree {
        self.trees += 1;
        Tree::new(plan.leaf, self.random.bits(self.trees - 1))
    }

    fn watch(&mut self, plan: &Plan, error: f64) {
        if self.warning.update(error).is_some_and(|change| change.is_rise()) {
            self.background = Some(self.sprout(plan));
            self.warning = Adwin::new(plan.warning.clone());
        }
        if self.drift.update(error).is_some_and(|change| change.is_rise()) {
            self.replace(plan);
        }
    }

    /// Puts the tree from the background, or a new one, in the place of the tree.
    pub fn replace(&mut self, plan: &Plan) {
        let next = self.background.take();
        self.tree = next.unwrap_or_else(|| self.sprout(plan));
        self.warning = Adwin::new(plan.warning.clone());
        self.drift = Adwin::new(plan.drift.clone());
        (self.asked, self.right) = (0.0, 0.0);
        self.replaced = true;
    }
}
