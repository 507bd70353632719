use std::sync::Arc;

use super::super::predictor::{encode, fill};
use super::super::saved;
use super::super::scan::{Nearest, Query};
use super::super::vote::{Neighbour, answer, neighbours, vote};
use super::super::window::Window;
use super::clusters::{Metric, halved};
use super::long::{clean, clean_all};
use super::losses::{Losses, loss};
use super::predictor::{Memory, SamKnnPredictor, predict};
use super::short::Short;
use crate::config::SamKnnConfig;
use crate::learn::counter::Counter;
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Context, Examples, Learner, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch};

/// Nearest neighbours with self-adjusting memory (Losing, Hammer and Wersing, 2016, "KNN classifier with self adjusting
/// memory for heterogeneous concept drift").
///
/// The prediction is that of the memory (short-term, long-term, both) with the lowest loss over as many of the last rows
/// as the short-term memory has. Distances are those of [`KnnLearner`](super::super::KnnLearner), over columns of
/// deviation 1, where the paper leaves scaling to its user. Both memories together have at most `rows_max` rows.
///
/// A regression is done in the manner of Jakob, Artelt, Hasenjäger and Hammer (2022): a loss is the absolute error in
/// deviations of the target.
///
/// A row is predicted from what was learned before it. An example whose weight is not above zero is predicted, not
/// learned, as is one whose target is no class or not finite.
#[derive(Debug, Clone)]
pub struct SamKnnLearner {
    config: SamKnnConfig,
    seed: u64,
    shape: Shape,
    standardiser: Standardiser,
    /// Of the targets; a class's number says nothing there.
    targets: Standardiser,
    short: Short,
    long: Window,
    /// Of each [`Memory`], over as many rows as the short-term one has.
    losses: [Losses; 3],
    /// Times that the long-term memory was halved.
    halvings: u64,
    /// `[categorical]`.
    mismatches: Vec<f32>,
    work: Work,
}

/// The row in work; carries nothing from one to the next.
#[derive(Debug, Clone, Default)]
struct Work {
    numbers: Vec<f32>,
    codes: Vec<u32>,
    counts: Vec<usize>,
    losses: Vec<u32>,
}

/// What the memories know about a row.
struct Found {
    short: Nearest,
    long: Nearest,
    both: Vec<Neighbour>,
}

impl SamKnnLearner {
    /// A learner that has seen nothing.
    pub fn new(config: &SamKnnConfig, seed: u64, shape: &Shape) -> Self {
        let empty = Window::endless(shape.numeric, shape.categorical);
        Self {
            config: config.clone(),
            seed,
            shape: shape.clone(),
            standardiser: Standardiser::new(shape.numeric),
            targets: Standardiser::new(1),
            short: Short::new(empty.clone(), config.short_rows_min),
            long: empty,
            losses: [const { Losses::new() }; 3],
            halvings: 0,
            mismatches: vec![config.mismatch; shape.categorical],
            work: Work {
                numbers: vec![0.0; shape.numeric],
                codes: vec![0; shape.categorical],
                ..Work::default()
            },
        }
    }

    /// The memory that did best lately; of two alike, the shorter.
    fn memory(&self) -> Memory {
        let [short, long, both] = &self.losses;
        match (long.beats(short), both.beats(short), both.beats(long)) {
            (false, false, _) => Memory::Short,
            (true, _, false) => Memory::Long,
            _ => Memory::Both,
        }
    }

    /// Rows that the long-term memory may have when the short-term one asks for room.
    fn long_rows(&self) -> usize {
        (self.config.rows_max as f64 * self.config.long_share) as usize
    }

    /// Predicts a row, and learns it if it has an importance.
    fn step(&mut self, work: &mut Work, target: f32, importance: Option<f32>, out: &mut [f32]) {
        let SamKnnConfig { k, vote: by, .. } = self.config;
        let mismatches = &self.mismatches[..];
        let objective = self.shape.objective;
        let scale = self.targets.scaling().scales()[0];
        let scaling = self.standardiser.scaling();
        let query =
            Query { numbers: &work.numbers, scales: scaling.scales(), codes: &work.codes, mismatches };
        self.short.counts(&mut work.counts);
        work.losses.clear();
        let lose = |answer| loss(objective, scale, answer, target);
        let rows = &self.short.rows;
        let short = Nearest::nested(rows, &query, k, &work.counts, |_, nearest| {
            work.losses.push(lose(answer(neighbours(rows, nearest), by, objective)));
        });
        let long = Nearest::of(&self.long, &query, k);
        let both = short.with(rows, &long, &self.long, k);
        let found = Found { short, long, both };
        match self.memory() {
            Memory::Short => vote(neighbours(rows, &found.short), by, objective, out),
            Memory::Long => vote(neighbours(&self.long, &found.long), by, objective, out),
            Memory::Both => vote(found.both.iter().copied(), by, objective, out),
        }
        if let Some(importance) = importance {
            let answers = [
                answer(neighbours(rows, &found.short), by, objective),
                answer(neighbours(&self.long, &found.long), by, objective),
                answer(found.both.iter().copied(), by, objective),
            ];
            for (losses, answer) in self.losses.iter_mut().zip(answers) {
                losses.push(lose(answer));
            }
            self.take_in(work, &found, target, importance);
        }
    }

    /// A row becomes part of the memories; `found` is what they knew about it.
    fn take_in(&mut self, work: &Work, found: &Found, target: f32, importance: f32) {
        let SamKnnConfig { k, vote: by, .. } = self.config;
        let mismatches = &self.mismatches[..];
        let objective = self.shape.objective;
        let scale = self.targets.scaling().scales()[0];
        let scales = self.standardiser.scaling().scales();
        clean(&mut self.long, &found.long, neighbours(&self.short.rows, &found.short), target, objective);
        let first = |rows: &Window, size| {
            let mut seen = rows.empty();
            let (mut numbers, mut codes) = (Vec::new(), Vec::new());
            let places = rows.places().skip(rows.len() - size);
            let run = places.map(|place| {
                rows.block(place).row_into(place.row as usize, &mut numbers, &mut codes);
                let query = Query { numbers: &numbers, scales, codes: &codes, mismatches };
                let nearest = Nearest::of(&seen, &query, k);
                let answer = answer(neighbours(&seen, &nearest), by, objective);
                seen.push_from(rows, place);
                loss(objective, scale, answer, rows.target(place))
            });
            run.collect()
        };
        self.short.push(&work.numbers, &work.codes, (target, importance), &work.losses, first);
        let (rows, best) = (self.short.rows.len(), self.short.best());
        if best < rows {
            let mut gone = self.short.shorten(rows - best);
            clean_all(&mut gone, &self.short.rows, (scales, mismatches), k, objective);
            gone.places().for_each(|place| self.long.push_from(&gone, place));
        }
        self.make_room();
        self.losses.iter_mut().for_each(|losses| losses.keep(self.short.rows.len()));
    }

    /// Keeps both memories together within `rows_max`: the long-term one is halved, after the short-term one gave it
    /// its oldest rows where it is small.
    fn make_room(&mut self) {
        let rows = |learner: &Self| learner.short.rows.len() + learner.long.len();
        let long_rows = self.long_rows();
        if rows(self) > self.config.rows_max && self.long.len() <= long_rows {
            let gone = self.short.shorten(long_rows + 1 - self.long.len());
            gone.places().for_each(|place| self.long.push_from(&gone, place));
        }
        while self.long.len() > long_rows && rows(self) > self.config.rows_max {
            let metric = Metric {
                scales: self.standardiser.scaling().scales(),
                mismatches: &self.mismatches,
                target_scale: self.targets.scaling().scales()[0],
            };
            let random = Counter::new(self.seed, self.halvings);
            let halved = halved(&self.long, self.shape.objective, metric, random);
            self.halvings += 1;
            if halved.len() == self.long.len() {
                // One row of each class, and more classes than there is room for.
                self.long.drop_oldest(self.long.len() - long_rows);
                return;
            }
            self.long = halved;
        }
    }
}

impl Learner for SamKnnLearner {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let memories = (&self.short.rows, &self.long, self.memory());
        predict(&self.config, self.shape.objective, self.standardiser.scaling(), memories, rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, _context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        out.reset(self.shape.objective.outputs(), rows.len());
        let mut work = std::mem::take(&mut self.work);
        for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
            fill(self.standardiser.scaling(), rows.numeric_row(row), &mut work.numbers);
            encode(rows.categorical_row(row), &mut work.codes);
            let importance = self.shape.objective.importance(*target, *weight);
            self.step(&mut work, *target, importance, out.row_mut(row));
            if importance.is_some() {
                self.standardiser.observe(rows.numeric_row(row));
                self.targets.observe(&[*target]);
            }
        }
        self.work = work;
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        Arc::new(SamKnnPredictor {
            config: self.config.clone(),
            objective: self.shape.objective,
            scaling: self.standardiser.scaling().clone(),
            short: self.short.rows.clone(),
            long: self.long.clone(),
            memory: self.memory(),
        })
    }

    /// `short/` and `long/`, the rows; `memory_losses`, `[3, rows of the short-term memory]`; `window_losses`, those of
    /// each window, one after the other, longest first; `halvings`.
    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.standardiser.save());
        map.nest("targets", self.targets.save());
        map.nest("short", saved::of(&self.short.rows));
        map.nest("long", saved::of(&self.long));
        map.put_u32("memory_losses", &self.losses.iter().flat_map(Losses::iter).collect::<Vec<_>>());
        let windows = self.short.losses();
        map.put_u32("window_losses", &windows.iter().flat_map(Losses::iter).collect::<Vec<_>>());
        map.put_u64_one("halvings", self.halvings);
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let shape = &self.shape;
        let standardiser = read_under(state, "numeric", |state| Standardiser::load(shape.numeric, state))?;
        let targets = read_under(state, "targets", |state| Standardiser::load(1, state))?;
        let window = |state: &TensorMap| saved::window(self.config.rows_max, shape, state);
        let (short, long) = (read_under(state, "short", window)?, read_under(state, "long", window)?);
        if short.len() + long.len() > self.config.rows_max {
            let found = format!("{} rows, {} with those of \"short\"", long.len(), short.len() + long.len());
            return Err(mismatch("long/row_targets", found, format!("{} in both", self.config.rows_max)));
        }
        let losses = state.u32s("memory_losses")?;
        if losses.len() != 3 * short.len() {
            let expected = format!("{}, three of each row of \"short\"", 3 * short.len());
            return Err(mismatch("memory_losses", format_args!("{} losses", losses.len()), expected));
        }
        let memory = |at: usize| losses[at * short.len()..(at + 1) * short.len()].iter().copied().collect();
        let losses = [0, 1, 2].map(memory);
        let windows = state.u32s("window_losses")?;
        let found = windows.len();
        let short = Short::with_losses(short, self.config.short_rows_min, &windows).ok_or_else(|| {
            let expected = "those of each window of the rows of \"short\"";
            mismatch("window_losses", format_args!("{found} losses"), expected)
        })?;
        let halvings = state.u64_one("halvings")?;
        (self.standardiser, self.targets, self.losses) = (standardiser, targets, losses);
        (self.short, self.long, self.halvings) = (short, long, halvings);
        Ok(())
    }
}

#[cfg(test)]
impl SamKnnLearner {
    pub(super) fn memories(&self) -> (&Window, &Window, Memory) {
        (&self.short.rows, &self.long, self.memory())
    }

    pub(super) fn of(config: &SamKnnConfig, objective: crate::learn::Objective, numeric: usize) -> Self {
        Self::new(config, 1, &Shape { numeric, categorical: 0, objective })
    }
}
