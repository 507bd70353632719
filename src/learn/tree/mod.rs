//! Trees that grow as examples come: the Hoeffding tree and the Hoeffding adaptive tree, for classes and for values.
//! Forests of them are in `ensemble`.
//!
//! A row (`row`) goes down the tests of a tree (`nodes`) to a leaf (`leaves`), whose observers (`cells` for numeric
//! columns, `table` for categorical ones) have seen the examples before it and say how likely each class is (`vote`).
//! From time to time a leaf looks for the test that tells its classes apart best (`splits`) and becomes that test
//! (`grown`). Of a regression the observers are `bins`, a leaf answers with its mean or its line (`lines`, `values`), and
//! the test is the one that leaves the least variance (`variance`). `view` is what a predictor keeps of a tree.
//! `branches` replaces what has gone bad inside a tree.

mod adaptive;
mod bins;
mod branches;
mod cells;
mod functions;
pub(super) mod grown;
pub(super) mod growth;
mod hoeffding;
pub(super) mod leaves;
pub(super) mod lines;
mod nodes;
pub(super) mod row;
pub(super) mod saved;
mod shelf;
mod splits;
mod table;
mod values;
mod variance;
pub(super) mod view;
pub(super) mod vote;

#[cfg(test)]
mod tests;

pub use adaptive::{HoeffdingAdaptivePredictor, HoeffdingAdaptiveTree};
pub(in crate::learn) use functions::ln;
pub use hoeffding::{HoeffdingTree, HoeffdingTreePredictor};
