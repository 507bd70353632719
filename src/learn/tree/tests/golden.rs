use super::*;
use crate::config::LeafVote;

/// Splits of River 0.26.1's `HoeffdingTreeClassifier` on Elec2, and how many rows it told right; made by
/// `elec2_river.py`.
const RIVER: &str = include_str!("elec2_river.csv");

/// Row, column and threshold of each split, in order; and how many rows were told right.
fn splits(config: &TreeConfig, data: &Data) -> (Vec<(usize, usize, f32)>, usize) {
    let mut tree = HoeffdingTree::new(config, &data.shape());
    let (mut splits, mut right) = (Vec::new(), 0);
    for row in 0..data.targets.len() {
        let one = data.part(row..row + 1);
        let before = tree.tree().nodes.all.clone();
        right += one.right(&one.teach(&mut tree));
        for (old, new) in before.iter().zip(&tree.tree().nodes.all) {
            if old != new {
                let (column, threshold) = new.column_and_threshold();
                splits.push((row, column, threshold.unwrap()));
            }
        }
    }
    (splits, right)
}

fn compare(case: usize, config: &TreeConfig) {
    let part = RIVER.split("case,").nth(case).unwrap();
    let (found, right) = splits(config, &elec2());
    let mut expected = part.lines().filter_map(|line| line.strip_prefix("split,"));
    for (row, column, threshold) in &found {
        let mut parts = expected.next().expect("River has fewer splits").split(',');
        assert_eq!(parts.next().unwrap(), row.to_string());
        assert_eq!(parts.next().unwrap(), column.to_string(), "row {row}");
        let river: f32 = parts.next().unwrap().parse().unwrap();
        assert!(
            (threshold - river).abs() <= 1e-5 * river.abs().max(1.0),
            "row {row}: {threshold}, not {river}"
        );
    }
    assert_eq!(expected.next(), None, "River has more splits");
    assert!(found.len() > 20);
    let river: usize = part.split("right,").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    // In single precision some votes that are nearly even fall to the other side.
    assert!(right.abs_diff(river) < 20, "{right}, not {river}");
}

/// With River's threshold for ties.
fn config(split_confidence: f64, grace_period: u32, leaf: LeafVote) -> TreeConfig {
    TreeConfig { split_confidence, grace_period, leaf, tie_threshold: 0.05, ..TreeConfig::default() }
}

#[test]
fn a_cautious_tree_splits_elec2_where_river_does() {
    compare(1, &config(1e-7, 200, LeafVote::Adaptive));
}

#[test]
fn an_eager_tree_splits_elec2_where_river_does() {
    compare(2, &config(0.01, 50, LeafVote::Adaptive));
    compare(3, &config(0.01, 50, LeafVote::Majority));
}
