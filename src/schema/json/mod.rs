//! RFC 8259, read in one pass without building anything.
//!
//! Strict where serde_json is strict: no leading zeros, no `NaN`, no comments, no trailing commas, no lone surrogates, no
//! control characters in strings. Stricter in two ways: at most [`DEPTH_MAX`] levels, and no name twice in an object.

mod names;
mod number;
mod scanner;
mod skip;
mod text;

pub(super) use names::Names;
pub(super) use number::{Number, common_f32};
pub(super) use scanner::{Scalar, Scanner};
pub(super) use text::Text;

/// Most objects and arrays within one another; the outermost is the first.
pub(super) const DEPTH_MAX: usize = 32;
