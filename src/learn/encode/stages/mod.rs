//! The encoders: each turns a row into another row, and may learn how from the rows that come by.

mod clip;
mod cross;
mod cycle;
mod hash;
mod indicators;
mod missing;
mod quantiles;
mod rank;
mod scale;
mod sorted;
mod table;
mod target_mean;

use super::row::{Row, Truth};
use crate::config::{EncoderConfig, EncoderKind};
use crate::learn::{ColumnIndex, Columns, Objective};
use crate::state::{StateError, TensorMap};

/// One encoder with what it has learned.
pub(super) trait Stage: Send + Sync {
    /// The columns of the rows that it makes of rows with the columns it was made for.
    fn columns(&self, of: &Columns) -> Columns;

    /// Numbers that stay with a row from when it comes until it is learned.
    fn pinned_width(&self) -> usize {
        0
    }

    /// The numbers that stay with a row, `[pinned_width]`, as they are now.
    fn pin(&self, row: &Row, out: &mut Vec<f32>) {
        let _ = (row, out);
    }

    /// Makes `to` of `from`; `pinned` is what stayed with the row.
    fn encode(&self, from: &Row, pinned: &[f32], to: &mut Row);

    /// Learns from a row as it comes in here.
    fn observe(&mut self, row: &Row, truth: Truth) {
        let _ = (row, truth);
    }

    fn save(&self) -> TensorMap {
        TensorMap::new()
    }

    /// Takes over what [`Stage::save`] wrote; on an error nothing has changed.
    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let _ = state;
        Ok(())
    }

    /// Whether all that it does with numbers leaves them finite.
    fn is_finite(&self) -> bool {
        true
    }

    /// A copy for readers.
    fn boxed(&self) -> Box<dyn Stage>;
}

/// The encoder of a configuration for rows of some columns.
pub(super) fn stage(config: &EncoderConfig, objective: Objective, columns: &Columns) -> Box<dyn Stage> {
    let numeric = || {
        of_kind(&config.columns, columns.numeric.len(), |name| match columns.find(name) {
            Some(ColumnIndex::Numeric(column)) => Some(column),
            _ => None,
        })
    };
    let categorical = || {
        of_kind(&config.columns, columns.categorical.len(), |name| match columns.find(name) {
            Some(ColumnIndex::Categorical(column)) => Some(column),
            _ => None,
        })
    };
    match config.kind {
        EncoderKind::Standardise => Box::new(scale::Scale::new(numeric(), config.examples_max)),
        EncoderKind::Clip => Box::new(clip::Clip::new(numeric(), config.window, config.tail)),
        EncoderKind::Quantile => Box::new(rank::Rank::new(numeric(), config.window)),
        EncoderKind::Missing => Box::new(missing::Missing::new(numeric())),
        EncoderKind::OneHot => Box::new(indicators::Indicators::new(categorical(), config.categories_max)),
        EncoderKind::Hash => Box::new(hash::Hash::new(categorical(), config.buckets)),
        EncoderKind::TargetMean => {
            let bounds = (config.categories_max, config.examples_max);
            Box::new(target_mean::TargetMean::new(categorical(), objective, config.smoothing, bounds))
        }
        EncoderKind::Cycle => Box::new(cycle::Cycle::new(numeric(), &config.periods)),
        EncoderKind::Cross => Box::new(cross::Cross::new(categorical())),
    }
}

/// The columns that are named, or all; ascending, each once.
fn of_kind(names: &[String], count: usize, find: impl Fn(&str) -> Option<usize>) -> Vec<usize> {
    if names.is_empty() {
        return (0..count).collect();
    }
    let mut found: Vec<usize> = names.iter().filter_map(|name| find(name)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Columns with more numeric ones behind them.
fn with_numeric(of: &Columns, names: impl IntoIterator<Item = String>) -> Columns {
    let mut columns = of.clone();
    columns.numeric.extend(names);
    columns
}

/// Columns without some categorical ones.
fn without_categorical(of: &Columns, gone: &[usize]) -> Columns {
    let mut columns = of.clone();
    let mut column = 0;
    columns.categorical.retain(|_| {
        column += 1;
        gone.binary_search(&(column - 1)).is_err()
    });
    columns
}
