//! Rows as tensors, oldest first, whatever they lie in.

use super::memory::Memory;
use super::window::{Block, Window};
use crate::learn::Shape;
use crate::state::{StateError, TensorMap, at_least, finite, mismatch, sized};

/// The least importance above zero.
const WEIGHT_MIN: f64 = f32::from_bits(1) as f64;

/// Puts `row_numbers`, `[rows, numeric]`, `row_codes`, `[rows, categorical]`, `row_targets` and `row_weights` of rows that
/// are named by their block and their place there.
pub(super) fn put_rows<'a>(map: &mut TensorMap, rows: impl IntoIterator<Item = (&'a Block, usize)>) {
    let (mut numbers, mut codes, mut targets, mut weights) = (vec![], vec![], vec![], vec![]);
    for (block, row) in rows {
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

/// The rows of a window, as [`put_rows`] puts them.
pub(super) fn of(window: &Window) -> TensorMap {
    let mut map = TensorMap::new();
    put_window(&mut map, window);
    map
}

/// What [`put_rows`] put of a memory of at most `rows_max` rows; `metric` as in [`Memory::push`].
pub(super) fn memory(
    rows_max: usize,
    shape: &Shape,
    metric: (&[f32], &[f32]),
    state: &TensorMap,
) -> Result<Memory, StateError> {
    let mut memory = Memory::new(rows_max, shape.numeric, shape.categorical);
    read(rows_max, shape, state, |numbers, codes, target, weight| {
        memory.push((numbers, codes), (target, weight), metric);
    })?;
    Ok(memory)
}

/// What [`put_rows`] put of a window that has at most `rows_max` rows for now.
pub(super) fn window(rows_max: usize, shape: &Shape, state: &TensorMap) -> Result<Window, StateError> {
    let mut window = Window::endless(shape.numeric, shape.categorical);
    read(rows_max, shape, state, |numbers, codes, target, weight| {
        window.push(numbers, codes, target, weight);
    })?;
    Ok(window)
}

/// Puts the rows of a window, as [`put_rows`] does.
pub(in crate::learn) fn put_window(map: &mut TensorMap, window: &Window) {
    put_rows(map, window.places().map(|place| (window.block(place), place.row as usize)));
}

/// What [`put_window`] put of a window of at most `rows_max` rows.
pub(in crate::learn) fn load_window(
    rows_max: usize,
    shape: &Shape,
    state: &TensorMap,
) -> Result<Window, StateError> {
    let mut window = Window::new(rows_max, shape.numeric, shape.categorical);
    read(rows_max, shape, state, |numbers, codes, target, weight| {
        window.push(numbers, codes, target, weight);
    })?;
    Ok(window)
}

/// Hands over each row: its numbers, codes, target and weight.
fn read(
    rows_max: usize,
    shape: &Shape,
    state: &TensorMap,
    mut each: impl FnMut(&[f32], &[u32], f32, f32),
) -> Result<(), StateError> {
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
    for row in 0..rows {
        let numbers = &numbers[row * shape.numeric..(row + 1) * shape.numeric];
        let codes = &codes[row * shape.categorical..(row + 1) * shape.categorical];
        each(numbers, codes, targets[row], weights[row]);
    }
    Ok(())
}
