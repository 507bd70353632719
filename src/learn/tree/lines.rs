//! The straight lines of a regression tree's leaves, and the scale on which its columns are told.
//!
//! Each leaf has a linear model of the standardised columns, as in FIMT-DD (Ikonomovska, Gama and Džeroski, "Learning
//! model trees from evolving data streams", Data Mining and Knowledge Discovery 23, 2011), stepped by normalised least
//! mean squares (Nagumo and Noda 1967), so that no rate depends on the units of columns or target.

use super::row::Row;

/// Step of a line for an example of weight one, as a share of what would meet its target.
const STEP: f32 = 0.03;

/// Standardised values beyond count as these.
const DEVIATIONS_MAX: f32 = 4.0;

/// Below, a column counts as constant.
const VARIANCE_MIN: f64 = 1e-36;

/// Weight, mean and sum of squared deviations (West 1979).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::learn) struct Moments {
    pub weight: f64,
    pub mean: f64,
    pub squares: f64,
}

impl Moments {
    #[inline(always)]
    pub fn add(&mut self, value: f64, weight: f64) {
        self.weight += weight;
        let deviation = value - self.mean;
        self.mean += deviation * (weight / self.weight);
        self.squares += weight * deviation * (value - self.mean);
    }

    pub fn deviation(&self) -> f64 {
        if self.weight > 0.0 { (self.squares.max(0.0) / self.weight).sqrt() } else { 0.0 }
    }
}

/// What a tree knows of its columns and of its target.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::learn) struct Scale {
    /// `[numeric]`.
    pub columns: Vec<Moments>,
    pub target: Moments,
    /// What [`standardise`] needs: means, inverse deviations, and then the lowest and the highest target; lines say
    /// nothing beyond.
    pub plain: Vec<f32>,
}

impl Scale {
    fn new(numeric: usize) -> Self {
        let mut plain = vec![0.0; 2 * numeric];
        plain.extend([f32::MAX, f32::MIN]);
        Self { columns: vec![Moments::default(); numeric], target: Moments::default(), plain }
    }

    /// From the moments of a saved one.
    pub fn restored(columns: Vec<Moments>, target: Moments, bounds: [f32; 2]) -> Self {
        let mut scale = Self { target, ..Self::new(columns.len()) };
        scale.columns = columns;
        (0..scale.columns.len()).for_each(|column| scale.settle(column));
        let bounds_at = 2 * scale.columns.len();
        scale.plain[bounds_at..].copy_from_slice(&bounds);
        scale
    }

    #[inline]
    fn settle(&mut self, column: usize) {
        let moments = &self.columns[column];
        let variance = moments.squares / moments.weight.max(f64::MIN_POSITIVE);
        self.plain[column] = moments.mean as f32;
        let inverse = if variance > VARIANCE_MIN { 1.0 / variance.sqrt() } else { 0.0 };
        self.plain[self.columns.len() + column] = inverse as f32;
    }

    #[inline]
    pub fn observe(&mut self, row: &Row, target: f32, weight: f64) {
        let numeric = self.columns.len();
        for column in 0..numeric {
            let value = row.numeric[column];
            if !value.is_nan() {
                self.columns[column].add(f64::from(value), weight);
                self.settle(column);
            }
        }
        self.target.add(f64::from(target), weight);
        let bounds = &mut self.plain[2 * numeric..];
        bounds[0] = bounds[0].min(target);
        bounds[1] = bounds[1].max(target);
    }
}

/// The standardised numeric columns of a row, missing ones 0, and a 1 behind them, into `zs`.
#[inline(always)]
pub(in crate::learn) fn standardise(row: &Row, plain: &[f32], zs: &mut Vec<f32>) {
    let numeric = plain.len() / 2 - 1;
    let (means, inverses) = (&plain[..numeric], &plain[numeric..2 * numeric]);
    zs.clear();
    zs.extend(row.numeric.iter().zip(means).zip(inverses).map(|((x, mean), inverse)| {
        let z = ((x - mean) * inverse).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX);
        if z.is_nan() { 0.0 } else { z }
    }));
    zs.push(1.0);
}

/// What a line says, within the targets seen.
#[inline(always)]
pub(in crate::learn) fn say(line: &[f32], zs: &[f32], plain: &[f32]) -> f32 {
    let sum: f32 = line.iter().zip(zs).map(|(weight, z)| weight * z).sum();
    let numeric = plain.len() - 2;
    sum.min(plain[numeric + 1]).max(plain[numeric])
}

/// Steps a line towards a target from which it is off by `error`.
#[inline(always)]
pub(in crate::learn) fn step(line: &mut [f32], zs: &[f32], error: f32, weight: f32) {
    /// Weights stop growing here, so that sums of their products stay finite.
    const WEIGHT_MAX: f32 = 1e20;
    let norm: f32 = zs.iter().map(|z| z * z).sum();
    let by = error * ((STEP * weight).min(0.5) / norm);
    for (line, z) in line.iter_mut().zip(zs) {
        *line = (*line + by * z).clamp(-WEIGHT_MAX, WEIGHT_MAX);
    }
}

/// The lines of all leaves; a tree of classes has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::learn) struct Lines {
    /// Numbers of a line: one a numeric column, and the constant; 0 without lines.
    pub width: usize,
    /// `[leaves, width]`.
    pub weights: Vec<f32>,
    pub scale: Scale,
    /// `[slots]`: from where the observers of a leaf tell their targets.
    pub centres: Vec<f32>,
}

impl Lines {
    pub fn new(numeric: usize) -> Self {
        let (weights, centres) = (Vec::new(), Vec::new());
        Self { width: numeric + 1, weights, scale: Scale::new(numeric), centres }
    }

    /// As these, but without a line.
    pub fn without_lines(&self) -> Self {
        Self { weights: Vec::new(), ..self.clone() }
    }

    pub fn push(&mut self) {
        self.weights.resize(self.weights.len() + self.width, 0.0);
    }

    pub fn of(&self, leaf: usize) -> &[f32] {
        &self.weights[leaf * self.width..(leaf + 1) * self.width]
    }

    pub fn copy_from(&mut self, leaf: usize, line: &[f32]) {
        self.weights[leaf * self.width..(leaf + 1) * self.width].copy_from_slice(line);
    }

    /// Puts the last line in the place of that of `leaf`.
    pub fn swap_remove(&mut self, leaf: usize) {
        let last = self.weights.len() - self.width;
        self.weights.copy_within(last.., leaf * self.width);
        self.weights.truncate(last);
    }
}
