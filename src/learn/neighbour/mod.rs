//! Nearest neighbours among the rows learned last.
//!
//! A row goes into a window of blocks (`window`); a prediction scans all of them (`scan`), 16 rows at once, newest first,
//! and the nearest ones vote (`vote`). That is enough for a few thousand rows. Of more (`memory`), those that are not
//! among the newest are sorted into boxes (`segment`, `boxes`), most of which a search can pass by. Either way the rows
//! found are exactly the nearest. Columns count by what they say about the target (`relevance`). `sam` has two windows, one of the concept of the moment and one of what was learned
//! before and does not contradict it.

mod boxes;
mod learner;
mod memory;
mod predictor;
mod relevance;
mod sam;
mod saved;
mod scan;
mod segment;
mod vote;
mod window;

#[cfg(test)]
mod tests;

pub use learner::KnnLearner;
pub use predictor::KnnPredictor;
pub(in crate::learn) use predictor::{encode, fill};
pub use sam::{SamKnnLearner, SamKnnPredictor};
pub(in crate::learn) use saved::{load_window, put_window};
pub(in crate::learn) use scan::{Nearest, Query};
pub(in crate::learn) use window::{BLOCK, Window};
