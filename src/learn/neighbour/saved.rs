//! A window as tensors: its rows, oldest first, whatever the blocks.

use super::window::Window;
use crate::learn::encode::refuse;
use crate::learn::{Objective, Shape};
use crate::state::{StateError, TensorMap};

/// Puts `row_numbers`, `[rows, numeric]`, `row_codes`, `[rows, categorical]`, `row_targets` and `row_weights`.
pub(super) fn put_window(map: &mut TensorMap, window: &Window) {
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
pub(super) fn window(rows_max: usize, shape: &Shape, state: &TensorMap) -> Result<Window, StateError> {
    let targets = state.f32s("row_targets")?;
    if targets.len() > rows_max {
        let found = format_args!("{} rows", targets.len());
        return Err(refuse("row_targets", found, format!("at most {rows_max} rows")));
    }
    let odd = |target: f32| match shape.objective {
        Objective::Classify { classes } => {
            !(target >= 0.0 && (target as usize) < classes && target.fract() == 0.0)
        }
        Objective::Regress => !target.is_finite(),
    };
    if let Some(target) = targets.iter().find(|target| odd(**target)) {
        return Err(refuse("row_targets", target, "targets of the task"));
    }
    let rows = targets.len();
    let numbers = finite(state, "row_numbers", rows * shape.numeric, f32::MIN)?;
    let weights = finite(state, "row_weights", rows, 0.0)?;
    let codes = state.u32s("row_codes")?;
    if codes.len() != rows * shape.categorical {
        let expected = format!("{} numbers", rows * shape.categorical);
        return Err(refuse("row_codes", format_args!("{} numbers", codes.len()), expected));
    }
    let mut window = Window::new(rows_max, shape.numeric, shape.categorical);
    for row in 0..rows {
        let numbers = &numbers[row * shape.numeric..(row + 1) * shape.numeric];
        let codes = &codes[row * shape.categorical..(row + 1) * shape.categorical];
        window.push(numbers, codes, targets[row], weights[row]);
    }
    Ok(window)
}

fn finite(state: &TensorMap, path: &str, expected: usize, lowest: f32) -> Result<Vec<f32>, StateError> {
    let numbers = state.f32s(path)?;
    if numbers.len() != expected {
        return Err(refuse(path, format_args!("{} numbers", numbers.len()), format!("{expected} numbers")));
    }
    match numbers.iter().find(|number| !number.is_finite() || **number < lowest) {
        Some(number) => Err(refuse(path, number, "finite numbers in their range")),
        None => Ok(numbers),
    }
}
