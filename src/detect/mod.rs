//! Change detectors: plain structs that are fed with numbers and say when their distribution has changed. Learners and
//! monitors both use them.

mod adwin;

pub use adwin::{Adwin, AdwinConfig, AfterChange, Change};
