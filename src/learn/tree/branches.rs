//! A tree whose branches are watched, and the alternates that grow beside them.

use std::mem::take;

use super::grown::Tree;
use super::growth::Growth;
use super::leaves::{Example, LeafShape, Leaves, Scratch};
use super::nodes::{Node, Nodes};
use super::saved;
use crate::detect::{Adwin, AdwinConfig};
use crate::learn::encode::read_under;
use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// No alternate.
const NONE: u32 = u32::MAX;

/// Examples that a branch and its alternate must each have seen before they are compared.
const COMPARED_AFTER: f64 = 300.0;

/// `ln(2 / significance)` of that comparison, for 0.05.
const SIGNIFICANCE: f64 = 3.688_879_454_113_936;

/// Nodes of which a tree may consist before those that were cut off are cleared away, beside as many as there are in
/// use.
const WASTE_MAX: usize = 64;

/// About what the records of a leaf and of the test above it take; ADWIN's grow with the logarithm of its window.
pub(in crate::learn) const BYTES_A_LEAF: usize = 2 * (size_of::<Watch>() + 1_024);

/// The record of a node: errors of the branch that begins there.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Watch {
    adwin: Adwin,
    /// Examples since the record was begun anew, and the sum of their errors, each from 0 to 1.
    asked: f64,
    wrong: f64,
    /// The node at which the alternate begins.
    alternate: u32,
}

impl Watch {
    fn new(adwin: &AdwinConfig) -> Self {
        Self { adwin: Adwin::new(adwin.clone()), asked: 0.0, wrong: 0.0, alternate: NONE }
    }

    fn error(&self) -> f64 {
        if self.asked > 0.0 { self.wrong / self.asked } else { 0.0 }
    }

    /// Takes an error in; says whether the error has risen.
    fn update(&mut self, error: f64, adwin: &AdwinConfig) -> bool {
        self.asked += 1.0;
        self.wrong += error;
        let Some(change) = self.adwin.update(error) else { return false };
        (self.asked, self.wrong) = (0.0, 0.0);
        if change.is_rise() {
            self.adwin = Adwin::new(adwin.clone());
        }
        change.is_rise()
    }
}

/// A tree with a record for each node.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Branches {
    pub tree: Tree,
    /// `[nodes]`.
    watches: Vec<Watch>,
    /// Whether nodes have moved since the last publish.
    pub moved: bool,
    /// Nodes that were cut off.
    waste: usize,
    adwin: AdwinConfig,
    /// Room for one example in work: an alternate's prediction, and the alternates that are to learn it.
    other: Vec<f32>,
    alternates: Vec<u32>,
}

impl Branches {
    pub fn new(shape: LeafShape, adwin: &AdwinConfig) -> Self {
        let (tree, watches) = (Tree::new(shape, 0), vec![Watch::new(adwin)]);
        let (other, alternates) = (Vec::new(), Vec::new());
        Self { tree, watches, moved: false, waste: 0, adwin: adwin.clone(), other, alternates }
    }

    /// Predicts with the main branches into `out`, then learns.
    pub fn learn(&mut self, example: Example<'_>, growth: &Growth, scratch: &mut Scratch, out: &mut [f32]) {
        let (mut other, mut alternates) = (take(&mut self.other), take(&mut self.alternates));
        alternates.clear();
        self.learn_branch(0, example, growth, scratch, out, &mut alternates);
        // Alternates of alternates come into the list behind them.
        let mut next = 0;
        while let Some(root) = alternates.get(next).copied() {
            other.resize(out.len(), 0.0);
            self.learn_branch(root, example, growth, scratch, &mut other, &mut alternates);
            next += 1;
        }
        (self.other, self.alternates) = (other, alternates);
        let leaves = &self.tree.leaves;
        let is_full = leaves.bytes() + leaves.shape.leaf_bytes() > growth.memory_bytes_max;
        if self.waste > WASTE_MAX + self.tree.nodes.all.len() / 2 || (is_full && self.waste > 0) {
            self.compact();
        }
    }

    /// One branch, from its first node to the leaf; the alternates on the way are put on the list.
    fn learn_branch(
        &mut self,
        root: u32,
        example: Example<'_>,
        growth: &Growth,
        scratch: &mut Scratch,
        out: &mut [f32],
        alternates: &mut Vec<u32>,
    ) {
        let leaf = self.tree.nodes.descend(root, example.row);
        self.tree.learn_at(leaf, example, growth, scratch, out);
        let made = self.tree.nodes.all.len();
        self.watches.resize_with(made, || Watch::new(&self.adwin));
        let wrong = self.tree.error(example, out);
        let mut at = root;
        loop {
            let rose = self.watches[at as usize].update(wrong, &self.adwin);
            // A node that has just been split has no branch to replace yet.
            if at == leaf {
                return;
            }
            if rose {
                self.begin(at, growth);
            } else if self.watches[at as usize].alternate != NONE && self.compare(at) {
                // The branch below is gone; the alternate has not seen the example.
                alternates.push(at);
                return;
            }
            let alternate = self.watches[at as usize].alternate;
            if alternate != NONE {
                alternates.push(alternate);
            }
            at = self.tree.nodes.next(at, example.row);
        }
    }

    /// Begins an alternate for the branch at node `at`, in the place of one that it may have, if memory allows.
    fn begin(&mut self, at: u32, growth: &Growth) {
        self.drop_alternate(at);
        let leaves = &self.tree.leaves;
        if leaves.bytes() + leaves.shape.leaf_bytes() > growth.memory_bytes_max {
            return;
        }
        self.watches[at as usize].alternate = self.tree.sprout();
        self.watches.push(Watch::new(&self.adwin));
    }

    /// Lets the alternate take the place of the branch at node `at` if it is significantly better, and drops it if it
    /// is significantly worse. Says whether it took the place.
    fn compare(&mut self, at: u32) -> bool {
        let watch = &self.watches[at as usize];
        let alternate = watch.alternate;
        let other = &self.watches[alternate as usize];
        if watch.asked.min(other.asked) <= COMPARED_AFTER {
            return false;
        }
        let error = watch.error();
        let spread = 2.0 * error * (1.0 - error) * SIGNIFICANCE;
        let bound = (spread * (1.0 / watch.asked + 1.0 / other.asked)).sqrt();
        let gain = error - other.error();
        if gain > bound {
            // So that it is not cut off with the branch.
            self.watches[at as usize].alternate = NONE;
            self.cut_below(at);
            let node = self.tree.nodes.all[alternate as usize];
            self.tree.nodes.set(at, node);
            self.watches[at as usize] = self.watches[alternate as usize].clone();
            self.forget(alternate);
            return true;
        }
        if -gain > bound {
            self.drop_alternate(at);
        }
        false
    }

    fn drop_alternate(&mut self, at: u32) {
        let alternate = std::mem::replace(&mut self.watches[at as usize].alternate, NONE);
        if alternate != NONE {
            self.cut_below(alternate);
            self.forget(alternate);
        }
    }

    /// Frees what lies under node `at`, its leaf included.
    fn cut_below(&mut self, at: u32) {
        let mut open = vec![(at, false)];
        while let Some((at, gone)) = open.pop() {
            let node = self.tree.nodes.all[at as usize];
            if node.is_leaf() {
                self.tree.leaves.release(node.first as usize);
            }
            let children = node.children(&self.tree.nodes.fans) as u32;
            open.extend((node.first..node.first + children).map(|child| (child, true)));
            if gone {
                self.forget(at);
            }
            let alternate = std::mem::replace(&mut self.watches[at as usize].alternate, NONE);
            if alternate != NONE {
                open.push((alternate, true));
            }
        }
    }

    fn forget(&mut self, at: u32) {
        self.waste += 1;
        let watch = &mut self.watches[at as usize];
        (watch.asked, watch.wrong, watch.alternate) = (0.0, 0.0, NONE);
    }

    /// Copies what is in use into new arrays, in the order of a walk from the root.
    fn compact(&mut self) {
        let (old, watches) = (&self.tree, &self.watches);
        let mut nodes = Nodes::default();
        let mut leaves = old.leaves.without_leaves();
        let mut kept = vec![watches[0].clone()];
        nodes.push(old.nodes.all[0]);
        let mut next = 0;
        while next < nodes.all.len() {
            let mut node = nodes.all[next];
            let children = node.children(&old.nodes.fans);
            if node.is_leaf() {
                node.first = leaves.adopt(&old.leaves, node.first as usize) as u32;
            } else {
                let from = node.first as usize;
                node.first = nodes.all.len() as u32;
                old.nodes.all[from..from + children].iter().for_each(|child| _ = nodes.push(*child));
                kept.extend_from_slice(&watches[from..from + children]);
                if let Some(fan) = node.fan_mut() {
                    nodes.fans.push(old.nodes.fans[*fan as usize].clone());
                    *fan = nodes.fans.len() as u64 - 1;
                }
            }
            nodes.set(next as u32, node);
            let alternate = kept[next].alternate;
            if alternate != NONE {
                kept[next].alternate = nodes.push(old.nodes.all[alternate as usize]);
                kept.push(watches[alternate as usize].clone());
            }
            next += 1;
        }
        self.tree = Tree { nodes, leaves };
        self.watches = kept;
        self.waste = 0;
        self.moved = true;
    }
}

impl Leaves {
    /// As these, with all observers, but without a leaf.
    fn without_leaves(&self) -> Self {
        let lines = self.lines.without_lines();
        let (heads, weights, logs, changed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { heads, weights, logs, changed, lines, ..self.clone() }
    }

    /// Takes over leaf `leaf` of `other`, with its observers.
    fn adopt(&mut self, other: &Self, leaf: usize) -> usize {
        let adopted = self.push(other.weights(leaf));
        self.heads[adopted] = other.heads[leaf];
        self.lines.copy_from(adopted, other.lines.of(leaf));
        adopted
    }
}

impl Node {
    /// The number of its fan, where it has one.
    fn fan_mut(&mut self) -> Option<&mut u64> {
        self.is_fan().then_some(&mut self.value)
    }
}

/// The tree, and the records of its nodes.
pub(in crate::learn) fn save(branches: &Branches) -> TensorMap {
    let mut map = saved::tree(&branches.tree);
    let Branches { watches, .. } = branches;
    map.put_u64_one("waste", branches.waste as u64);
    map.put_f64("records", &watches.iter().flat_map(|watch| [watch.asked, watch.wrong]).collect::<Vec<_>>());
    map.put_u32("alternates", &watches.iter().map(|watch| watch.alternate).collect::<Vec<_>>());
    for (at, watch) in watches.iter().enumerate() {
        map.nest(&format!("adwin/{at:08}"), watch.adwin.save());
    }
    map
}

/// What [`save`] wrote.
pub(in crate::learn) fn load(
    shape: LeafShape,
    config: &AdwinConfig,
    state: &TensorMap,
) -> Result<Branches, StateError> {
    let tree = saved::load_tree(shape, state)?;
    let nodes = tree.nodes.all.len();
    let waste = state.u64_one("waste")? as usize;
    let alternates = sized(state.u32s("alternates")?, nodes, "alternates")?;
    let records = finite(sized(state.f64s("records")?, 2 * nodes, "records")?, "records")?;
    let mut roots = vec![0];
    roots.extend(alternates.iter().copied().filter(|alternate| *alternate != NONE));
    if alternates.iter().any(|alternate| *alternate != NONE && *alternate as usize >= nodes) {
        return Err(mismatch("alternates", "a node that is not there", format!("numbers below {nodes}")));
    }
    saved::check_ways(&tree.nodes.all, &tree.nodes.fans, &roots, tree.leaves.heads.len())?;
    let mut watches = Vec::with_capacity(nodes);
    for (at, (alternate, record)) in alternates.into_iter().zip(records.as_chunks::<2>().0).enumerate() {
        let mut adwin = Adwin::new(config.clone());
        read_under(state, &format!("adwin/{at:08}"), |state| adwin.load(state))?;
        if !(0.0..=record[0]).contains(&record[1]) {
            return Err(mismatch(
                "records",
                format_args!("{record:?}"),
                "examples, and of those the wrong ones",
            ));
        }
        watches.push(Watch { adwin, asked: record[0], wrong: record[1], alternate });
    }
    let (adwin, other, alternates) = (config.clone(), Vec::new(), Vec::new());
    Ok(Branches { tree, watches, moved: true, waste, adwin, other, alternates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TreeConfig;
    use crate::learn::tree::leaves::{Draw, NO_SLOT};
    use crate::learn::tree::row::Row;
    use crate::schema::Rows;
    use crate::testing::SplitMix;

    const SHAPE: LeafShape = LeafShape {
        numbers: 2,
        numeric: 1,
        categorical: 0,
        watched: 1,
        draw: Draw::Leaf,
        is_value: false,
        kept_bytes: 0,
    };

    struct Stand {
        branches: Branches,
        growth: Growth,
        random: SplitMix,
    }

    impl Stand {
        fn new() -> Self {
            let growth =
                Growth::new(&TreeConfig { grace_period: 10, tie_threshold: 0.4, ..TreeConfig::default() });
            // Nothing rises by itself.
            let adwin = AdwinConfig { delta: 1e-300, ..AdwinConfig::default() };
            Self { branches: Branches::new(SHAPE, &adwin), growth, random: SplitMix(3) }
        }

        /// Examples whose class is that of their half of the column.
        fn teach(&mut self, examples: usize) {
            let (mut row, mut scratch, mut out) = (Row::new(1, 0), Scratch::default(), [0.0; 2]);
            for _ in 0..examples {
                let mut rows = Rows::new(1, 0);
                let value = self.random.unit_f32();
                rows.push(&[value], &[]);
                row.set(&rows, 0);
                let example = Example::new(&row, f32::from(value > 0.5), 1.0);
                self.branches.learn(example, &self.growth, &mut scratch, &mut out);
            }
        }

        /// A tree that has split, and the node of an alternate that has split too.
        fn with_alternate() -> (Self, u32) {
            let mut stand = Self::new();
            stand.teach(300);
            stand.branches.begin(0, &stand.growth);
            stand.teach(300);
            let alternate = stand.branches.watches[0].alternate;
            let nodes = &stand.branches.tree.nodes.all;
            assert!(!nodes[0].is_leaf() && !nodes[alternate as usize].is_leaf());
            (stand, alternate)
        }

        /// Nodes that are led to, alternates among them.
        fn in_use(&self) -> Vec<u32> {
            let (nodes, watches) = (&self.branches.tree.nodes, &self.branches.watches);
            let (mut met, mut open) = (Vec::new(), vec![0]);
            while let Some(at) = open.pop() {
                met.push(at);
                let node = nodes.all[at as usize];
                open.extend((0..node.children(&nodes.fans) as u32).map(|child| node.first + child));
                open.extend(Some(watches[at as usize].alternate).filter(|alternate| *alternate != NONE));
            }
            met
        }

        fn judge(&mut self, alternate: u32, wrong: f64, other_wrong: f64) -> bool {
            let watches = &mut self.branches.watches;
            (watches[0].asked, watches[0].wrong) = (1_000.0, wrong);
            (watches[alternate as usize].asked, watches[alternate as usize].wrong) = (1_000.0, other_wrong);
            self.branches.compare(0)
        }

        fn assert_all_that_is_left_is_whole(&self) {
            let in_use = self.in_use();
            let Branches { tree, waste, .. } = &self.branches;
            assert_eq!(*waste, tree.nodes.all.len() - in_use.len());
            for node in in_use.iter().map(|at| tree.nodes.all[*at as usize]).filter(|node| node.is_leaf()) {
                assert_ne!(tree.leaves.heads[node.first as usize].slot, NO_SLOT, "a leaf has its observers");
            }
        }
    }

    #[test]
    fn an_alternate_that_wins_takes_the_place_of_the_branch_with_all_that_it_has_learned() {
        let (mut stand, alternate) = Stand::with_alternate();
        let node = stand.branches.tree.nodes.all[alternate as usize];
        assert!(stand.judge(alternate, 400.0, 100.0));
        assert_eq!(stand.branches.tree.nodes.all[0], node);
        let watch = &stand.branches.watches[0];
        assert_eq!((watch.asked, watch.wrong, watch.alternate), (1_000.0, 100.0, NONE));
        stand.assert_all_that_is_left_is_whole();
        stand.teach(100);
        stand.assert_all_that_is_left_is_whole();
    }

    #[test]
    fn an_alternate_that_loses_goes_and_one_that_is_as_good_stays() {
        let (mut stand, alternate) = Stand::with_alternate();
        let node = stand.branches.tree.nodes.all[0];
        assert!(!stand.judge(alternate, 100.0, 110.0));
        assert_eq!(stand.branches.watches[0].alternate, alternate);
        assert!(!stand.judge(alternate, 100.0, 400.0));
        assert_eq!((stand.branches.tree.nodes.all[0], stand.branches.watches[0].alternate), (node, NONE));
        stand.assert_all_that_is_left_is_whole();
    }

    #[test]
    fn clearing_away_what_was_cut_off_changes_nothing_that_is_in_use() {
        let (mut stand, alternate) = Stand::with_alternate();
        stand.judge(alternate, 100.0, 400.0);
        let in_use = stand.in_use().len();
        let (mut row, mut scratch) = (Row::new(1, 0), Scratch::default());
        let mut say = |stand: &Stand| {
            (0..100)
                .map(|step| {
                    let (mut rows, mut out) = (Rows::new(1, 0), [0.0; 2]);
                    rows.push(&[step as f32 / 100.0], &[]);
                    row.set(&rows, 0);
                    stand.branches.tree.predict(&row, &stand.growth, &mut scratch, &mut out);
                    out
                })
                .collect::<Vec<_>>()
        };
        let said = say(&stand);
        stand.branches.compact();
        assert_eq!((stand.branches.tree.nodes.all.len(), stand.branches.waste), (in_use, 0));
        assert_eq!(say(&stand), said);
        stand.assert_all_that_is_left_is_whole();
    }

    #[test]
    fn a_tree_at_its_bound_clears_away_what_was_cut_off_and_goes_on_adapting() {
        let (mut stand, alternate) = Stand::with_alternate();
        stand.judge(alternate, 100.0, 400.0);
        stand.growth.memory_bytes_max = stand.branches.tree.leaves.bytes();
        stand.teach(1);
        assert_eq!(stand.branches.waste, 0);
        stand.branches.begin(0, &stand.growth);
        assert_ne!(stand.branches.watches[0].alternate, NONE, "there is room for another");
    }
}
