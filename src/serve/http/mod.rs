//! The HTTP server: predictions, cached answers, labels in, and what operators look at.
//!
//! A request goes from `server` through `routes` to the file that is named for what it asks; its body comes in
//! through `body` and `reader`, and whatever is wrong with it goes out as a `problem`.

mod answer;
mod body;
mod cached;
mod health;
mod labels;
mod meters;
mod models;
mod predict;
mod problem;
mod reader;
mod routes;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use server::server;
