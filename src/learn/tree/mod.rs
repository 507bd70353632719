//! Trees that grow as examples come: the Hoeffding tree, the Hoeffding adaptive tree, the adaptive random forest.
//!
//! A row (`row`) goes down the tests of a tree (`nodes`) to a leaf (`leaves`), whose observers (`cells` for numeric
//! columns, `table` for categorical ones) have seen the examples before it and say how likely each class is (`vote`).
//! From time to time a leaf looks for the test that tells its classes apart best (`splits`) and becomes that test
//! (`grown`). `view` is what a predictor keeps of a tree. `branches` replaces
//! what has gone bad inside a tree; a forest replaces a whole `member`.

mod adaptive;
mod branches;
mod cells;
mod forest;
mod functions;
mod grown;
mod growth;
mod hoeffding;
mod leaves;
mod member;
mod nodes;
mod poisson;
mod row;
mod saved;
mod shelf;
mod splits;
mod table;
mod view;
mod vote;

#[cfg(test)]
mod tests;

pub use adaptive::{HoeffdingAdaptivePredictor, HoeffdingAdaptiveTree};
pub(in crate::learn) use forest::Asked;
pub use forest::{AdaptiveRandomForest, ForestPredictor};
pub(in crate::learn) use functions::ln;
pub use hoeffding::{HoeffdingTree, HoeffdingTreePredictor};
