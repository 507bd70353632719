//! State as named tensors: what is saved, loaded and digested, by every part that has a state.
//!
//! A part writes its fields under paths such as `linear/weights`; a [`TensorMap`] keeps them in path order, so that its
//! digest and its safetensors file never depend on the order of a hash map.

mod tensors;

pub use tensors::{Digest, Dtype, StateError, Tensor, TensorMap};
