//! As much of the configuration as the stream room imports.

#[path = "../../../../src/config/kafka.rs"]
mod kafka;

pub use kafka::KafkaConfig;

use std::collections::BTreeMap;
use std::fmt;

/// Stands in for the service's `Masked`, whose tests want the whole configuration: shows names only.
struct Masked<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
