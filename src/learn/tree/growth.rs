//! How a tree grows, from its configuration.

use crate::config::{LeafVote, NominalSplit, TreeConfig};

/// How a tree grows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Growth {
    /// Weight between two tries to split a leaf.
    pub grace_period: f64,
    /// `ln(1 / delta)` of the Hoeffding bound.
    pub confidence: f64,
    /// A bound below this decides a tie.
    pub tie_threshold: f64,
    pub vote: LeafVote,
    pub nominal_split: NominalSplit,
    /// Most categories that a leaf counts apart in a column.
    pub categories_max: usize,
    pub memory_bytes_max: usize,
}

impl Growth {
    /// By how much a mean of values in `[0, range]` over a weight may be off (Hoeffding 1963).
    pub fn bound(&self, range: f64, weight: f64) -> f64 {
        (range * range * self.confidence / (2.0 * weight)).sqrt()
    }

    /// How a tree grows.
    pub fn new(config: &TreeConfig) -> Self {
        Self {
            grace_period: f64::from(config.grace_period),
            confidence: -libm::log(config.split_confidence),
            tie_threshold: config.tie_threshold,
            vote: config.leaf,
            nominal_split: config.nominal_split,
            categories_max: config.categories_max,
            memory_bytes_max: config.memory_bytes_max,
        }
    }
}
