//! All faults of a configuration at once: first what its schema says about each key, then what keys say about each other.

mod encoders;
mod fault;
mod learners;
mod places;
mod rules;
#[cfg(test)]
mod tests;
mod topics;
mod tree;
mod walk;

pub(crate) use fault::nearest_word;
pub use fault::{Fault, Origin};
#[cfg(test)]
pub(super) use tests::fixture;
pub(super) use tree::{Node, Value, parse, parse_lines, parse_value};
#[cfg(test)]
pub(super) use walk::expected;

use super::Config;

/// The configuration that a tree holds, or every fault of it.
pub(super) fn config_of(root: &Node) -> Result<Config, Vec<Fault>> {
    let faults = walk::walk(root);
    if !faults.is_empty() {
        return Err(faults);
    }
    let config: Config = serde_json::from_value(root.to_json()).map_err(|error| {
        vec![Fault::whole(Origin::Unwritten, "what the types take").problem(error.to_string())]
    })?;
    let faults = rules::check(&config, root);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}
