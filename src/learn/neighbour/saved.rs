//! A window as tensors: its rows, oldest first, whatever the blocks.

use super::window::Window;
use crate::learn::Shape;
use crate::state::{StateError, TensorMap, at_least, finite, mismatch, sized};

/// The least importance above zero.
const WEIGHT_MIN: f64 = f32::from_bits(1) as f64;

/// Puts `row_numbers`, `[rows, numeric]`, `row_codes`, `[rows, categorical]`, `row_targets` and `row_weights`.
pub(in crate::learn) fn put_window(map: &mut TensorMap, window: &Window) {
    let (mut numbers, mut codes, mut targets, mut weights) = (vec![], vec![], vec![], vec![]);
    for place in window.places() {
        let (block, row) = (window.block(place), place.row as usize);
        numbers.extend(block.numbers.iter().map(|column| column[row]));
        codes.extend(block.codes.iter().map(|column| column[row]));
        targets.push(block.targets[row]);
        weights.push(block.weights[row]);
    }
    map.put_f32("row_numbers", &numbers);
    map.put_u32("row_codes", &codes);
    map.put_f32("row_targets", &targets);
    map.put_f32("row_weights", &weights);
}

/// What [`put_window`] put of a window of at most `rows_max` rows.
pub(in crate::learn) fn window(
    rows_max: usize,
    shape: &Shape,
    state: &TensorMap,
) -> Result<Window, StateError> {
    let targets = state.f32s("row_targets")?;
    if targets.len() > rows_max {
        let found = format_args!("{} rows", targets.len());
        return Err(mismatch("row_targets", found, format!("at most {rows_max} rows")));
    }
    let odd = |target: &&f32| shape.objective.importance(**target, 1.0).is_none();
    if let Some(target) = targets.iter().find(odd) {
        return Err(mismatch("row_targets", target, "targets of the task"));
    }
    let rows = targets.len();
    let numbers =
        finite(sized(state.f32s("row_numbers")?, rows * shape.numeric, "row_numbers")?, "row_numbers")?;
    let weights =
        at_least(sized(state.f32s("row_weights")?, rows, "row_weights")?, WEIGHT_MIN, "row_weights")?;
    let codes = sized(state.u32s("row_codes")?, rows * shape.categorical, "row_codes")?;
    let mut window = Window::new(rows_max, shape.numeric, shape.categorical);
    for row in 0..rows {
        let numbers = &numbers[row * shape.numeric..(row + 1) * shape.numeric];
        let codes = &codes[row * shape.categorical..(row + 1) * shape.categorical];
        window.push(numbers, codes, targets[row], weights[row]);
    }
    Ok(window)
}
