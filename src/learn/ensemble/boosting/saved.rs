//! Boosted trees as tensors.

use std::sync::Arc;

use super::blend::Blend;
use super::booster::{Booster, Crown, Plan};
use super::structure::{LEAF, Node, Structure};
use crate::learn::encode::read_under;
use crate::learn::tree::lines::Moments;
use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// A tree's tests, and the values of its leaves.
type Planted = (Arc<Structure>, Vec<f32>);

/// Trees with their values.
pub(super) fn put_trees(map: &mut TensorMap, trees: &[(&Structure, &[f32])]) {
    let nodes = || trees.iter().flat_map(|(structure, _)| structure.nodes.iter());
    map.put_u64("salts", &trees.iter().map(|(structure, _)| structure.salt).collect::<Vec<_>>());
    map.put_u64(
        "nodes",
        &trees.iter().map(|(structure, _)| structure.nodes.len() as u64).collect::<Vec<_>>(),
    );
    map.put_u32("test", &nodes().map(|node| node.test).collect::<Vec<_>>());
    map.put_u32("first", &nodes().map(|node| node.first).collect::<Vec<_>>());
    map.put_u64("value", &nodes().map(|node| node.value).collect::<Vec<_>>());
    map.put_f32("leaves", &trees.iter().flat_map(|(_, values)| values.iter().copied()).collect::<Vec<_>>());
}

pub(super) fn load_trees(plan: &Plan, state: &TensorMap) -> Result<Vec<Planted>, StateError> {
    let salts = state.u64s("salts")?;
    if salts.len() > plan.config.trees {
        return Err(mismatch("salts", salts.len(), format_args!("at most {} trees", plan.config.trees)));
    }
    let lens = sized(state.u64s("nodes")?, salts.len(), "nodes")?;
    let total = lens.iter().fold(0_u64, |sum, len| sum.saturating_add(*len)) as usize;
    let test = sized(state.u32s("test")?, total, "test")?;
    let first = sized(state.u32s("first")?, total, "first")?;
    let value = sized(state.u64s("value")?, total, "value")?;
    let width = plan.width();
    let all = test.iter().filter(|test| **test == LEAF).count();
    let leaves = finite(sized(state.f32s("leaves")?, all * width, "leaves")?, "leaves")?;
    let parts = test.into_iter().zip(first).zip(value);
    let mut parts = parts.map(|((test, first), value)| Node { test, first, value });
    let mut values = leaves.chunks_exact(width.max(1));
    let mut trees = Vec::with_capacity(salts.len());
    for (salt, len) in salts.into_iter().zip(lens) {
        let nodes: Box<[Node]> = parts.by_ref().take(len as usize).collect();
        let leaves = nodes.iter().filter(|node| node.test == LEAF).count();
        let (numeric, categorical) = (plan.shape.numeric, plan.shape.categorical);
        let fits = |(at, node): (usize, &Node)| node.fits(at, nodes.len(), leaves, numeric, categorical);
        if leaves == 0 || leaves > plan.config.leaves || !nodes.iter().enumerate().all(fits) {
            return Err(mismatch("first", format_args!("{nodes:?}"), "a tree of nodes"));
        }
        let own = values.by_ref().take(leaves).flatten().copied().collect();
        trees.push((Arc::new(Structure { nodes, leaves, salt }), own));
    }
    Ok(trees)
}

pub(super) fn put_crown(map: &mut TensorMap, crown: &Crown) {
    let Crown { base, blend, target } = crown;
    map.put_f32("base", base);
    map.put_f64("losses", &blend.losses);
    map.put_f64("scale", &[blend.variance, target.weight, target.mean, target.squares]);
}

pub(super) fn load_crown(plan: &Plan, state: &TensorMap) -> Result<Crown, StateError> {
    let base = finite(sized(state.f32s("base")?, plan.width(), "base")?, "base")?;
    let losses = finite(sized(state.f64s("losses")?, plan.config.steps.len(), "losses")?, "losses")?;
    let scale = finite(sized(state.f64s("scale")?, 4, "scale")?, "scale")?;
    let target = Moments { weight: scale[1], mean: scale[2], squares: scale[3] };
    Ok(Crown { base, blend: Blend::restored(losses, scale[0]), target })
}

/// The whole; of the window the rows that can still be looked at.
pub(super) fn booster(booster: &Booster) -> TensorMap {
    let Booster { trees, crown, window, adwin, learned, waited, grown, .. } = booster;
    let mut map = TensorMap::new();
    let all: Vec<_> = trees.iter().map(|tree| (&*tree.structure, &*tree.values)).collect();
    put_trees(&mut map, &all);
    put_crown(&mut map, crown);
    map.put_u64("born", &trees.iter().map(|tree| tree.born).collect::<Vec<_>>());
    map.put_u64("counts", &[*learned, *waited, *grown]);
    map.nest("adwin", adwin.save());
    let old = window.len().saturating_sub(window.rows_max);
    // As bits: missing values are no numbers.
    let numeric = window.numeric[old * window.numeric_width..].iter().map(|value| value.to_bits());
    map.put_u32("window/numeric", &numeric.collect::<Vec<_>>());
    map.put_u64("window/categorical", &window.categorical[old * window.categorical_width..]);
    map.put_f32("window/targets", &window.targets[old..]);
    map.put_f32("window/weights", &window.weights[old..]);
    map
}

pub(super) fn load_booster(plan: &Plan, state: &TensorMap) -> Result<Booster, StateError> {
    let mut booster = Booster::new(plan.clone());
    let trees = load_trees(plan, state)?;
    booster.crown = load_crown(plan, state)?;
    let born = sized(state.u64s("born")?, trees.len(), "born")?;
    let counts = sized(state.u64s("counts")?, 3, "counts")?;
    (booster.learned, booster.waited, booster.grown) = (counts[0], counts[1], counts[2]);
    read_under(state, "adwin", |state| booster.adwin.load(state))?;
    if booster.adwin.width() > booster.learned {
        return Err(mismatch("counts", booster.learned, "at least the width of the window of errors"));
    }
    let targets = finite(state.f32s("window/targets")?, "window/targets")?;
    let rows = targets.len();
    if rows > plan.config.rows_max {
        return Err(mismatch("window/targets", rows, format_args!("at most {}", plan.config.rows_max)));
    }
    let outputs = plan.shape.objective;
    if let Some(target) = targets.iter().find(|target| outputs.importance(**target, 1.0).is_none()) {
        return Err(mismatch("window/targets", target, "targets of the task"));
    }
    let window = &mut booster.window;
    let weights = finite(sized(state.f32s("window/weights")?, rows, "window/weights")?, "window/weights")?;
    let numeric = sized(state.u32s("window/numeric")?, rows * window.numeric_width, "window/numeric")?;
    let categorical = state.u64s("window/categorical")?;
    window.categorical = sized(categorical, rows * window.categorical_width, "window/categorical")?;
    window.numeric = numeric.into_iter().map(f32::from_bits).collect();
    (window.targets, window.weights) = (targets, weights);
    window.places = vec![0; rows * window.slots];
    for ((structure, values), born) in trees.into_iter().zip(born) {
        booster.plant(structure, values, born);
    }
    Ok(booster)
}

impl Crown {
    pub fn is_finite(&self) -> bool {
        let Moments { weight, mean, squares } = self.target;
        self.base.iter().all(|value| value.is_finite())
            && self.blend.losses.iter().chain(&[weight, mean, squares]).all(|value| value.is_finite())
    }
}
