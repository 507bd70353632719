use super::super::predictor::{STACK, encode, fill, room};
use super::super::saved;
use super::super::scan::{Nearest, Query};
use super::super::vote::{neighbours, vote};
use super::super::window::Window;
use crate::config::SamKnnConfig;
use crate::learn::encode::{Scaling, read_under};
use crate::learn::{Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch};

/// Which of the memories answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    Short,
    Long,
    Both,
}

impl Memory {
    const ALL: [Self; 3] = [Self::Short, Self::Long, Self::Both];

    pub fn put(self, map: &mut TensorMap) {
        map.put_u32_one("memory", self as u32);
    }

    pub fn read(state: &TensorMap) -> Result<Self, StateError> {
        let memory = state.u32_one("memory")?;
        let known = Self::ALL.get(memory as usize).copied();
        known.ok_or_else(|| mismatch("memory", memory, "a number below 3"))
    }
}

/// What serving needs of self-adjusting memory: both memories, and which of them answers.
#[derive(Debug, Clone)]
pub struct SamKnnPredictor {
    pub(super) config: SamKnnConfig,
    pub(super) objective: Objective,
    pub(super) scaling: Scaling,
    pub(super) short: Window,
    pub(super) long: Window,
    pub(super) memory: Memory,
}

impl SamKnnPredictor {
    /// What [`Predictor::save`] wrote of a model of this configuration and shape.
    pub fn load(config: &SamKnnConfig, shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let window = |state: &TensorMap| saved::window(config.rows_max, shape, state);
        Ok(Self {
            config: config.clone(),
            objective: shape.objective,
            scaling: read_under(state, "numeric", |state| Scaling::load(shape.numeric, state))?,
            short: read_under(state, "short", window)?,
            long: read_under(state, "long", window)?,
            memory: Memory::read(state)?,
        })
    }
}

impl Predictor for SamKnnPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        let Self { config, objective, scaling, short, long, memory } = self;
        predict(config, *objective, scaling, (short, long, *memory), rows, out);
    }

    fn is_finite(&self) -> bool {
        // Only finite rows come in.
        self.scaling.is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.scaling.save());
        map.nest("short", saved::of(&self.short));
        map.nest("long", saved::of(&self.long));
        self.memory.put(&mut map);
        map
    }
}

/// The forward pass, shared by learner and predictor so that they agree to the bit.
pub(super) fn predict(
    config: &SamKnnConfig,
    objective: Objective,
    scaling: &Scaling,
    (short, long, memory): (&Window, &Window, Memory),
    rows: &Rows,
    out: &mut Predictions,
) {
    out.reset(objective.outputs(), rows.len());
    let (mut numbers, mut codes) = ([0.0; STACK], [0; STACK]);
    let (mut more_numbers, mut more_codes) = (Vec::new(), Vec::new());
    let numbers = room(&mut numbers, &mut more_numbers, rows.numeric_width());
    let mismatches = vec![config.mismatch; rows.categorical_width()];
    let codes = room(&mut codes, &mut more_codes, rows.categorical_width());
    for row in 0..rows.len() {
        fill(scaling, rows.numeric_row(row), numbers);
        encode(rows.categorical_row(row), codes);
        let query = Query { numbers, scales: scaling.scales(), codes, mismatches: &mismatches };
        let near = |window: &Window| Nearest::of(window, &query, config.k);
        let out = out.row_mut(row);
        match memory {
            Memory::Short => vote(neighbours(short, &near(short)), config.vote, objective, out),
            Memory::Long => vote(neighbours(long, &near(long)), config.vote, objective, out),
            Memory::Both => {
                let (in_short, in_long) = (near(short), near(long));
                let both = in_short.with(short, &in_long, long, config.k);
                vote(both.iter().copied(), config.vote, objective, out);
            }
        }
    }
}
