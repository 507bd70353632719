use std::sync::Arc;

use super::member::{Member, Plan};
use super::poisson::Poisson;
use crate::detect::Adwin;
use crate::learn::counter::Counter;
use crate::learn::encode::read_under;
use crate::learn::tree::leaves::{Example, Scratch};
use crate::learn::tree::row::Row;
use crate::learn::tree::saved;
use crate::learn::tree::view::TreeView;
use crate::learn::{Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// Streams of random numbers: the weights of examples, and from the next on the seeds of each member's trees.
const WEIGHTS: u64 = 0;
const SEEDS: u64 = 1;

/// Trees that vote, each with its probabilities or its value and as much as it has been right; they differ by the weights
/// with which they see examples and by the columns that they watch. How is the [`Plan`]'s; see
/// [`bagging`](super::bagging) for the plans.
///
/// Random draws are by (seed, number of the example learned, tree), so that how examples are split into calls makes no
/// difference.
#[derive(Debug, Clone)]
pub struct Forest {
    shape: Shape,
    plan: Plan,
    bagging: Poisson,
    weights: Counter,
    members: Vec<Member>,
    /// Examples learned so far.
    learned: u64,
    published: Vec<TreeView>,
    asked: Asked,
}

impl Forest {
    /// A forest that has seen nothing.
    pub(in crate::learn) fn new(plan: Plan, seed: u64, shape: &Shape) -> Self {
        let members =
            (0..plan.trees as u64).map(|index| Member::new(&plan, Counter::new(seed, SEEDS + index)));
        Self {
            shape: shape.clone(),
            bagging: Poisson::new(plan.lambda),
            weights: Counter::new(seed, WEIGHTS),
            members: members.collect(),
            learned: 0,
            published: vec![TreeView::default(); plan.trees],
            asked: Asked::new(shape),
            plan,
        }
    }

    /// Predicts a row into `out`, then learns it, if it can be learned.
    #[inline]
    fn learn_or_ask(&mut self, row: (&[f32], &[u64]), target: f32, weight: f32, out: &mut [f32]) {
        match self.shape.objective.importance(target, weight) {
            Some(importance) => self.learn_values(row, target, importance, out),
            None => self.ask(row, &mut Asked::new(&self.shape), out),
        }
    }

    /// Predicts the row that is set into `out`, then learns it.
    #[inline]
    fn learn_one(&mut self, target: f32, weight: f32, out: &mut [f32]) {
        let Self { shape, plan, bagging, weights, members, learned, asked, .. } = self;
        let Asked { row, scratch, vote } = asked;
        let first = *learned * members.len() as u64;
        let mut poll = Poll::new(out);
        let mut rose = false;
        for (index, member) in members.iter_mut().enumerate() {
            let times = bagging.draw(weights.bits(first.wrapping_add(index as u64)));
            let voice = member.voice();
            rose |= member.learn(plan, Example::new(row, target, weight), times, scratch, vote);
            poll.add(vote, voice);
        }
        poll.settle(shape.objective);
        *learned += 1;
        if rose {
            let error = |member: &Member| member.drift.mean().unwrap_or(0.0);
            let worst = members.iter_mut().reduce(|a, b| if error(b) > error(a) { b } else { a });
            worst.into_iter().for_each(|member| member.replace(plan));
        }
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

    /// Asks trees about a row, each as loud as its voice; `vote` has one say what it thinks.
    #[inline]
    fn poll<T>(
        &mut self,
        (numeric, categorical): (&[f32], &[u64]),
        voices: impl Iterator<Item = (f32, T)>,
        objective: Objective,
        out: &mut [f32],
        mut vote: impl FnMut(T, &Row, &mut Scratch, &mut [f32]),
    ) {
        self.row.copy(numeric, categorical);
        let mut poll = Poll::new(out);
        for (voice, tree) in voices {
            vote(tree, &self.row, &mut self.scratch, &mut self.vote);
            poll.add(&self.vote, voice);
        }
        poll.settle(objective);
    }

    /// Asks about all rows, one after the other.
    fn each(
        &mut self,
        rows: &Rows,
        outputs: usize,
        out: &mut Predictions,
        ask: impl Fn((&[f32], &[u64]), &mut Self, &mut [f32]),
    ) {
        out.reset(outputs, rows.len());
        for index in 0..rows.len() {
            ask((rows.numeric_row(index), rows.categorical_row(index)), self, out.row_mut(index));
        }
    }
}

/// For learners that have a forest among others: a row at a time, into room of their own.
impl Forest {
    /// Predicts a row into `out`, then learns it; it can be learned.
    pub(in crate::learn) fn learn_values(
        &mut self,
        (numeric, categorical): (&[f32], &[u64]),
        target: f32,
        importance: f32,
        out: &mut [f32],
    ) {
        self.asked.row.copy(numeric, categorical);
        self.learn_one(target, importance, out);
    }

    /// Predicts a row into `out`.
    pub(in crate::learn) fn ask(&self, row: (&[f32], &[u64]), asked: &mut Asked, out: &mut [f32]) {
        let voices = self.members.iter().map(|member| (member.voice(), &member.tree));
        asked.poll(row, voices, self.shape.objective, out, |tree, row, scratch, vote| {
            tree.predict(row, &self.plan.growth, scratch, vote);
        });
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

/// The sum of votes.
struct Poll<'a> {
    out: &'a mut [f32],
    voices: f32,
}

impl<'a> Poll<'a> {
    #[inline]
    fn new(out: &'a mut [f32]) -> Self {
        out.fill(0.0);
        Self { out, voices: 0.0 }
    }

    #[inline]
    fn add(&mut self, vote: &[f32], voice: f32) {
        /// A tree that was never right is heard where no other is.
        const VOICE_MIN: f32 = 1e-4;
        let voice = voice.max(VOICE_MIN);
        self.out.iter_mut().zip(vote).for_each(|(out, vote)| *out += voice * vote);
        self.voices += voice;
    }

    /// Makes the sum of probabilities one, or the value the mean of the votes.
    #[inline]
    fn settle(self, objective: Objective) {
        let total: f32 = match objective {
            Objective::Classify { .. } => self.out.iter().sum(),
            Objective::Regress => self.voices,
        };
        self.out.iter_mut().for_each(|out| *out /= total);
    }
}

impl Learner for Forest {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let outputs = self.shape.objective.outputs();
        Asked::new(&self.shape).each(rows, outputs, out, |row, asked, out| self.ask(row, asked, out));
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
        for (index, (target, weight)) in targets.iter().zip(weights).enumerate() {
            let row = (rows.numeric_row(index), rows.categorical_row(index));
            self.learn_or_ask(row, *target, *weight, out.row_mut(index));
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
    pub(in crate::learn) fn ask(&self, row: (&[f32], &[u64]), asked: &mut Asked, out: &mut [f32]) {
        let voices = self.trees.iter().map(|(voice, tree)| (*voice, tree));
        asked.poll(row, voices, self.shape.objective, out, |tree, row, scratch, vote| {
            tree.predict(row, scratch, vote);
        });
    }
}

impl Predictor for ForestPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let outputs = self.shape.objective.outputs();
        Asked::new(&self.shape).each(rows, outputs, out, |row, asked, out| self.ask(row, asked, out));
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
