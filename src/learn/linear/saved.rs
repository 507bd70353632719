//! Weights as tensors, whatever lies between them in memory.

use super::forward::stride;
use crate::state::{StateError, TensorMap, mismatch};

/// Puts `dense`, `[scores, stride]`, as `weights`, `[scores, numeric]`, and `bias`, `[scores]`.
pub(super) fn put_dense(map: &mut TensorMap, dense: &[f32], numeric: usize) {
    let blocks = || dense.chunks_exact(stride(numeric));
    map.put_f32("weights", &blocks().flat_map(|block| &block[..numeric]).copied().collect::<Vec<_>>());
    map.put_f32("bias", &blocks().map(|block| block[numeric]).collect::<Vec<_>>());
}

/// What [`put_dense`] put.
pub(super) fn dense(state: &TensorMap, numeric: usize, scores: usize) -> Result<Vec<f32>, StateError> {
    let weights = numbers(state, "weights", scores * numeric)?;
    let bias = numbers(state, "bias", scores)?;
    let mut dense = vec![0.0; scores * stride(numeric)];
    for (score, block) in dense.chunks_exact_mut(stride(numeric)).enumerate() {
        block[..numeric].copy_from_slice(&weights[score * numeric..(score + 1) * numeric]);
        block[numeric] = bias[score];
    }
    Ok(dense)
}

/// `expected` finite numbers.
pub(super) fn numbers(state: &TensorMap, path: &str, expected: usize) -> Result<Vec<f32>, StateError> {
    let numbers = state.f32s(path)?;
    if numbers.len() != expected {
        return Err(mismatch(path, format_args!("{} numbers", numbers.len()), format!("{expected} numbers")));
    }
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(mismatch(path, number, "finite numbers")),
        None => Ok(numbers),
    }
}
