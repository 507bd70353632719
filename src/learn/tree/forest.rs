use std::sync::Arc;

use super::growth::Growth;
use super::leaves::{Example, LeafShape, Scratch};
use super::member::{Member, Plan};
use super::poisson::Poisson;
use super::row::Row;
use super::saved;
use super::view::TreeView;
use crate::config::ForestConfig;
use crate::detect::{Adwin, AdwinConfig};
use crate::learn::counter::Counter;
use crate::learn::encode::read_under;
use crate::learn::{Context, Examples, Learner, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// Streams of random numbers: the weights of examples, and from the next on the seeds of each member's trees.
const WEIGHTS: u64 = 0;
const SEEDS: u64 = 1;

/// The adaptive random forest (Gomes et al., "Adaptive random forests for evolving data stream classification",
/// Machine Learning 106, 2017): Hoeffding trees that see examples with weights drawn at random and whose leaves watch
/// some columns each; ADWIN watches the error of each tree, and a tree whose error has risen gives way to one that has
/// grown since the first sign of it. Trees vote with their probabilities, each as much as it has been right.
///
/// Other than in the paper, and better on most streams tried: leaves watch 80 % of the columns (MOA 60 %), not a square
/// root of them; ADWIN is quicker to warn and to replace; and the errors that it sees are those of the predictions from
/// before learning. Random draws are by (seed, number of the example learned, tree), so that how
/// examples are split into calls makes no difference.
#[derive(Debug, Clone)]
pub struct AdaptiveRandomForest {
    shape: Shape,
    plan: Plan,
    bagging: Poisson,
    weights: Counter,
    members: Vec<Member>,
    /// Examples learned so far.
    learned: u64,
    published: Vec<TreeView>,
    row: Row,
    scratch: Scratch,
    vote: Vec<f32>,
}

impl AdaptiveRandomForest {
    /// A forest that has seen nothing; for a classification.
    pub fn new(config: &ForestConfig, seed: u64, shape: &Shape) -> Self {
        let columns = shape.numeric + shape.categorical;
        let watched = libm::round(columns as f64 * config.columns) as usize;
        let adwin = |delta| AdwinConfig { delta, ..AdwinConfig::default() };
        let plan = Plan {
            growth: Growth::of_forest(config),
            leaf: LeafShape {
                classes: shape.objective.outputs(),
                numeric: shape.numeric,
                categorical: shape.categorical,
                watched: watched.clamp(columns.min(1), columns),
                kept_bytes: 0,
            },
            warning: adwin(config.warning_delta),
            drift: adwin(config.drift_delta),
        };
        let members =
            (0..config.trees as u64).map(|index| Member::new(&plan, Counter::new(seed, SEEDS + index)));
        Self {
            shape: shape.clone(),
            bagging: Poisson::new(config.lambda),
            weights: Counter::new(seed, WEIGHTS),
            members: members.collect(),
            plan,
            learned: 0,
            published: vec![TreeView::default(); config.trees],
            row: Row::new(shape.numeric, shape.categorical),
            scratch: Scratch::default(),
            vote: vec![0.0; shape.objective.outputs()],
        }
    }

    #[inline]
    fn learn_one(&mut self, class: usize, weight: f32, out: &mut [f32]) {
        let Self { plan, bagging, weights, members, learned, row, scratch, vote, .. } = self;
        let first = *learned * members.len() as u64;
        out.fill(0.0);
        for (index, member) in members.iter_mut().enumerate() {
            let times = bagging.draw(weights.bits(first.wrapping_add(index as u64)));
            let voice = member.voice();
            member.learn(plan, Example { row, class, weight }, times, scratch, vote);
            add(vote, voice, out);
        }
        settle(out);
        *learned += 1;
    }
}

/// Room to ask a forest about a row.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Asked {
    row: Row,
    scratch: Scratch,
    vote: Vec<f32>,
}

impl Asked {
    pub fn new(shape: &Shape) -> Self {
        Self {
            row: Row::new(shape.numeric, shape.categorical),
            scratch: Scratch::default(),
            vote: vec![0.0; shape.objective.outputs()],
        }
    }
}

/// For learners that have a forest among others: a row at a time, into room of their own.
impl AdaptiveRandomForest {
    /// Predicts a row into `out`, then learns it.
    pub(in crate::learn) fn learn_row(
        &mut self,
        (numeric, categorical): (&[f32], &[u64]),
        class: usize,
        weight: f32,
        out: &mut [f32],
    ) {
        self.row.copy(numeric, categorical);
        self.learn_one(class, weight, out);
    }

    /// Predicts a row into `out`.
    pub(in crate::learn) fn predict_row(
        &self,
        (numeric, categorical): (&[f32], &[u64]),
        asked: &mut Asked,
        out: &mut [f32],
    ) {
        let Asked { row, scratch, vote } = asked;
        row.copy(numeric, categorical);
        out.fill(0.0);
        for member in &self.members {
            member.tree.predict(row, &self.plan.growth, scratch, vote);
            add(vote, member.voice(), out);
        }
        settle(out);
    }

    /// What serving needs, as [`Learner::publish`] gives it.
    pub(in crate::learn) fn published(&mut self) -> ForestPredictor {
        for (member, view) in self.members.iter_mut().zip(&mut self.published) {
            if std::mem::take(&mut member.replaced) {
                *view = TreeView::default();
                member.tree.touch();
            }
            view.update(&mut member.tree, self.plan.growth.vote);
        }
        let trees = self.members.iter().map(Member::voice).zip(self.published.iter().cloned());
        ForestPredictor { shape: self.shape.clone(), trees: trees.collect() }
    }
}

#[inline]
fn add(vote: &[f32], voice: f32, out: &mut [f32]) {
    out.iter_mut().zip(vote).for_each(|(out, vote)| *out += voice * vote);
}

/// Makes the sum of votes one; equal shares if no tree has been right so far.
#[inline]
fn settle(out: &mut [f32]) {
    let total: f32 = out.iter().sum();
    if total > 0.0 {
        out.iter_mut().for_each(|out| *out /= total);
    } else {
        out.fill(1.0 / out.len() as f32);
    }
}

impl Learner for AdaptiveRandomForest {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        out.reset(self.shape.objective.outputs(), rows.len());
        let (mut row, mut scratch, mut vote) = (self.row.clone(), Scratch::default(), self.vote.clone());
        for index in 0..rows.len() {
            row.set(rows, index);
            for member in &self.members {
                member.tree.predict(&row, &self.plan.growth, &mut scratch, &mut vote);
                add(&vote, member.voice(), out.row_mut(index));
            }
            settle(out.row_mut(index));
        }
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
        for (index, (target, weight)) in targets.iter().zip(weights).enumerate() {
            self.row.set(rows, index);
            let out = out.row_mut(index);
            if let Some(importance) = self.shape.objective.importance(*target, *weight) {
                self.learn_one(*target as usize, importance, out);
                continue;
            }
            for member in &self.members {
                member.tree.predict(&self.row, &self.plan.growth, &mut self.scratch, &mut self.vote);
                add(&self.vote, member.voice(), out);
            }
            settle(out);
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(self.published())
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64("learned", &[self.learned]);
        for (index, member) in self.members.iter().enumerate() {
            map.nest(&format!("tree/{index:04}"), save_member(member));
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let learned = state.u64_one("learned")?;
        let mut members = self.members.clone();
        for (index, member) in members.iter_mut().enumerate() {
            read_under(state, &format!("tree/{index:04}"), |state| load_member(member, &self.plan, state))?;
        }
        (self.members, self.learned) = (members, learned);
        Ok(())
    }
}

fn save_member(member: &Member) -> TensorMap {
    let mut map = saved::tree(&member.tree);
    map.put_u64_one("trees", member.trees);
    map.put_f64("voice", &[member.asked, member.right]);
    map.nest("warning", member.warning.save());
    map.nest("drift", member.drift.save());
    map.put_bytes("grows", vec![u8::from(member.background.is_some())]);
    if let Some(tree) = &member.background {
        map.nest("background", saved::tree(tree));
    }
    map
}

fn load_member(member: &mut Member, plan: &Plan, state: &TensorMap) -> Result<(), StateError> {
    member.tree = saved::load_tree(plan.leaf, state)?;
    member.replaced = true;
    let voice = finite(sized(state.f64s("voice")?, 2, "voice")?, "voice")?;
    if !(0.0..=voice[0]).contains(&voice[1]) {
        return Err(mismatch(
            "voice",
            format_args!("{voice:?}"),
            "a weight, and of it that of the right ones",
        ));
    }
    (member.asked, member.right) = (voice[0], voice[1]);
    member.trees = state.u64_one("trees")?;
    for (name, adwin, config) in
        [("warning", &mut member.warning, &plan.warning), ("drift", &mut member.drift, &plan.drift)]
    {
        *adwin = Adwin::new(config.clone());
        read_under(state, name, |state| adwin.load(state))?;
    }
    member.background = match state.bytes("grows")? {
        [0] => None,
        [1] => Some(read_under(state, "background", |state| saved::load_tree(plan.leaf, state))?),
        other => return Err(mismatch("grows", format_args!("{other:?}"), "[0] or [1]")),
    };
    Ok(())
}

/// What serving needs of a forest.
#[derive(Debug, Clone)]
pub struct ForestPredictor {
    shape: Shape,
    /// Each tree, with how much its vote counts.
    trees: Vec<(f32, TreeView)>,
}

impl ForestPredictor {
    /// What [`Predictor::save`] wrote of a forest of this shape.
    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let voices = state.f32s("voices")?;
        if voices.is_empty() || !voices.iter().all(|voice| (0.0..=1.0).contains(voice)) {
            let found = format_args!("{voices:?}");
            return Err(mismatch("voices", found, "numbers from 0 to 1, one a tree"));
        }
        let trees = voices.into_iter().enumerate().map(|(index, voice)| {
            let tree =
                read_under(state, &format!("tree/{index:04}"), |state| saved::load_view(shape, state))?;
            Ok((voice, tree))
        });
        Ok(Self { shape: shape.clone(), trees: trees.collect::<Result<_, StateError>>()? })
    }
}

impl ForestPredictor {
    /// Predicts a row into `out`.
    pub(in crate::learn) fn predict_row(
        &self,
        (numeric, categorical): (&[f32], &[u64]),
        asked: &mut Asked,
        out: &mut [f32],
    ) {
        let Asked { row, scratch, vote } = asked;
        row.copy(numeric, categorical);
        out.fill(0.0);
        for (voice, tree) in &self.trees {
            tree.predict(row, scratch, vote);
            add(vote, *voice, out);
        }
        settle(out);
    }
}

impl Predictor for ForestPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let outputs = self.shape.objective.outputs();
        out.reset(outputs, rows.len());
        let mut row = Row::new(self.shape.numeric, self.shape.categorical);
        let (mut scratch, mut vote) = (Scratch::default(), vec![0.0; outputs]);
        for index in 0..rows.len() {
            row.set(rows, index);
            for (voice, tree) in &self.trees {
                tree.predict(&row, &mut scratch, &mut vote);
                add(&vote, *voice, out.row_mut(index));
            }
            settle(out.row_mut(index));
        }
    }

    fn is_finite(&self) -> bool {
        self.trees.iter().all(|(voice, tree)| voice.is_finite() && tree.is_finite())
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("voices", &self.trees.iter().map(|(voice, _)| *voice).collect::<Vec<_>>());
        for (index, (_, tree)) in self.trees.iter().enumerate() {
            map.nest(&format!("tree/{index:04}"), saved::view(tree));
        }
        map
    }
}
