//! The newest answer for each entity key, bounded, and computed again when the model has moved on.

mod actor;
mod core;

pub(in crate::serve) use actor::now_ms;
pub use actor::{Answer, Cache, Clear, Fill, Get};
pub use core::{CacheCore, CacheCounts, Found};
