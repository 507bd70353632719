//! Hyperparameters found along the stream, after ChaCha (Wu, Wang, Langford, Mineiro and Rossi, "ChaCha for online
//! AutoML", ICML 2021): learners of one family with different settings race by their progressive loss. The champion
//! predicts; challengers have some slots, and in them turns whose length doubles.
//!
//! `space` proposes settings, `duel` compares two learners, `stable` has those that wait, `field` those that learn, and
//! `learner` is the race.

mod duel;
mod field;
mod learner;
mod predictor;
mod space;
mod stable;

#[cfg(test)]
mod tests;

pub use learner::Race;
pub use predictor::RacePredictor;
