//! The trees among the experts: how they are made, and what they take.

use crate::config::{BoostingConfig, ForestConfig, ModelConfig};
use crate::learn::{Objective, Shape};

/// Classes that a forest tells apart in place of values.
pub(super) const BINS: usize = 8;

/// The shape that the forest is made for.
pub(super) fn forest_shape(shape: &Shape) -> Shape {
    match shape.objective {
        Objective::Classify { .. } => shape.clone(),
        Objective::Regress => Shape { objective: Objective::Classify { classes: BINS }, ..shape.clone() },
    }
}

pub(super) fn forest_config(config: &ModelConfig) -> ForestConfig {
    ForestConfig {
        trees: config.auto.trees,
        memory_bytes_max: config.auto.memory_bytes_max,
        ..ForestConfig::default()
    }
}

/// Boosted trees that take about a quarter of `memory_bytes_max` for each of leaf values, growth and rows, also of
/// thousands of classes or columns.
pub(super) fn boosting_config(config: &ModelConfig, shape: &Shape) -> BoostingConfig {
    const BINS: usize = 64;
    let quarter = config.auto.memory_bytes_max / 4;
    let mut boosting = BoostingConfig::default();
    let margins = margins(shape);
    let width = margins * boosting.steps.len();
    let columns = (shape.numeric + shape.categorical).max(1);
    boosting.leaves = boosting.leaves.min(quarter / (columns * BINS * 8 * margins)).max(2);
    boosting.trees = boosting.trees.min(quarter / (4 * boosting.leaves * width)).max(1);
    let row = 2 * (4 * shape.numeric + 8 * shape.categorical + boosting.trees) + 8 * (width + margins);
    boosting.rows_max = boosting.rows_max.min(quarter / row).max(32);
    boosting
}

fn margins(shape: &Shape) -> usize {
    match shape.objective {
        Objective::Classify { classes } if classes > 2 => classes,
        _ => 1,
    }
}

/// Operations that the forest, and the boosted trees, take for an example, about.
pub(super) fn operations(config: &ModelConfig, shape: &Shape) -> (usize, usize) {
    /// Of a test on the way to a leaf, which waits for memory.
    const TEST: usize = 50;
    /// Tests on the way to a leaf.
    const FOREST_TESTS: usize = 8;
    const BOOSTING_TESTS: usize = 5;
    let columns = shape.numeric + shape.categorical;
    let leaf = 40 * columns * forest_shape(shape).objective.outputs();
    let forest = config.auto.trees * (FOREST_TESTS * TEST + leaf);
    let boosting = boosting_config(config, shape);
    let values = 8 * boosting.steps.len() * margins(shape);
    // Every 32 examples or more a tree is grown, on more rows the longer it takes.
    let growth = 32 * 8 * columns * margins(shape);
    (forest, boosting.trees * (BOOSTING_TESTS * TEST + values) + growth)
}
