//! The plans by which forests are made.

use super::forest::Forest;
use super::member::{OnDrift, Plan};
use crate::config::{BaggingConfig, ForestConfig};
use crate::detect::AdwinConfig;
use crate::learn::Shape;
use crate::learn::tree::growth::Growth;
use crate::learn::tree::leaves::{Draw, LeafShape};

impl Forest {
    /// The adaptive random forest (Gomes et al., "Adaptive random forests for evolving data stream classification",
    /// Machine Learning 106, 2017; for values: "Adaptive random forests for data stream regression", ESANN 2018):
    /// Hoeffding trees that see examples with weights drawn at random and whose leaves watch some columns each; ADWIN
    /// watches the error of each tree, and a tree whose error has risen gives way to one that has grown since the first
    /// sign of it.
    ///
    /// Other than in the paper, and better on most streams tried: leaves watch 80 % of the columns (MOA 60 %), not a
    /// square root of them; ADWIN is quicker to warn and to replace; and the errors that it sees are those of the
    /// predictions from before learning.
    pub fn adaptive(config: &ForestConfig, seed: u64, shape: &Shape) -> Self {
        Self::new(plan(config, shape, Draw::Leaf), seed, shape)
    }

    /// Streaming random patches (Gomes, Read and Bifet, "Streaming random patches for evolving data stream
    /// classification", ICDM 2019): as [`Forest::adaptive`], but the columns are drawn once for each tree.
    pub fn patches(config: &ForestConfig, seed: u64, shape: &Shape) -> Self {
        Self::new(plan(config, shape, Draw::Tree), seed, shape)
    }

    /// Online bagging (Oza and Russell, "Online bagging and boosting", AISTATS 2001): each tree sees each example as
    /// often as a bootstrap sample would have it.
    pub fn online_bagging(config: &BaggingConfig, seed: u64, shape: &Shape) -> Self {
        Self::new(bagging(config, shape, 1.0, OnDrift::Keep), seed, shape)
    }

    /// Leveraging bagging (Bifet, Holmes and Pfahringer, "Leveraging bagging for evolving data streams", ECML PKDD
    /// 2010): heavier weights, and the worst tree is replaced once ADWIN sees the error of any rise.
    pub fn leveraging_bagging(config: &BaggingConfig, seed: u64, shape: &Shape) -> Self {
        Self::new(bagging(config, shape, 6.0, OnDrift::ReplaceWorst), seed, shape)
    }
}

fn adwin(delta: f64) -> AdwinConfig {
    AdwinConfig { delta, ..AdwinConfig::default() }
}

fn plan(config: &ForestConfig, shape: &Shape, draw: Draw) -> Plan {
    let columns = shape.numeric + shape.categorical;
    let watched = libm::round(columns as f64 * config.columns) as usize;
    Plan {
        growth: Growth::new(&config.of_a_tree()),
        leaf: LeafShape::new(shape, watched.clamp(columns.min(1), columns), draw),
        trees: config.trees,
        lambda: config.lambda,
        on_drift: OnDrift::ReplaceOwn,
        warning: adwin(config.warning_delta),
        drift: adwin(config.drift_delta),
    }
}

fn bagging(config: &BaggingConfig, shape: &Shape, lambda: f64, on_drift: OnDrift) -> Plan {
    Plan {
        growth: Growth::new(&config.of_a_tree()),
        leaf: LeafShape::new(shape, shape.numeric + shape.categorical, Draw::Leaf),
        trees: config.trees,
        lambda,
        on_drift,
        warning: adwin(config.drift_delta),
        drift: adwin(config.drift_delta),
    }
}
