//! Any learner, watched: when its own error rises, a second one that has grown beside it takes over, or it begins anew,
//! or it takes larger steps for a while.
//!
//! `watch` finds the rises, `rival` is the second learner and how it compares, `learner` puts them together. What is
//! published is what the learner in charge publishes: serving knows nothing of all this.

mod learner;
mod rival;
mod watch;

#[cfg(test)]
mod tests;

pub use learner::Adapting;
