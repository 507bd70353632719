use super::read_under;
use super::row::{Row, Truth};
use super::stages::{Stage, stage};
use crate::config::EncoderConfig;
use crate::learn::{Columns, Objective};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// Encoders one after the other: each gets the rows that the one before makes.
pub(super) struct Chain {
    stages: Vec<Box<dyn Stage>>,
}

/// Room for a row on its way; carries nothing from one to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    from: Row,
    to: Row,
    pinned: Vec<f32>,
}

impl Work {
    /// The row as the last encoder made it.
    pub fn row(&self) -> (&[f32], &[u64]) {
        (&self.from.numeric, &self.from.categorical)
    }

    /// What is pinned to the row.
    pub fn pinned(&self) -> &[f32] {
        &self.pinned
    }
}

impl Chain {
    /// Encoders that have learned nothing, and the columns of the rows that they make.
    pub fn new(configs: &[EncoderConfig], objective: Objective, columns: &Columns) -> (Self, Columns) {
        let (mut stages, mut columns) = (Vec::new(), columns.clone());
        for config in configs {
            let stage = stage(config, objective, &columns);
            columns = stage.columns(&columns);
            stages.push(stage);
        }
        (Self { stages }, columns)
    }

    /// Numbers that stay with a row from when it comes until it is learned.
    pub fn pinned_width(&self) -> usize {
        self.stages.iter().map(|stage| stage.pinned_width()).sum()
    }

    /// Encodes a row with what is pinned to it, or as one that comes now.
    pub fn encode(&self, row: (&[f32], &[u64]), pinned: Option<&[f32]>, work: &mut Work) {
        work.from.set(row.0, row.1);
        work.pinned.clear();
        work.pinned.extend_from_slice(pinned.unwrap_or_default());
        let mut at = 0;
        for stage in &self.stages {
            if pinned.is_none() {
                stage.pin(&work.from, &mut work.pinned);
            }
            let next = at + stage.pinned_width();
            stage.encode(&work.from, &work.pinned[at..next], &mut work.to);
            std::mem::swap(&mut work.from, &mut work.to);
            at = next;
        }
    }

    /// As [`Chain::encode`]; then each encoder learns from the row as it came to it.
    pub fn learn(&mut self, row: (&[f32], &[u64]), pinned: Option<&[f32]>, truth: Truth, work: &mut Work) {
        work.from.set(row.0, row.1);
        work.pinned.clear();
        work.pinned.extend_from_slice(pinned.unwrap_or_default());
        let mut at = 0;
        for stage in &mut self.stages {
            if pinned.is_none() {
                stage.pin(&work.from, &mut work.pinned);
            }
            let next = at + stage.pinned_width();
            stage.encode(&work.from, &work.pinned[at..next], &mut work.to);
            stage.observe(&work.from, truth);
            std::mem::swap(&mut work.from, &mut work.to);
            at = next;
        }
    }

    /// `0/`, `1/` and so on.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        for (at, stage) in self.stages.iter().enumerate() {
            map.nest(&at.to_string(), stage.save());
        }
        map
    }

    /// These encoders with the state that [`Chain::save`] wrote.
    pub fn loaded(&self, state: &TensorMap) -> Result<Self, StateError> {
        let mut loaded = self.clone();
        for (at, stage) in loaded.stages.iter_mut().enumerate() {
            read_under(state, &at.to_string(), |state| stage.load(state))?;
        }
        Ok(loaded)
    }

    pub fn is_finite(&self) -> bool {
        self.stages.iter().all(|stage| stage.is_finite())
    }
}

impl Clone for Chain {
    fn clone(&self) -> Self {
        Self { stages: self.stages.iter().map(|stage| stage.boxed()).collect() }
    }
}

/// Numeric columns of rows that come to the encoders: the features; then, where rows have a context, what is pinned for
/// the encoders, and the context of the learner inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    pub numeric: usize,
    pub pinned: usize,
}

/// The context of a row: that of the encoders, and that of the learner inside.
pub(super) type Pinned<'a> = (&'a [f32], &'a [f32]);

impl Widths {
    /// The features of a row, and its context where rows have one.
    pub fn parts(self, row: &[f32]) -> (&[f32], Option<Pinned<'_>>) {
        let (features, context) = row.split_at(self.numeric);
        (features, (!context.is_empty()).then(|| context.split_at(self.pinned)))
    }
}

/// All rows as the learner inside gets them, with its context where they have one.
pub(super) fn encode_all(
    chain: &Chain,
    widths: Widths,
    inner: &Columns,
    rows: &Rows,
    work: &mut Work,
) -> Rows {
    let mut out = empty(widths, inner, rows);
    for row in 0..rows.len() {
        let (numeric, context) = widths.parts(rows.numeric_row(row));
        chain.encode((numeric, rows.categorical_row(row)), context.map(|context| context.0), work);
        push(&mut out, work, context);
    }
    out
}

/// Room for encoded rows.
pub(super) fn empty(widths: Widths, inner: &Columns, rows: &Rows) -> Rows {
    let context = rows.numeric_width().saturating_sub(widths.numeric + widths.pinned);
    Rows::with_capacity(inner.numeric.len() + context, inner.categorical.len(), rows.len())
}

/// The row in `work`, with the context of the learner inside.
pub(super) fn push(out: &mut Rows, work: &mut Work, context: Option<Pinned<'_>>) {
    work.from.numeric.extend_from_slice(context.map_or(&[][..], |context| context.1));
    out.push(&work.from.numeric, &work.from.categorical);
}
