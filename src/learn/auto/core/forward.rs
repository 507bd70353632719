//! What all experts say of a row, and what comes of it.

use super::{Core, Reads, TREES};
use crate::learn::auto::chain;
use crate::learn::auto::crosses::{self, Codes};
use crate::learn::auto::labels::LAGS;
use crate::learn::auto::roster::Part;
use crate::learn::auto::scores::{SURE, bound, opinion};
use crate::learn::auto::stack::Said;
use crate::learn::auto::votes::{self, Found, Looking, Neighbour, vote};
use crate::learn::neighbour::{Query, encode, fill};

/// A row: its numbers, its columns of the moment and its categories.
#[derive(Debug, Clone, Copy)]
pub(in crate::learn::auto) struct Given<'a> {
    pub numeric: &'a [f32],
    pub moment: &'a [f32],
    pub categorical: &'a [u64],
}

/// A row in work; carries nothing from one to the next.
#[derive(Debug, Clone, Default)]
pub(in crate::learn::auto) struct Scratch {
    /// The columns of the moment, standardised.
    pub(super) moment: Vec<f32>,
    pub(super) inputs: Vec<f32>,
    pub(super) products: Vec<f32>,
    /// Scores of the linear models as they are, and of all experts as they are taken, `[experts, scores]`.
    pub(super) linear: Vec<f32>,
    pub(super) opinions: Vec<f32>,
    pub(super) codes: Codes,
    pub(super) numbers: Vec<f32>,
    pub(super) categories: Vec<u32>,
    found: Found,
    looking: Looking,
    /// The nearest of the long memory, where it was looked for.
    pub(super) bucket: Option<usize>,
    /// The forest's probabilities.
    pub forest: Vec<f32>,
    /// The boosted trees' prediction.
    pub boosted: Vec<f32>,
    pub(super) said: Said,
}

impl Scratch {
    /// What all experts said last, `[experts, scores]`.
    pub fn opinions(&self) -> &[f32] {
        &self.opinions
    }
}

impl Core {
    /// What `newton` reads of a row.
    pub(super) fn inputs_of<'a>(
        reads: Reads,
        raw: usize,
        inputs: &'a [f32],
        products: &'a [f32],
    ) -> &'a [f32] {
        match reads {
            Reads::Raw | Reads::Flipped => &inputs[..raw],
            Reads::Full => inputs,
            Reads::Products => products,
        }
    }

    /// Reads a row: what the models that step by the gradient say of it, and what memories compare.
    pub fn read(&self, given: Given<'_>, scratch: &mut Scratch) {
        let Scratch { moment, inputs, products, linear, codes, numbers, categories, bucket, .. } = scratch;
        *bucket = None;
        let (scores, width) = (self.scores, self.inputs.width);
        moment.resize(self.layout.width, 0.0);
        inputs.resize(width.full, 0.0);
        self.inputs.fill(given.numeric, given.moment, moment, inputs);
        if let Some(from) = self.products {
            products.resize(from.width, 0.0);
            from.fill(inputs, products);
        }
        linear.resize(self.linear() * scores, 0.0);
        let (raw, rest) = linear.split_at_mut(self.raw.models() * scores);
        self.raw.forward(&inputs[..width.raw], raw);
        let (full, rest) = rest.split_at_mut(self.full.models() * scores);
        self.full.forward(inputs, full);
        let (second, crossed) = rest.split_at_mut(self.newtons.len() * scores);
        let models = self.newtons.iter().zip(second.chunks_exact_mut(scores)).enumerate();
        for (index, ((reads, newton), out)) in models {
            if self.roster.learns(Part::Newton(index)) {
                newton.forward(Self::inputs_of(*reads, width.raw, inputs, products), out);
            } else {
                out.fill(0.0);
            }
        }
        self.crosses.encode(given.numeric, inputs, given.categorical, codes);
        self.crosses.forward(codes, crossed);
        numbers.resize(self.shape.numeric, 0.0);
        categories.resize(self.shape.categorical, 0);
        fill(self.inputs.raw(), given.numeric, numbers);
        encode(given.categorical, categories);
    }

    /// Asks all experts about the row that was read: `scratch.opinions`. `scratch.forest` and `scratch.boosted` have the
    /// trees' say, where they are asked. Who rests says nothing: 0.
    pub fn ask(&self, given: Given<'_>, scratch: &mut Scratch) {
        let Scratch {
            moment,
            linear,
            opinions,
            numbers,
            categories,
            found,
            looking,
            forest,
            boosted,
            bucket,
            ..
        } = scratch;
        let scores = self.scores;
        opinions.resize(self.experts() * scores, 0.0);
        let (of_models, rest) = opinions.split_at_mut(self.linear() * scores);
        for (score, out) in linear.chunks_exact(scores).zip(of_models.chunks_exact_mut(scores)) {
            bound(score, out);
        }
        let first = (self.raw.models() + self.full.models()) * scores;
        for (index, (reads, newton)) in self.newtons.iter().enumerate() {
            let at = first + index * scores;
            if !self.roster.speaks(Part::Newton(index)) {
                of_models[at..at + scores].fill(0.0);
            } else if *reads == Reads::Flipped {
                of_models[at] = newton.odds(linear[at].clamp(-SURE, SURE));
            }
        }
        let (of_chain, rest) = rest.split_at_mut(chain::OPINIONS * scores);
        let labels = self.layout.labels..self.layout.labels + LAGS;
        match &self.target {
            None => self.chain.forward(&given.moment[labels], of_chain),
            Some(_) => self.chain.forward(&moment[labels], of_chain),
        }
        if let Some(target) = &self.target {
            // The labels' columns have a scaling of their own; here values are on the target's.
            for (out, value) in of_chain[1..].iter_mut().zip([0, LAGS - 1]) {
                let mut z = [0.0];
                target.apply(&given.moment[self.layout.labels + value..][..1], &mut z);
                out.clone_from(&z[0]);
            }
        }
        let (short, rest) = rest.split_at_mut(votes::AGED_OPINIONS * scores);
        let (long, of_trees) = rest.split_at_mut(votes::OPINIONS * scores);
        let scales = self.inputs.raw().scales();
        let query = Query { numbers, scales, codes: categories, mismatches: &self.mismatches };
        if self.roster.speaks(Part::Memory) {
            let scales = &self.ranges.scales;
            let by_range = Query { scales, mismatches: &self.mismatches_of_range, ..query };
            *bucket = Some(self.memory.search(&by_range, looking, found));
            self.vote(found, long);
        } else {
            long.fill(0.0);
        }
        if self.roster.speaks(Part::Window) {
            let Looking(nearest) = looking;
            nearest.begin(f32::INFINITY);
            nearest.search(&self.window, &query);
            found.clear();
            found.extend(nearest.found().iter().map(|(square, place)| Neighbour {
                square: *square,
                target: self.window.target(*place),
                age: self.window.age(*place) as f32,
                weight: self.window.weight(*place),
            }));
            self.vote(found, short);
        } else {
            short.fill(0.0);
        }
        debug_assert_eq!(of_trees.len(), TREES * scores);
        let (of_forest, of_boosted) = of_trees.split_at_mut(scores);
        match (self.roster.speaks(Part::Forest), &self.target) {
            (false, _) => of_forest.fill(0.0),
            (true, None) => opinion(forest, of_forest),
            (true, Some(_)) => {
                of_forest[0] = forest.iter().zip(&self.bins).map(|(p, value)| p * value).sum();
            }
        }
        match (self.roster.speaks(Part::Boosting), &self.target) {
            (false, _) => of_boosted.fill(0.0),
            (true, None) => opinion(boosted, of_boosted),
            (true, Some(target)) => target.apply(boosted, of_boosted),
        }
    }

    /// Takes opinions that a row brought.
    pub fn take(&self, pinned: &[f32], scratch: &mut Scratch) {
        scratch.opinions.clear();
        scratch.opinions.extend_from_slice(pinned);
    }

    /// The prediction, of the opinions.
    pub fn answer(&self, scratch: &mut Scratch, out: &mut [f32]) {
        let Scratch { opinions, said, .. } = scratch;
        self.stack.forward(opinions, said);
        match &self.target {
            None => out.copy_from_slice(&said.out),
            Some(target) => out[0] = target.restore(0, said.out[0]),
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

    /// Models of which [`Core::read`] tells the scores.
    fn linear(&self) -> usize {
        self.raw.models() + self.full.models() + self.newtons.len() + crosses::MODELS
    }
}
