//! Tables and leaves as tensors: only the slots that are not 0.

use super::leaves::Leaves;
use super::table::{LANES, LEAF, Table};
use crate::state::{StateError, TensorMap, at_least, finite, mismatch, sized};

/// Puts the slots of `table` that are not 0: `slot` ascending, `value` and `squares`.
pub(super) fn put_table(map: &mut TensorMap, table: &Table) {
    let (mut slots, mut values, mut squares) = (Vec::new(), Vec::new(), Vec::new());
    for (index, line) in table.lines().iter().enumerate() {
        for lane in 0..LANES {
            let (value, square) = (line.values[lane], line.squares[lane]);
            if value.to_bits() != 0 || square.to_bits() != 0 {
                slots.push((index * LANES + lane) as u32);
                values.push(value);
                squares.push(square);
            }
        }
    }
    map.put_u32("slot", &slots);
    map.put_f32("value", &values);
    map.put_f32("squares", &squares);
}

/// What [`put_table`] put of `slots` slots.
pub(super) fn table(state: &TensorMap, slots: usize) -> Result<Table, StateError> {
    let at = positions(state, slots)?;
    let values = finite(sized(state.f32s("value")?, at.len(), "value")?, "value")?;
    let squares = at_least(sized(state.f32s("squares")?, at.len(), "squares")?, 0.0, "squares")?;
    let mut table = Table::new(slots);
    for (slot, (value, square)) in at.into_iter().zip(values.into_iter().zip(squares)) {
        let (value_at, squares_at) = table.change(slot);
        (*value_at, *squares_at) = (value, square);
    }
    Ok(table)
}

/// Puts the weights that are not 0: `slot` ascending, `weight`.
pub(super) fn put_leaves(map: &mut TensorMap, leaves: &Leaves) {
    let (slots, weights): (Vec<u32>, Vec<f32>) = leaves.iter().unzip();
    map.put_u32("slot", &slots);
    map.put_f32("weight", &weights);
}

/// What [`put_leaves`] put of `slots` slots.
pub(super) fn leaves(state: &TensorMap, slots: usize) -> Result<Leaves, StateError> {
    let at = positions(state, slots)?;
    let weights = finite(sized(state.f32s("weight")?, at.len(), "weight")?, "weight")?;
    let mut leaves = Leaves::new(slots);
    let mut rest = at.iter().zip(&weights).peekable();
    while let Some((first, _)) = rest.peek() {
        let number = **first as usize / LEAF;
        let mut leaf = [0.0; LEAF];
        while let Some((slot, weight)) = rest.next_if(|(slot, _)| **slot as usize / LEAF == number) {
            leaf[*slot as usize % LEAF] = *weight;
        }
        leaves.replace(number, leaf);
    }
    Ok(leaves)
}

fn positions(state: &TensorMap, slots: usize) -> Result<Vec<u32>, StateError> {
    let at = state.u32s("slot")?;
    if let Some(slot) = at.iter().find(|slot| **slot as usize >= slots) {
        return Err(mismatch("slot", slot, format!("numbers below {slots}")));
    }
    match at.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => {
            Err(mismatch("slot", format_args!("{} after {}", pair[1], pair[0]), "ascending numbers"))
        }
        None => Ok(at),
    }
}
