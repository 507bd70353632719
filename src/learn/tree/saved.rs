//! Trees as tensors.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cells::{LANES, RUNS_READ};
use super::grown::Tree;
use super::leaves::{Draw, Head, LeafShape, Leaves, NO_SLOT, log_weight};
use super::lines::{Lines, Moments, Scale};
use super::nodes::{Fan, Node, Nodes};
use super::shelf::Shelf;
use super::table::Table;
use super::view::{BayesView, LeafView, TreeView};
use crate::learn::Shape;
use crate::state::{StateError, TensorMap, at_least, finite, mismatch, sized};

fn put_nodes(map: &mut TensorMap, nodes: &[Node], fans: &[Fan]) {
    map.put_u32("test", &nodes.iter().map(|node| node.test).collect::<Vec<_>>());
    map.put_u32("first", &nodes.iter().map(|node| node.first).collect::<Vec<_>>());
    map.put_u64("value", &nodes.iter().map(|node| node.value).collect::<Vec<_>>());
    map.put_u64("fan_lens", &fans.iter().map(|fan| fan.len() as u64).collect::<Vec<_>>());
    map.put_u64("fans", &fans.iter().flat_map(|fan| fan.iter().copied()).collect::<Vec<_>>());
}

/// Nodes whose tests fit the columns; [`check_ways`] looks at their children.
fn load_nodes(
    numeric: usize,
    categorical: usize,
    state: &TensorMap,
) -> Result<(Vec<Node>, Vec<Fan>), StateError> {
    let test = state.u32s("test")?;
    let first = sized(state.u32s("first")?, test.len(), "first")?;
    let value = sized(state.u64s("value")?, test.len(), "value")?;
    let lens = state.u64s("fan_lens")?;
    let total = lens.iter().fold(0_u64, |sum, len| sum.saturating_add(*len));
    let mut categories = sized(state.u64s("fans")?, total as usize, "fans")?.into_iter();
    let fans: Vec<Fan> = lens.iter().map(|len| categories.by_ref().take(*len as usize).collect()).collect();
    if fans.iter().any(|fan| !fan.is_sorted_by(|a, b| a < b)) {
        return Err(mismatch("fans", "unsorted categories", "sorted categories"));
    }
    let parts = test.into_iter().zip(first).zip(value);
    let nodes: Vec<Node> = parts.map(|((test, first), value)| Node { test, first, value }).collect();
    match nodes.iter().find(|node| !node.fits(numeric, categorical, fans.len())) {
        Some(node) => Err(mismatch("test", format_args!("{node:?}"), "a test of one of the columns")),
        None => Ok((nodes, fans)),
    }
}

/// Whether each of `roots` leads to leaves only, by ways that never meet, and to each of `leaves` at most once.
pub(in crate::learn) fn check_ways(
    nodes: &[Node],
    fans: &[Fan],
    roots: &[u32],
    leaves: usize,
) -> Result<(), StateError> {
    let (mut met, mut taken) = (vec![false; nodes.len()], vec![false; leaves]);
    let mut open: Vec<usize> = roots.iter().map(|root| *root as usize).collect();
    while let Some(at) = open.pop() {
        let new = met.get_mut(at).map(|met| !std::mem::replace(met, true));
        if new != Some(true) {
            return Err(mismatch("first", at, "a tree of nodes"));
        }
        let node = nodes[at];
        if node.is_leaf() {
            let free = taken.get_mut(node.first as usize).map(|taken| !std::mem::replace(taken, true));
            if free != Some(true) {
                return Err(mismatch("first", node.first, "a leaf of its own"));
            }
        }
        open.extend((0..node.children(fans)).map(|child| node.first as usize + child));
    }
    Ok(())
}

/// Puts tables as flat arrays; `tables` are those of one leaf or slot after another.
fn put_tables(map: &mut TensorMap, tables: &[&[Table]]) {
    let counts: Vec<u64> = tables.iter().map(|tables| tables.len() as u64).collect();
    let all = || tables.iter().copied().flatten();
    map.put_u64("tables", &counts);
    map.put_u32("table_columns", &all().map(|table| table.column).collect::<Vec<_>>());
    map.put_u64("table_lens", &all().map(|table| table.categories.len() as u64).collect::<Vec<_>>());
    map.put_u64("categories", &all().flat_map(|table| table.categories.iter().copied()).collect::<Vec<_>>());
    map.put_f32("counts", &all().flat_map(|table| table.counts.iter().copied()).collect::<Vec<_>>());
    map.put_f32("totals", &all().flat_map(|table| table.totals.iter().copied()).collect::<Vec<_>>());
}

/// The lowest number that a leaf or a table may have.
fn lowest(is_value: bool) -> f64 {
    if is_value { f64::MIN } else { 0.0 }
}

fn load_tables(shape: LeafShape, holders: usize, state: &TensorMap) -> Result<Vec<Vec<Table>>, StateError> {
    let LeafShape { numbers: classes, categorical, is_value, .. } = shape;
    let least = lowest(is_value);
    let held = sized(state.u64s("tables")?, holders, "tables")?;
    let sum =
        |numbers: &[u64]| numbers.iter().fold(0_u64, |sum, number| sum.saturating_add(*number)) as usize;
    let columns = sized(state.u32s("table_columns")?, sum(&held), "table_columns")?;
    if let Some(column) = columns.iter().find(|column| **column as usize >= categorical) {
        return Err(mismatch("table_columns", column, format!("a number below {categorical}")));
    }
    let lens = sized(state.u64s("table_lens")?, columns.len(), "table_lens")?;
    let mut categories = sized(state.u64s("categories")?, sum(&lens), "categories")?.into_iter();
    let rows = sum(&lens).saturating_add(lens.len());
    let counts =
        at_least(sized(state.f32s("counts")?, rows.saturating_mul(classes), "counts")?, least, "counts")?;
    let totals = at_least(sized(state.f32s("totals")?, lens.len() * classes, "totals")?, least, "totals")?;
    let (mut counts, mut totals) = (counts.into_iter(), totals.into_iter());
    let mut tables = columns.into_iter().zip(lens).map(|(column, len)| Table {
        column,
        categories: categories.by_ref().take(len as usize).collect(),
        counts: counts.by_ref().take((len as usize + 1) * classes).collect(),
        totals: totals.by_ref().take(classes).collect(),
    });
    let all: Vec<Vec<Table>> =
        held.iter().map(|held| tables.by_ref().take(*held as usize).collect()).collect();
    if all.iter().flatten().any(|table| !table.categories.is_sorted_by(|a, b| a < b)) {
        return Err(mismatch("categories", "unsorted categories", "sorted categories"));
    }
    Ok(all)
}

/// The whole of a tree.
pub(in crate::learn) fn tree(tree: &Tree) -> TensorMap {
    let Leaves { heads, weights, columns, cells, tables, free, births, seed, .. } = &tree.leaves;
    let mut map = TensorMap::new();
    put_nodes(&mut map, &tree.nodes.all, &tree.nodes.fans);
    map.put_f64("weights", weights);
    let numbers =
        heads.iter().flat_map(|head| [head.total, head.tried_at, head.majority_right, head.bayes_right]);
    map.put_f64("heads", &numbers.collect::<Vec<_>>());
    map.put_u32("slots", &heads.iter().map(|head| head.slot).collect::<Vec<_>>());
    map.put_bytes("dormant", heads.iter().map(|head| u8::from(head.dormant)).collect());
    map.put_u32("columns", columns);
    map.put_f32("cells", cells);
    put_tables(&mut map, &tables.iter().map(Vec::as_slice).collect::<Vec<_>>());
    map.put_u32("free", free);
    map.put_u64("draws", &[*seed, *births]);
    if tree.leaves.shape.is_value {
        put_lines(&mut map, &tree.leaves.lines);
    }
    map
}

fn put_lines(map: &mut TensorMap, lines: &Lines) {
    let Scale { columns, target, plain } = &lines.scale;
    map.put_f32("lines", &lines.weights);
    map.put_f32("centres", &lines.centres);
    let moments = columns.iter().chain([target]);
    let numbers = moments.flat_map(|moments| [moments.weight, moments.mean, moments.squares]);
    map.put_f64("scale", &numbers.collect::<Vec<_>>());
    map.put_f32("bounds", &plain[2 * columns.len()..]);
}

fn load_lines(shape: LeafShape, leaves: usize, slots: usize, state: &TensorMap) -> Result<Lines, StateError> {
    let numeric = shape.numeric;
    let weights = finite(sized(state.f32s("lines")?, leaves * (numeric + 1), "lines")?, "lines")?;
    let centres = finite(sized(state.f32s("centres")?, slots, "centres")?, "centres")?;
    let numbers = finite(sized(state.f64s("scale")?, 3 * (numeric + 1), "scale")?, "scale")?;
    let bounds = finite(sized(state.f32s("bounds")?, 2, "bounds")?, "bounds")?;
    let parts = numbers.as_chunks::<3>().0.iter();
    let mut moments: Vec<Moments> = parts
        .map(|[weight, mean, squares]| Moments { weight: *weight, mean: *mean, squares: *squares })
        .collect();
    let target = moments.pop().unwrap_or_default();
    let scale = Scale::restored(moments, target, [bounds[0], bounds[1]]);
    Ok(Lines { width: numeric + 1, weights, scale, centres })
}

/// What [`tree`] wrote of a tree with leaves of this shape; its way from node 0 is checked, others are the caller's.
pub(in crate::learn) fn load_tree(shape: LeafShape, state: &TensorMap) -> Result<Tree, StateError> {
    let (nodes, fans) = load_nodes(shape.numeric, shape.categorical, state)?;
    let slots_of = state.u32s("slots")?;
    let leaves = slots_of.len();
    check_ways(&nodes, &fans, &[0], leaves)?;
    let numbers = at_least(sized(state.f64s("heads")?, 4 * leaves, "heads")?, 0.0, "heads")?;
    let dormant = sized(state.bytes("dormant")?.to_vec(), leaves, "dormant")?;
    if let Some(mark) = dormant.iter().find(|mark| **mark > 1) {
        return Err(mismatch("dormant", mark, "0 or 1"));
    }
    let weights = at_least(
        sized(state.f64s("weights")?, leaves * shape.numbers, "weights")?,
        lowest(shape.is_value),
        "weights",
    )?;
    let held = state.u64s("tables")?.len();
    let columns = sized(state.u32s("columns")?, held * shape.width(), "columns")?;
    if let Some(column) = columns.iter().find(|column| **column as usize > shape.numeric) {
        return Err(mismatch("columns", column, format!("at most {}", shape.numeric)));
    }
    let cells = held * shape.block();
    let cells = finite(sized(state.f32s("cells")?, cells, "cells")?, "cells")?;
    let tables = load_tables(shape, held, state)?;
    let free = state.u32s("free")?;
    let mut owned = vec![false; held];
    for slot in slots_of.iter().filter(|slot| **slot != NO_SLOT).chain(&free) {
        let new = owned.get_mut(*slot as usize).map(|owned| !std::mem::replace(owned, true));
        if new != Some(true) {
            return Err(mismatch(
                "slots",
                slot,
                format!("each number below {held} once, here or in \"free\""),
            ));
        }
    }
    if let Some(slot) = free.iter().find(|slot| !tables[**slot as usize].is_empty()) {
        return Err(mismatch("tables", format_args!("some in slot {slot}"), "none in a slot that is free"));
    }
    let draws = sized(state.u64s("draws")?, 2, "draws")?;
    let (seed, births) = (draws[0], draws[1]);
    let (numbers, _) = numbers.as_chunks::<4>();
    let parts = numbers.iter().zip(slots_of).zip(dormant);
    let heads = parts.map(|((numbers, slot), dormant)| {
        let [total, tried_at, majority_right, bayes_right] = *numbers;
        Head { total, tried_at, majority_right, bayes_right, slot, dormant: dormant > 0 }
    });
    let lines = if shape.is_value { load_lines(shape, leaves, held, state)? } else { Lines::default() };
    let leaves = Leaves {
        shape,
        lines,
        heads: heads.collect(),
        logs: weights.iter().map(|weight| log_weight(*weight)).collect(),
        weights,
        changed: vec![true; leaves],
        columns,
        cells,
        table_bytes: tables.iter().flatten().map(Table::bytes).sum(),
        tables,
        free,
        births,
        seed,
    };
    let changed = vec![true; nodes.len()];
    Ok(Tree { nodes: Nodes { all: nodes, fans, changed }, leaves })
}

/// What a predictor knows of a tree.
pub(in crate::learn) fn view(view: &TreeView) -> TensorMap {
    let mut map = TensorMap::new();
    put_nodes(&mut map, &view.nodes.iter().copied().collect::<Vec<_>>(), &view.fans);
    let leaves = || view.leaves.iter();
    map.put_f64("weights", &leaves().flat_map(|leaf| leaf.weights.iter().copied()).collect::<Vec<_>>());
    let bayes = || leaves().filter_map(|leaf| leaf.bayes.as_ref());
    map.put_bytes("bayes", leaves().map(|leaf| u8::from(leaf.bayes.is_some())).collect());
    let width = bayes().next().map_or(0, |bayes| bayes.columns.len());
    map.put_u64_one("width", width as u64);
    map.put_u32("columns", &bayes().flat_map(|bayes| bayes.columns.iter().copied()).collect::<Vec<_>>());
    map.put_f32("cells", &bayes().flat_map(|bayes| bayes.cells.iter().copied()).collect::<Vec<_>>());
    put_tables(&mut map, &bayes().map(|bayes| &*bayes.tables).collect::<Vec<_>>());
    if !view.scale.is_empty() {
        let lines = || leaves().filter_map(|leaf| leaf.line.as_ref());
        map.put_f32("scale", &view.scale);
        map.put_bytes("has_line", leaves().map(|leaf| u8::from(leaf.line.is_some())).collect());
        map.put_f32("lines", &lines().flat_map(|line| line.iter().copied()).collect::<Vec<_>>());
    }
    map
}

/// What [`view`] wrote of a tree of this shape.
pub(in crate::learn) fn load_view(shape: &Shape, state: &TensorMap) -> Result<TreeView, StateError> {
    let leaf_shape = LeafShape::new(shape, 0, Draw::Leaf);
    let LeafShape { numbers: classes, is_value, .. } = leaf_shape;
    let (nodes, fans) = load_nodes(shape.numeric, shape.categorical, state)?;
    let bayes = state.bytes("bayes")?.to_vec();
    check_ways(&nodes, &fans, &[0], bayes.len())?;
    let weights = sized(state.f64s("weights")?, bayes.len() * classes, "weights")?;
    let weights = at_least(weights, lowest(is_value), "weights")?;
    let votes = bayes.iter().filter(|bayes| **bayes > 0).count();
    let width = usize::try_from(state.u64_one("width")?).unwrap_or(usize::MAX);
    if !width.is_multiple_of(LANES) {
        return Err(mismatch("width", width, format_args!("a multiple of {LANES}")));
    }
    let columns = sized(state.u32s("columns")?, votes.saturating_mul(width), "columns")?;
    if let Some(column) = columns.iter().find(|column| **column as usize > shape.numeric) {
        return Err(mismatch("columns", column, format!("at most {}", shape.numeric)));
    }
    let block = classes.saturating_mul(RUNS_READ).saturating_mul(width);
    let cells = finite(sized(state.f32s("cells")?, votes.saturating_mul(block), "cells")?, "cells")?;
    let mut tables = load_tables(leaf_shape, votes, state)?.into_iter();
    let (mut columns, mut cells) = (columns.into_iter(), cells.into_iter());
    let (scale, mut lines) =
        if is_value { load_view_lines(shape, bayes.len(), state)? } else { Default::default() };
    let leaves = weights.chunks_exact(classes).zip(bayes).map(|(weights, bayes)| {
        let bayes = (bayes > 0).then(|| BayesView {
            columns: columns.by_ref().take(width).collect(),
            cells: cells.by_ref().take(block).collect(),
            tables: tables.next().unwrap_or_default().into(),
            logs: weights.iter().map(|weight| log_weight(*weight)).collect(),
        });
        Arc::new(LeafView::of(weights.into(), bayes, lines.pop_front().flatten()))
    });
    Ok(TreeView::new(Shelf::new(nodes), Shelf::new(leaves.collect()), fans, scale))
}

type Scaled = (Arc<[f32]>, VecDeque<Option<Box<[f32]>>>);

/// The scale of a regression tree, and the lines of its leaves.
fn load_view_lines(shape: &Shape, leaves: usize, state: &TensorMap) -> Result<Scaled, StateError> {
    let scale = finite(sized(state.f32s("scale")?, 2 * shape.numeric + 2, "scale")?, "scale")?;
    let has_line = sized(state.bytes("has_line")?.to_vec(), leaves, "has_line")?;
    let count = has_line.iter().filter(|has| **has > 0).count();
    let width = shape.numeric + 1;
    let numbers = finite(sized(state.f32s("lines")?, count * width, "lines")?, "lines")?;
    let mut numbers = numbers.chunks_exact(width).map(Box::from);
    let lines = has_line.iter().map(|has| if *has > 0 { numbers.next() } else { None });
    Ok((scale.into(), lines.collect()))
}
