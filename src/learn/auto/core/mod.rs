//! All that answers: what the learner asks and what is published, so that both say the same to the bit.

mod forward;
mod training;

pub(super) use forward::{Given, Scratch};
pub(super) use training::Training;

use super::bank::{Bank, Rate};
use super::chain::{self, Chain};
use super::crosses::{self, Crosses};
use super::inputs::{Inputs, Products};
use super::memory::Memory;
use super::moment::{Layout, Moment};
use super::newton::Newton;
use super::ranges::Ranges;
use super::roster::Roster;
use super::scores::{self, floats};
use super::stack::Stack;
use super::trees::{self, BINS};
use super::votes;
use crate::config::ModelConfig;
use crate::detect::{Adwin, AdwinConfig};
use crate::learn::encode::{Scaling, Standardiser, read_under};
use crate::learn::neighbour::{Window, load_window, put_window};
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

/// Borders of the bins, in deviations.
const BORDERS: [f32; BINS - 1] = [-1.5, -0.9, -0.4, 0.0, 0.4, 0.9, 1.5];

/// The most opinions that a row keeps until it is learned.
const PINNED_MAX: usize = 256;

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
    pub roster: Roster,
    /// Operations that the forest and the boosted trees take for an example.
    tree_operations: (usize, usize),
}

fn experts(newtons: usize) -> usize {
    RAW_RATES.len() + FULL_RATES.len() + newtons + crosses::MODELS + chain::OPINIONS + NEAR + TREES
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
        let (stack, stack_training) = Stack::new(objective, experts(newtons.len()));
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
            memory: Memory::new(shape, auto.memory_rows_max, auto.memory_bytes_max),
            ranges: Ranges::new(shape.numeric),
            mismatches: vec![MISMATCH; shape.categorical],
            mismatches_of_range: vec![MISMATCH_OF_RANGE; shape.categorical],
            target: target.as_ref().map(|target| target.scaling().clone()),
            bins: if target.is_some() { vec![0.0; BINS] } else { Vec::new() },
            stack,
            roster: Roster::new(newton_training.len()),
            tree_operations: trees::operations(config, shape),
            inputs,
        };
        let training = Training {
            learned,
            raw: raw_training,
            full: full_training,
            newtons: newton_training,
            target,
            stack: stack_training,
            watch: Adwin::new(AdwinConfig::default()),
        };
        (core, training)
    }

    /// Columns of a row's context: those of the moment, and the opinions of then.
    pub fn context_width(&self) -> usize {
        self.layout.width + self.pinned()
    }

    /// Columns of the moment.
    pub fn moment_width(&self) -> usize {
        self.layout.width
    }

    /// Opinions that a row keeps. The combination is to learn what opinions are worth that are as old as the row: those of
    /// the time when its label comes know other labels, the newest of which tell much of this one. Where there are too
    /// many, it has to do with those.
    pub fn pinned(&self) -> usize {
        let opinions = self.experts() * self.scores;
        if opinions <= PINNED_MAX { opinions } else { 0 }
    }

    fn experts(&self) -> usize {
        experts(self.newtons.len())
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
        map.nest("roster", self.roster.save());
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
        read_under(state, "stack", |state| self.stack.load(state))?;
        read_under(state, "roster", |state| self.roster.load(state))
    }
}
