//! All that answers: what the learner asks and what is published, so that both say the same to the bit.

use super::bank::{Bank, BankTraining, Rate};
use super::chain::{self, Chain};
use super::crosses::{self, Codes, Crosses};
use super::inputs::{Inputs, Learned, Products};
use super::labels::LAGS;
use super::memory::Memory;
use super::moment::{Layout, Moment};
use super::newton::{Newton, NewtonTraining};
use super::ranges::Ranges;
use super::scores::{self, SURE, bound, floats, opinion};
use super::stack::{Said, Stack, StackTraining};
use super::votes::{self, Found, NEAREST, Neighbour, vote};
use crate::config::ModelConfig;
use crate::learn::encode::{Scaling, Standardiser, read_under};
use crate::learn::neighbour::{Nearest, Query, Window, encode, fill, load_window, put_window};
use crate::learn::{Objective, Shape};
use crate::state::{StateError, TensorMap};

const RAW_RATES: [Rate; 4] =
    [Rate::Constant(0.004), Rate::Constant(0.02), Rate::Constant(0.1), Rate::AdaGrad(0.4)];
const FULL_RATES: [Rate; 4] =
    [Rate::Constant(0.002), Rate::Constant(0.015), Rate::Constant(0.08), Rate::AdaGrad(0.05)];

/// What a second-order model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Raw,
    Full,
    Products,
    /// As `Raw`, by a model that reckons with wrong labels; of two classes.
    Flipped,
}

/// The second-order models: what they read, and how much of an example's say is left after the next one. Those that
/// hardly forget are watched.
const NEWTONS: [(Reads, f64); 9] = [
    (Reads::Flipped, WATCHED),
    (Reads::Flipped, 0.998),
    (Reads::Raw, WATCHED),
    (Reads::Raw, 0.9993),
    (Reads::Raw, 0.997),
    (Reads::Full, WATCHED),
    (Reads::Full, 0.998),
    (Reads::Products, WATCHED),
    (Reads::Products, 0.998),
];
const WATCHED: f64 = 0.9999;

/// Opinions of the two memories of neighbours.
const NEAR: usize = votes::AGED_OPINIONS + votes::OPINIONS;

/// Opinions of trees: the forest's, and the boosted ones'.
const TREES: usize = 2;

/// Squared distance of two categories, beside columns of deviation 1 and beside columns of range 1.
const MISMATCH: f32 = 2.0;
const MISMATCH_OF_RANGE: f32 = 1.0;

/// Classes that a forest tells apart in place of values.
const BINS: usize = 8;

/// Their borders, in deviations.
const BORDERS: [f32; BINS - 1] = [-1.5, -0.9, -0.4, 0.0, 0.4, 0.9, 1.5];

/// A row: its numbers, its context and its categories.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub numeric: &'a [f32],
    pub context: &'a [f32],
    pub categorical: &'a [u64],
}

/// A row in work; carries nothing from one to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    context: Vec<f32>,
    inputs: Vec<f32>,
    products: Vec<f32>,
    /// Scores of the linear models as they are, and of all experts as they are taken, `[experts, scores]`.
    linear: Vec<f32>,
    opinions: Vec<f32>,
    codes: Codes,
    numbers: Vec<f32>,
    categories: Vec<u32>,
    found: Found,
    /// The forest's probabilities.
    pub forest: Vec<f32>,
    /// The boosted trees' prediction.
    pub boosted: Vec<f32>,
    bucket: usize,
    pub said: Said,
}

#[derive(Debug, Clone)]
pub(super) struct Core {
    pub shape: Shape,
    scores: usize,
    layout: Layout,
    pub moment: Moment,
    inputs: Inputs,
    products: Option<Products>,
    raw: Bank,
    full: Bank,
    newtons: Vec<(Reads, Newton)>,
    crosses: Crosses,
    chain: Chain,
    window: Window,
    window_rows: usize,
    memory: Memory,
    ranges: Ranges,
    /// `[categorical]` each: squared distances of two categories, beside deviations and beside ranges.
    mismatches: Vec<f32>,
    mismatches_of_range: Vec<f32>,
    /// Of the target, for a regression.
    target: Option<Scaling>,
    /// `[BINS]`: the mean standardised value of the examples in each bin of a regression.
    bins: Vec<f32>,
    stack: Stack,
}

/// What learning needs beside, the trees aside.
#[derive(Debug, Clone)]
pub(super) struct Training {
    learned: Learned,
    raw: BankTraining,
    full: BankTraining,
    newtons: Vec<NewtonTraining>,
    target: Option<Standardiser>,
    stack: StackTraining,
}

/// The shape that the forest is made for.
pub(super) fn forest_shape(shape: &Shape) -> Shape {
    match shape.objective {
        Objective::Classify { .. } => shape.clone(),
        Objective::Regress => Shape { objective: Objective::Classify { classes: BINS }, ..shape.clone() },
    }
}

impl Core {
    pub fn new(config: &ModelConfig, shape: &Shape) -> (Self, Training) {
        let auto = &config.auto;
        let objective = shape.objective;
        let scores = scores::scores(objective);
        let (inputs, learned) = Inputs::new(shape);
        let (raw, raw_training) = Bank::new(objective, inputs.width.raw, &RAW_RATES);
        let (full, full_training) = Bank::new(objective, inputs.width.full, &FULL_RATES);
        let products = Products::new(shape.numeric, auto.matrix_inputs_max);
        let widths = |reads| match reads {
            Reads::Raw => Some(inputs.width.raw),
            Reads::Flipped => Some(inputs.width.raw).filter(|_| objective.outputs() == 2),
            Reads::Full => Some(inputs.width.full),
            Reads::Products => products.map(|products| products.width),
        };
        let made = NEWTONS.iter().filter_map(|(reads, forget)| {
            let width = widths(*reads).filter(|width| *width <= auto.matrix_inputs_max)?;
            let (newton, training) = Newton::new(objective, width, *forget, 1.0);
            let training = if *forget == WATCHED { training.watched() } else { training };
            let newton = if *reads == Reads::Flipped { newton.flipping() } else { newton };
            Some(((*reads, newton), training))
        });
        let (newtons, newton_training): (Vec<_>, Vec<_>) = made.unzip();
        // Two tables of two numbers a score, also where there are thousands of classes.
        let fits = |bits: u32| (16 * scores) << bits <= auto.memory_bytes_max;
        let bits = (8..=auto.bits).rev().find(|bits| fits(*bits)).unwrap_or(8);
        let row_bytes = 8 + 4 * (shape.numeric + shape.categorical);
        let experts = RAW_RATES.len()
            + FULL_RATES.len()
            + newtons.len()
            + crosses::MODELS
            + chain::OPINIONS
            + NEAR
            + TREES;
        let (stack, stack_training) = Stack::new(objective, experts);
        let target = (objective == Objective::Regress).then(|| Standardiser::new(1));
        let core = Self {
            shape: shape.clone(),
            scores,
            layout: Layout::new(shape),
            moment: Moment::new(shape),
            products,
            raw,
            full,
            newtons,
            crosses: Crosses::new(shape, bits),
            chain: Chain::new(objective),
            window: Window::new(auto.window, shape.numeric, shape.categorical),
            window_rows: auto.window,
            memory: Memory::new(shape, auto.memory_rows_max.min(auto.memory_bytes_max / row_bytes)),
            ranges: Ranges::new(shape.numeric),
            mismatches: vec![MISMATCH; shape.categorical],
            mismatches_of_range: vec![MISMATCH_OF_RANGE; shape.categorical],
            target: target.as_ref().map(|target| target.scaling().clone()),
            bins: if target.is_some() { vec![0.0; BINS] } else { Vec::new() },
            stack,
            inputs,
        };
        let training = Training {
            learned,
            raw: raw_training,
            full: full_training,
            newtons: newton_training,
            target,
            stack: stack_training,
        };
        (core, training)
    }

    pub fn context_width(&self) -> usize {
        self.layout.width
    }

    /// What `newton` reads of a row.
    fn read<'a>(reads: Reads, raw: usize, inputs: &'a [f32], products: &'a [f32]) -> &'a [f32] {
        match reads {
            Reads::Raw | Reads::Flipped => &inputs[..raw],
            Reads::Full => inputs,
            Reads::Products => products,
        }
    }

    /// Asks all experts and combines what they say: `scratch.said.out`. `scratch.forest` and `scratch.boosted` have the
    /// trees' say.
    pub fn forward(&self, given: Given<'_>, scratch: &mut Scratch) {
        let Scratch { context, inputs, products, linear, opinions, codes, said, .. } = scratch;
        let scores = self.scores;
        let width = self.inputs.width;
        context.resize(self.layout.width, 0.0);
        inputs.resize(width.full, 0.0);
        self.inputs.fill(given.numeric, given.context, context, inputs);
        if let Some(from) = self.products {
            products.resize(from.width, 0.0);
            from.fill(inputs, products);
        }
        let models = self.raw.models() + self.full.models() + self.newtons.len() + crosses::MODELS;
        linear.resize(models * scores, 0.0);
        let (raw, rest) = linear.split_at_mut(self.raw.models() * scores);
        self.raw.forward(&inputs[..width.raw], raw);
        let (full, rest) = rest.split_at_mut(self.full.models() * scores);
        self.full.forward(inputs, full);
        let (second, crossed) = rest.split_at_mut(self.newtons.len() * scores);
        for ((reads, newton), out) in self.newtons.iter().zip(second.chunks_exact_mut(scores)) {
            newton.forward(Self::read(*reads, width.raw, inputs, products), out);
        }
        self.crosses.encode(given.numeric, inputs, given.categorical, codes);
        self.crosses.forward(codes, crossed);
        opinions.resize((models + chain::OPINIONS + NEAR + TREES) * scores, 0.0);
        let (of_models, rest) = opinions.split_at_mut(models * scores);
        for (score, out) in linear.chunks_exact(scores).zip(of_models.chunks_exact_mut(scores)) {
            bound(score, out);
        }
        let first = (self.raw.models() + self.full.models()) * scores;
        for (index, (_, newton)) in
            self.newtons.iter().enumerate().filter(|(_, (reads, _))| *reads == Reads::Flipped)
        {
            of_models[first + index] = newton.odds(linear[first + index].clamp(-SURE, SURE));
        }
        let (of_chain, rest) = rest.split_at_mut(chain::OPINIONS * scores);
        let labels = self.layout.labels..self.layout.labels + LAGS;
        match &self.target {
            None => self.chain.forward(&given.context[labels], of_chain),
            Some(_) => self.chain.forward(&context[labels], of_chain),
        }
        if let Some(target) = &self.target {
            // The labels' columns have a scaling of their own; here values are on the target's.
            for (out, value) in of_chain[1..].iter_mut().zip([0, LAGS - 1]) {
                let mut z = [0.0];
                target.apply(&given.context[self.layout.labels + value..][..1], &mut z);
                out.clone_from(&z[0]);
            }
        }
        let (near, of_trees) = rest.split_at_mut(NEAR * scores);
        let (of_forest, of_boosted) = of_trees.split_at_mut(scores);
        let Scratch { numbers, categories, found, forest, boosted, bucket, .. } = scratch;
        numbers.resize(self.shape.numeric, 0.0);
        categories.resize(self.shape.categorical, 0);
        let scaling = self.inputs.raw();
        fill(scaling, given.numeric, numbers);
        encode(given.categorical, categories);
        let query =
            Query { numbers, scales: scaling.scales(), codes: categories, mismatches: &self.mismatches };
        let (short, long) = near.split_at_mut(votes::AGED_OPINIONS * scores);
        let by_range = Query { scales: &self.ranges.scales, mismatches: &self.mismatches_of_range, ..query };
        *bucket = self.memory.search(&by_range, found);
        self.vote(found, long);
        let nearest = Nearest::of(&self.window, &query, NEAREST);
        found.clear();
        found.extend(nearest.found().iter().map(|(square, place)| Neighbour {
            square: *square,
            target: self.window.target(*place),
            age: self.window.age(*place) as f32,
        }));
        self.vote(found, short);
        match &self.target {
            None => {
                opinion(forest, of_forest);
                opinion(boosted, of_boosted);
            }
            Some(target) => {
                of_forest[0] = forest.iter().zip(&self.bins).map(|(p, value)| p * value).sum();
                target.apply(boosted, of_boosted);
            }
        }
        self.stack.forward(opinions, said);
    }

    /// The prediction, of what `forward` found.
    pub fn answer(&self, scratch: &Scratch, out: &mut [f32]) {
        match &self.target {
            None => out.copy_from_slice(&scratch.said.out),
            Some(target) => out[0] = target.restore(0, scratch.said.out[0]),
        }
    }

    fn vote(&self, found: &mut Found, out: &mut [f32]) {
        if let Some(scaling) = &self.target {
            for one in found.iter_mut() {
                let mut z = [0.0];
                scaling.apply(&[one.target], &mut z);
                one.target = z[0];
            }
        }
        vote(self.shape.objective, found, self.scores, out);
    }

    /// Learns the row that `forward` was asked about last. Returns the forest's class of it, and one over the deviation
    /// of targets, 1 for classes.
    pub fn learn(
        &mut self,
        training: &mut Training,
        given: Given<'_>,
        scratch: &mut Scratch,
        target: f32,
        importance: f32,
    ) -> (usize, f32) {
        let Scratch { inputs, products, linear, opinions, codes, said, .. } = scratch;
        let scores = self.scores;
        let raw_width = self.inputs.width.raw;
        let (mut class, mut scale, mut goal) = (target as usize, 1.0, target);
        if let (Some(standardiser), Some(scaling)) = (&mut training.target, &mut self.target) {
            standardiser.observe(&[target]);
            scaling.clone_from(standardiser.scaling());
            let mut z = [0.0];
            scaling.apply(&[target], &mut z);
            goal = z[0];
            scale = scaling.scales()[0];
            class = BORDERS.iter().filter(|border| **border < goal).count();
            self.bins[class] += 0.01 * (goal - self.bins[class]);
        }
        self.stack.learn(&mut training.stack, opinions, said, goal, importance);
        let (raw, rest) = linear.split_at(self.raw.models() * scores);
        self.raw.learn(&mut training.raw, &inputs[..raw_width], raw, goal, importance);
        let (full, rest) = rest.split_at(self.full.models() * scores);
        self.full.learn(&mut training.full, inputs, full, goal, importance);
        let (second, crossed) = rest.split_at(self.newtons.len() * scores);
        let models = self.newtons.iter_mut().zip(&mut training.newtons);
        for (((reads, newton), training), said) in models.zip(second.chunks_exact(scores)) {
            newton.learn(training, Self::read(*reads, raw_width, inputs, products), said, goal, importance);
        }
        self.crosses.learn(codes, crossed, goal, importance);
        self.chain.learn(&given.context[self.layout.labels..self.layout.labels + LAGS], target);
        let Scratch { numbers, categories, bucket, .. } = scratch;
        self.window.push(numbers, categories, target, 1.0);
        let scales = &self.ranges.scales;
        let query = Query { numbers, scales, codes: categories, mismatches: &self.mismatches_of_range };
        self.memory.push(*bucket, &query, target);
        self.ranges.observe(given.numeric, self.inputs.raw());
        training.learned.observe(given.numeric, given.context, &mut self.inputs);
        (class, scale)
    }

    pub fn is_finite(&self) -> bool {
        self.moment.is_finite()
            && self.inputs.is_finite()
            && self.raw.is_finite()
            && self.full.is_finite()
            && self.newtons.iter().all(|(_, newton)| newton.is_finite())
            && self.crosses.is_finite()
            && self.stack.is_finite()
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("moment", self.moment.save());
        map.nest("inputs", self.inputs.save());
        map.nest("raw", self.raw.save());
        map.nest("full", self.full.save());
        for (index, (_, newton)) in self.newtons.iter().enumerate() {
            map.nest(&format!("newton/{index}"), newton.save());
        }
        map.nest("crosses", self.crosses.save());
        map.nest("chain", self.chain.save());
        let mut window = TensorMap::new();
        put_window(&mut window, &self.window);
        map.nest("window", window);
        map.nest("memory", self.memory.save());
        map.nest("ranges", self.ranges.save());
        if let Some(target) = &self.target {
            map.nest("target", target.save());
            map.put_f32("bins", &self.bins);
        }
        map.nest("stack", self.stack.save());
        map
    }

    /// Takes a saved state over; on an error a part of it.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.moment = read_under(state, "moment", |state| Moment::load(&self.shape, state))?;
        read_under(state, "inputs", |state| self.inputs.load(state))?;
        read_under(state, "raw", |state| self.raw.load(state))?;
        read_under(state, "full", |state| self.full.load(state))?;
        for (index, (_, newton)) in self.newtons.iter_mut().enumerate() {
            read_under(state, &format!("newton/{index}"), |state| newton.load(state))?;
        }
        read_under(state, "crosses", |state| self.crosses.load(state))?;
        read_under(state, "chain", |state| self.chain.load(state))?;
        self.window = read_under(state, "window", |state| load_window(self.window_rows, &self.shape, state))?;
        read_under(state, "memory", |state| self.memory.load(state))?;
        read_under(state, "ranges", |state| self.ranges.load(state))?;
        if let Some(target) = &mut self.target {
            *target = read_under(state, "target", |state| Scaling::load(1, state))?;
            self.bins = floats(state, "bins", BINS)?;
        }
        read_under(state, "stack", |state| self.stack.load(state))
    }
}

impl Training {
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("learned", self.learned.save());
        map.nest("raw", self.raw.save());
        map.nest("full", self.full.save());
        for (index, newton) in self.newtons.iter().enumerate() {
            map.nest(&format!("newton/{index}"), newton.save());
        }
        if let Some(target) = &self.target {
            map.nest("target", target.save());
        }
        map.nest("stack", self.stack.save());
        map
    }

    /// Takes a saved state over; on an error a part of it.
    pub fn load(&mut self, shape: &Shape, state: &TensorMap) -> Result<(), StateError> {
        self.learned = read_under(state, "learned", |state| Learned::load(shape, state))?;
        read_under(state, "raw", |state| self.raw.load(state))?;
        read_under(state, "full", |state| self.full.load(state))?;
        for (index, newton) in self.newtons.iter_mut().enumerate() {
            read_under(state, &format!("newton/{index}"), |state| newton.load(state))?;
        }
        if let Some(target) = &mut self.target {
            *target = read_under(state, "target", |state| Standardiser::load(1, state))?;
        }
        read_under(state, "stack", |state| self.stack.load(state))
    }
}
