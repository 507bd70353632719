use std::sync::Arc;

use super::booster::{Booster, Crown, Plan, Scratch};
use super::ladder;
use super::saved;
use super::structure::Structure;
use crate::config::BoostingConfig;
use crate::learn::tree::row::Row;
use crate::learn::{Context, Examples, Learner, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// Online gradient boosting over a window that adapts.
///
/// Trees are grown one after the other on the gradient of the loss (Friedman, "Greedy function approximation: a gradient
/// boosting machine", Annals of Statistics 29, 2001; with the Hessian: Chen and Guestrin 2016), each on the rows that
/// ADWIN (Bifet and Gavaldà 2007) still holds for alike, up to a bound: on new rows if nothing changes, so that their
/// number is that of a much larger batch. What was grown before a change is dropped. Between trees the leaves go on
/// learning by stochastic gradient steps on the loss, as stochastic gradient trees do (Gouk, Pfahringer and Frank, ACML
/// 2019), at several step sizes beside each other; which of them counts is decided by their losses of late.
#[derive(Debug, Clone)]
pub struct Boosting {
    booster: Booster,
    row: Row,
    scratch: Scratch,
}

impl Boosting {
    /// One that has seen nothing.
    pub fn new(config: &BoostingConfig, seed: u64, shape: &Shape) -> Self {
        Self {
            booster: Booster::new(Plan::new(config, seed, shape)),
            row: Row::new(shape.numeric, shape.categorical),
            scratch: Scratch::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn booster(&self) -> &Booster {
        &self.booster
    }

    /// Predicts row `index` of `rows` into `out`, `[outputs]`.
    pub fn predict_row(&mut self, rows: &Rows, index: usize, out: &mut [f32]) {
        self.row.set(rows, index);
        self.booster.predict(&self.row, &mut self.scratch, out);
    }

    /// Predicts row `index` of `rows` into `out`, then learns it, if it can be learned.
    pub fn learn_row(&mut self, rows: &Rows, index: usize, target: f32, weight: f32, out: &mut [f32]) {
        self.row.set(rows, index);
        match self.booster.plan.shape.objective.importance(target, weight) {
            Some(importance) => self.booster.learn(&self.row, target, importance, out),
            None => self.booster.predict(&self.row, &mut self.scratch, out),
        }
    }
}

/// Room to ask boosted trees about a row.
#[derive(Debug, Clone)]
pub(in crate::learn) struct AskedBoosting {
    row: Row,
    scratch: Scratch,
}

impl AskedBoosting {
    pub fn new(shape: &Shape) -> Self {
        Self { row: Row::new(shape.numeric, shape.categorical), scratch: Scratch::default() }
    }
}

/// For learners that have boosted trees among others: a row at a time, into room of their own.
impl Boosting {
    /// Predicts a row into `out`, then learns it; it can be learned.
    pub(in crate::learn) fn learn_values(
        &mut self,
        (numeric, categorical): (&[f32], &[u64]),
        target: f32,
        importance: f32,
        out: &mut [f32],
    ) {
        self.row.copy(numeric, categorical);
        self.booster.learn(&self.row, target, importance, out);
    }

    /// Predicts a row into `out`.
    pub(in crate::learn) fn ask(
        &self,
        (numeric, categorical): (&[f32], &[u64]),
        asked: &mut AskedBoosting,
        out: &mut [f32],
    ) {
        asked.row.copy(numeric, categorical);
        self.booster.predict(&asked.row, &mut asked.scratch, out);
    }

    /// What serving needs, as [`Learner::publish`] gives it.
    pub(in crate::learn) fn published(&self) -> BoostingPredictor {
        let Booster { plan, trees, crown, .. } = &self.booster;
        let trees = trees.iter().map(|tree| (tree.structure.clone(), tree.values.clone())).collect();
        BoostingPredictor { plan: plan.clone(), trees, crown: crown.clone() }
    }
}

impl Learner for Boosting {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.booster.plan.shape.objective.outputs(), rows.len());
        let (mut row, mut scratch) = (self.row.clone(), Scratch::default());
        for index in 0..rows.len() {
            row.set(rows, index);
            self.booster.predict(&row, &mut scratch, out.row_mut(index));
        }
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.booster.plan.shape.objective.outputs(), rows.len());
        for (index, (target, weight)) in targets.iter().zip(weights).enumerate() {
            self.learn_row(rows, index, *target, *weight, out.row_mut(index));
        }
    }

    /// Tests are shared; the values of all leaves are copied, since every example steps one in each tree.
    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(self.published())
    }

    fn save(&self) -> TensorMap {
        saved::booster(&self.booster)
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.booster = saved::load_booster(&self.booster.plan, state)?;
        Ok(())
    }
}

/// What serving needs of boosted trees.
#[derive(Debug, Clone)]
pub struct BoostingPredictor {
    plan: Plan,
    trees: Vec<(Arc<Structure>, Vec<f32>)>,
    crown: Crown,
}

impl BoostingPredictor {
    /// What [`Predictor::save`] wrote with this configuration.
    pub fn load(config: &BoostingConfig, shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let plan = Plan::new(config, 0, shape);
        let trees = saved::load_trees(&plan, state)?;
        let crown = saved::load_crown(&plan, state)?;
        Ok(Self { plan, trees, crown })
    }

    /// Predicts a row into `out`.
    pub(in crate::learn) fn ask(
        &self,
        (numeric, categorical): (&[f32], &[u64]),
        asked: &mut AskedBoosting,
        out: &mut [f32],
    ) {
        let AskedBoosting { row, scratch } = asked;
        row.copy(numeric, categorical);
        let trees = self.trees.iter().map(|(structure, values)| (&**structure, &**values));
        ladder::climb(trees, &self.crown.base, row, &mut scratch.margins);
        self.crown.answer(&self.plan, scratch, out);
    }
}

impl Predictor for BoostingPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let shape = &self.plan.shape;
        out.reset(shape.objective.outputs(), rows.len());
        let mut asked = AskedBoosting::new(shape);
        for index in 0..rows.len() {
            let row = (rows.numeric_row(index), rows.categorical_row(index));
            self.ask(row, &mut asked, out.row_mut(index));
        }
    }

    fn is_finite(&self) -> bool {
        self.crown.is_finite()
            && self.trees.iter().all(|(_, values)| values.iter().all(|value| value.is_finite()))
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        saved::put_crown(&mut map, &self.crown);
        let trees: Vec<_> = self.trees.iter().map(|(structure, values)| (&**structure, &**values)).collect();
        saved::put_trees(&mut map, &trees);
        map
    }
}
