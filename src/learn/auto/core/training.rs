//! How all experts learn, and who of them goes on.

use std::ops::Range;

use super::{BORDERS, Core, Given, NEAR, Scratch};
use crate::detect::Adwin;
use crate::learn::Shape;
use crate::learn::auto::bank::BankTraining;
use crate::learn::auto::inputs::Learned;
use crate::learn::auto::labels::LAGS;
use crate::learn::auto::newton::NewtonTraining;
use crate::learn::auto::roster::{Change, Part};
use crate::learn::auto::stack::StackTraining;
use crate::learn::auto::{chain, crosses, votes};
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::neighbour::Query;
use crate::state::{StateError, TensorMap};

/// What learning needs beside, the trees aside.
#[derive(Debug, Clone)]
pub(in crate::learn::auto) struct Training {
    pub(super) learned: Learned,
    pub(super) raw: BankTraining,
    pub(super) full: BankTraining,
    pub(super) newtons: Vec<NewtonTraining>,
    pub(super) target: Option<Standardiser>,
    pub(super) stack: StackTraining,
    /// Of the errors of all together.
    pub(super) watch: Adwin,
}

/// What an operation has to earn, in nats.
const PRICE: f64 = 3e-9;

impl Core {
    /// Learns the row that was read and answered last. Returns the forest's class of it, and one over the deviation
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
        for (index, (((reads, newton), training), said)) in
            models.zip(second.chunks_exact(scores)).enumerate()
        {
            if self.roster.learns(Part::Newton(index)) {
                let inputs = Self::inputs_of(*reads, raw_width, inputs, products);
                newton.learn(training, inputs, said, goal, importance);
            }
        }
        self.crosses.learn(codes, crossed, goal, importance);
        let labels = self.layout.labels..self.layout.labels + LAGS;
        self.chain.learn(&given.moment[labels], target, importance);
        let Scratch { numbers, categories, .. } = scratch;
        self.window.push(numbers, categories, target, importance);
        let scales = &self.ranges.scales;
        let query = Query { numbers, scales, codes: categories, mismatches: &self.mismatches_of_range };
        let bucket = scratch.bucket.unwrap_or_else(|| self.memory.nearest(&query));
        self.memory.push(bucket, &query, target, importance);
        self.ranges.observe(given.numeric, self.inputs.raw());
        training.learned.observe(given.numeric, given.moment, &mut self.inputs);
        let error = self.stack.error(&training.stack, &scratch.said, goal);
        let alarm = training.watch.update(error).is_some_and(|change| change.is_rise());
        self.take_turns(training, alarm);
        (class, scale)
    }

    /// Lets parts rest and wake.
    fn take_turns(&mut self, training: &mut Training, alarm: bool) {
        let mut roster = std::mem::take(&mut self.roster);
        let earns = |part: Part, examples: u64| {
            let experts = self.experts_of(part);
            let worth = self.stack.worth(&training.stack, experts.clone(), examples as f64);
            worth > PRICE * self.operations(part) || self.stack.heard(experts)
        };
        match roster.learn(alarm, earns) {
            Some((part, Change::Rests)) => self.stack.rest(&mut training.stack, self.experts_of(part)),
            Some((Part::Newton(index), Change::Wakes)) => training.newtons[index].restart(),
            _ => {}
        }
        self.roster = roster;
    }

    /// The experts of a part.
    fn experts_of(&self, part: Part) -> Range<usize> {
        let newtons = self.raw.models() + self.full.models();
        let near = newtons + self.newtons.len() + crosses::MODELS + chain::OPINIONS;
        let trees = near + NEAR;
        match part {
            Part::Newton(index) => newtons + index..newtons + index + 1,
            Part::Window => near..near + votes::AGED_OPINIONS,
            Part::Memory => near + votes::AGED_OPINIONS..trees,
            Part::Forest => trees..trees + 1,
            Part::Boosting => trees + 1..trees + 2,
        }
    }

    /// Operations that a part takes for an example, about.
    fn operations(&self, part: Part) -> f64 {
        let columns = self.shape.numeric + self.shape.categorical + 1;
        let count = match part {
            Part::Newton(index) => {
                let stride = self.newtons[index].1.stride();
                stride * (6 * stride + 4 * self.scores)
            }
            Part::Window => 4 * columns * self.window_rows,
            Part::Memory => self.memory.operations(),
            Part::Forest => self.tree_operations.0,
            Part::Boosting => self.tree_operations.1,
        };
        count as f64
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
        map.nest("watch", self.watch.save());
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
        read_under(state, "stack", |state| self.stack.load(state))?;
        read_under(state, "watch", |state| self.watch.load(state))
    }
}
