//! The forward pass, shared by learner and predictor so that they agree to the bit.

use std::cell::RefCell;

use super::core::{Core, Given, Scratch};
use super::roster::Part;
use super::trees::forest_shape;
use crate::learn::ensemble::{Asked, AskedBoosting, Boosting, BoostingPredictor, Forest, ForestPredictor};
use crate::learn::{Predictions, Shape};
use crate::schema::Rows;

/// A row's own numbers and categories.
pub(super) type Own<'a> = (&'a [f32], &'a [u64]);

/// The trees, of the learner or as they were published.
pub(super) trait Trees {
    fn ask_forest(&self, row: Own<'_>, asked: &mut Asked, out: &mut [f32]);
    fn ask_boosting(&self, row: Own<'_>, asked: &mut AskedBoosting, out: &mut [f32]);
}

impl Trees for (&Forest, &Boosting) {
    fn ask_forest(&self, row: Own<'_>, asked: &mut Asked, out: &mut [f32]) {
        self.0.ask(row, asked, out);
    }

    fn ask_boosting(&self, row: Own<'_>, asked: &mut AskedBoosting, out: &mut [f32]) {
        self.1.ask(row, asked, out);
    }
}

impl Trees for (&ForestPredictor, &BoostingPredictor) {
    fn ask_forest(&self, row: Own<'_>, asked: &mut Asked, out: &mut [f32]) {
        self.0.ask(row, asked, out);
    }

    fn ask_boosting(&self, row: Own<'_>, asked: &mut AskedBoosting, out: &mut [f32]) {
        self.1.ask(row, asked, out);
    }
}

/// Room to ask about a row.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub scratch: Scratch,
    pub forest: Asked,
    boosting: AskedBoosting,
    /// Columns of the moment, for rows that come without.
    pub moment: Vec<f32>,
}

impl Room {
    pub fn new(core: &Core) -> Self {
        let forest_shape = forest_shape(&core.shape);
        let mut scratch = Scratch::default();
        scratch.forest.resize(forest_shape.objective.outputs(), 0.0);
        scratch.boosted.resize(core.shape.objective.outputs(), 0.0);
        Self {
            scratch,
            forest: Asked::new(&forest_shape),
            boosting: AskedBoosting::new(&core.shape),
            moment: vec![0.0; core.moment_width()],
        }
    }
}

/// What all experts say of a row: `scratch.opinions`.
pub(super) fn ask(core: &Core, trees: &impl Trees, given: Given<'_>, room: &mut Room) {
    let Room { scratch, forest, boosting, .. } = room;
    let row = (given.numeric, given.categorical);
    if core.roster.speaks(Part::Forest) {
        trees.ask_forest(row, forest, &mut scratch.forest);
    }
    if core.roster.speaks(Part::Boosting) {
        trees.ask_boosting(row, boosting, &mut scratch.boosted);
    }
    core.read(given, scratch);
    core.ask(given, scratch);
}

/// Predicts a row, with its context if it has one.
pub(super) fn answer(
    core: &Core,
    trees: &impl Trees,
    (numeric, categorical): Own<'_>,
    room: &mut Room,
    out: &mut [f32],
) {
    let (own, context) = numeric.split_at(core.shape.numeric);
    let (moment, pinned) = context.split_at(context.len().min(core.moment_width()));
    if !pinned.is_empty() {
        core.take(pinned, &mut room.scratch);
    } else if context.is_empty() {
        let mut moment = std::mem::take(&mut room.moment);
        core.moment.columns(own, categorical, &mut moment);
        ask(core, trees, Given { numeric: own, moment: &moment, categorical }, room);
        room.moment = moment;
    } else {
        ask(core, trees, Given { numeric: own, moment, categorical }, room);
    }
    core.answer(&mut room.scratch, out);
}

pub(super) fn predict(core: &Core, trees: &impl Trees, rows: &Rows, out: &mut Predictions) {
    thread_local! {
        /// Room of the thread's last prediction: a single row is answered without allocating.
        static LAST: RefCell<Option<(Shape, Room)>> = const { RefCell::new(None) };
    }
    let last = LAST.take().filter(|(shape, _)| *shape == core.shape);
    let mut room = last.map_or_else(|| Room::new(core), |(_, room)| room);
    out.reset(core.shape.objective.outputs(), rows.len());
    for row in 0..rows.len() {
        let own = (rows.numeric_row(row), rows.categorical_row(row));
        answer(core, trees, own, &mut room, out.row_mut(row));
    }
    LAST.set(Some((core.shape.clone(), room)));
}
