//! Sparse linear models over hashed features: a table of 2^bits weights, whatever the number of categories and crosses.
//!
//! One example takes this way: its columns become slots of the table and values (`features`, `scaling`), the slots are
//! gathered from the table (`table`), scored (`forward`), and moved by one of three rules: FTRL-Proximal (`proximal`),
//! adaptive and normalised gradient steps (`adaptive`), or passive-aggressive ones (`passive`). A slot holds a number
//! and its statistics in one cache line. What readers get is the weights alone, in leaves that are shared with the
//! revision before where nothing changed (`leaves`).
//!
//! The tricks are those of McMahan et al., "Ad click prediction: a view from the trenches" (KDD 2013), and of Vowpal
//! Wabbit: Weinberger et al., "Feature hashing for large scale multitask learning" (ICML 2009), and Ross, Mineiro and
//! Langford, "Normalized online learning" (UAI 2013).

mod adaptive;
mod features;
mod forward;
mod learner;
mod leaves;
mod passive;
mod predictor;
mod proximal;
mod saved;
mod scaling;
mod table;

#[cfg(test)]
mod tests;

pub use learner::FtrlLearner;
pub use predictor::FtrlPredictor;
