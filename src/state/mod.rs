//! State as named tensors, and the files that hold it.
//!
//! Tensors: what is saved, loaded and digested, by every part that has a state.
//!
//! A part writes its fields under paths such as `linear/weights`; a [`TensorMap`] keeps them in path order, so that its
//! digest and its safetensors file never depend on the order of a hash map.

mod disk;
mod read;
mod tensors;

pub use disk::{create_folders, sync_folder, write_synced};
pub use read::{at_least, finite, mismatch, sized};
pub use tensors::{Digest, Dtype, StateError, Tensor, TensorMap};
