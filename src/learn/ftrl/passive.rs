//! Passive-aggressive steps (Crammer, Dekel, Keshet, Shalev-Shwartz and Singer, "Online passive-aggressive algorithms",
//! JMLR 2006), variant PA-I: as far as the example asks for, but not farther than the aggressiveness `C` times its
//! importance. Nothing is remembered but the weights.

use super::adaptive::{bounded, square_sum};
use super::table::{LANES, Table};

/// How far a value may be off before a regression moves, in deviations of the target (epsilon).
const INSENSITIVE: f32 = 0.1;

/// How far two classes are moved along a row: the hinge loss over its squared length.
#[inline]
pub(super) fn hinge(margin: f32, row: &[f32], aggressiveness: f32) -> f32 {
    ((1.0 - margin).max(0.0) / square_sum(row)).min(aggressiveness)
}

/// How far a value is moved along a row, with its sign.
#[inline]
pub(super) fn insensitive(residual: f32, row: &[f32], aggressiveness: f32) -> f32 {
    let loss = (residual.abs() - INSENSITIVE).max(0.0);
    (loss / square_sum(row)).min(aggressiveness).copysign(residual)
}

/// Moves the weights of one score by `length` times the row.
#[inline]
pub(super) fn step(table: &mut Table, slots: &[u32], row: &[f32], length: f32) {
    for (slot, value) in slots.iter().zip(row) {
        let (weight, _) = table.change(*slot);
        *weight = bounded(*weight + length * value);
    }
}

/// Moves class `class` towards the row and the strongest other one away from it (the single-constraint update of the
/// paper's section 8).
#[inline]
pub(super) fn step_classes(
    table: &mut Table,
    slots: &[u32],
    row: &[f32],
    class: usize,
    scores: &[f32],
    aggressiveness: f32,
) {
    let others = scores.iter().enumerate().filter(|(other, _)| *other != class);
    let Some((rival, strongest)) = others.max_by(|a, b| a.1.total_cmp(b.1)) else {
        return;
    };
    let loss = (1.0 - (scores[class] - strongest)).max(0.0);
    let length = (loss / (2.0 * square_sum(row))).min(aggressiveness);
    if length == 0.0 {
        return;
    }
    for (slot, value) in slots.iter().zip(row) {
        for (class, by) in [(class, length), (rival, -length)] {
            let weight = &mut table.change_line(*slot, class / LANES).values[class % LANES];
            *weight = bounded(*weight + by * value);
        }
    }
}
