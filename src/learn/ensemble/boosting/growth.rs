//! One tree from the rows that are remembered: the leaf that gains most is split first.

use super::histograms::{self, Bounds, Column, Split};
use super::structure::{Node, Structure};
use super::window::Window;
use crate::learn::counter::Counter;

/// What a tree is grown from.
pub(super) struct Soil<'a> {
    pub window: &'a Window,
    /// First row of the window that counts.
    pub start: usize,
    /// `[rows, rungs, margins]` pairs of gradient and Hessian, weighted.
    pub slopes: Vec<f32>,
    /// Pairs of a row that one rung has; the structure is that of the first rung.
    pub width: usize,
    pub leaves_max: usize,
    /// Columns that the tree sees.
    pub columns: usize,
    pub bounds: Bounds,
}

/// A leaf on the way.
struct Bud {
    rows: Vec<u32>,
    histograms: Vec<f32>,
    sums: Vec<f32>,
    split: Option<Split>,
    node: usize,
}

/// The tests, and the sums of gradients and Hessians in each leaf, `[leaves, rungs, margins]` pairs; none where no split
/// gains anything.
pub(super) fn grow(soil: &Soil<'_>, random: Counter) -> Option<(Structure, Vec<f32>)> {
    let rows = soil.window.len() - soil.start;
    let all_width = soil.slopes.len() / rows;
    let low: Vec<f32> =
        soil.slopes.chunks_exact(all_width).flat_map(|row| &row[..soil.width]).copied().collect();
    let salt = random.bits(0);
    let columns = draw_columns(soil, salt, random);
    let sum = |rows: &[u32], slopes: &[f32], width: usize| {
        let mut sums = vec![0.0; width];
        for row in rows {
            let slopes = &slopes[*row as usize * width..(*row as usize + 1) * width];
            sums.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
        }
        sums
    };
    let bud = |rows: Vec<u32>, histograms: Vec<f32>, node: usize| {
        let sums = sum(&rows, &low, soil.width);
        let split = histograms::best(&columns, &histograms, &sums, soil.bounds);
        Bud { rows, histograms, sums, split, node }
    };

    let all: Vec<u32> = (0..rows as u32).collect();
    let histograms = histograms::collect(&columns, &low, soil.width, &all);
    let mut buds = vec![bud(all, histograms, 0)];
    let mut nodes = vec![Node::leaf(0)];
    while buds.len() < soil.leaves_max {
        let ready = buds.iter().enumerate().filter_map(|(at, bud)| Some((at, bud.split?)));
        let most = ready.reduce(|most, other| if other.1.gain > most.1.gain { other } else { most });
        let Some((at, split)) = most else { break };
        let old = std::mem::replace(&mut buds[at], bud_of_nothing());
        let column = &columns[split.column];
        let goes_first = |row: &u32| split.second >> column.bins[*row as usize] & 1 == 0;
        let (first, second): (Vec<u32>, Vec<u32>) = old.rows.into_iter().partition(goes_first);
        let first_is_less = first.len() <= second.len();
        let less = if first_is_less { &first } else { &second };
        let less = histograms::collect(&columns, &low, soil.width, less);
        let mut more = old.histograms;
        more.iter_mut().zip(&less).for_each(|(more, less)| *more -= less);
        let (of_first, of_second) = if first_is_less { (less, more) } else { (more, less) };
        let child = nodes.len();
        nodes[old.node] = match &column.edges {
            // Bins up to that of the threshold stay; as many ones are missing from the set.
            Some(edges) => {
                let last = split.second.trailing_zeros() as usize - 1;
                Node::threshold(column.index, edges[last], child)
            }
            None => Node::buckets(column.index, split.second, child),
        };
        nodes.extend([Node::leaf(0); 2]);
        buds[at] = bud(first, of_first, child);
        buds.push(bud(second, of_second, child + 1));
    }
    if buds.len() < 2 {
        return None;
    }
    let mut sums = Vec::with_capacity(buds.len() * all_width);
    for (leaf, bud) in buds.iter().enumerate() {
        nodes[bud.node] = Node::leaf(leaf);
        sums.extend(sum(&bud.rows, &soil.slopes, all_width));
    }
    debug_assert!(buds.iter().all(|bud| bud.sums.len() == soil.width));
    Some((Structure { nodes: nodes.into(), leaves: buds.len(), salt }, sums))
}

fn bud_of_nothing() -> Bud {
    Bud { rows: Vec::new(), histograms: Vec::new(), sums: Vec::new(), split: None, node: 0 }
}

fn draw_columns(soil: &Soil<'_>, salt: u64, random: Counter) -> Vec<Column> {
    let total = soil.window.numeric_width + soil.window.categorical_width;
    let mut drawn: Vec<usize> = (0..total).collect();
    for index in 0..soil.columns {
        let other = random.below(1 + index as u64, (total - index) as u64) as usize;
        drawn.swap(index, index + other);
    }
    drawn.truncate(soil.columns);
    let of_column = |index: usize| {
        let draws = Counter::new(salt, index as u64);
        Column::new(soil.window, soil.start, index, salt, draws)
    };
    drawn.into_iter().map(of_column).collect()
}
