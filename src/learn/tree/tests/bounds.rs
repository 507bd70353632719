use proptest::prelude::*;

use super::*;
use crate::config::{LeafVote, NominalSplit};

fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -2.0_f32..2.0,
        1 => Just(f32::NAN),
        1 => prop::sample::select(vec![0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, 1e30]),
        1 => any::<f32>(),
    ]
}

/// Rows of any two numeric and two categorical columns.
pub(super) fn any_data(rows: std::ops::Range<usize>) -> impl Strategy<Value = Data> {
    let row = (
        prop::array::uniform2(any_number()),
        prop::array::uniform2(prop_oneof![3 => 0_u64..9, 1 => any::<u64>()]),
        0..3_u8,
        prop::sample::select(vec![1.0_f32, 1.0, 1.0, 0.2, 7.0, 1e-30, 1e30]),
    );
    prop::collection::vec(row, rows).prop_map(|rows| {
        let mut data = Data::new(2, 2, 3);
        for (numeric, categorical, target, weight) in rows {
            data.push(&numeric, &categorical, f32::from(target), weight);
        }
        data
    })
}

pub(super) fn any_tree() -> impl Strategy<Value = TreeConfig> {
    let leaf = prop::sample::select(vec![LeafVote::Majority, LeafVote::NaiveBayes, LeafVote::Adaptive]);
    let nominal = prop::sample::select(vec![NominalSplit::Binary, NominalSplit::Multiway]);
    (leaf, nominal).prop_map(|(leaf, nominal_split)| TreeConfig {
        leaf,
        nominal_split,
        grace_period: 3,
        ..eager()
    })
}

pub(super) fn like(tree: &TreeConfig) -> ForestConfig {
    ForestConfig {
        leaf: tree.leaf,
        nominal_split: tree.nominal_split,
        grace_period: tree.grace_period,
        ..eager_forest()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_learned_predictions_are_probabilities(
        family in prop::sample::select(FAMILIES.to_vec()),
        config in any_tree(),
        data in any_data(1..120),
    ) {
        let mut learner = new(family, &config, &like(&config), &data.shape());
        for out in [data.teach(&mut *learner), data.teach(&mut *learner), data.ask(&*learner)] {
            for row in 0..out.len() {
                prop_assert!(out.row(row).iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", out.row(row));
                prop_assert!((out.row(row).iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", out.row(row));
            }
        }
        prop_assert!(learner.publish().is_finite());
    }

    #[test]
    fn the_recorded_prediction_is_what_was_predicted_just_before(
        family in prop::sample::select(FAMILIES.to_vec()),
        config in any_tree(),
        data in any_data(1..80),
    ) {
        let mut learner = new(family, &config, &like(&config), &data.shape());
        for row in 0..data.rows.len() {
            let one = data.part(row..row + 1);
            let before = one.ask(&*learner);
            prop_assert_eq!(one.teach(&mut *learner), before);
        }
    }

    #[test]
    fn how_examples_are_split_into_calls_makes_no_difference(
        family in prop::sample::select(FAMILIES.to_vec()),
        config in any_tree(),
        data in any_data(1..120),
        split in any::<prop::sample::Index>(),
    ) {
        let split = split.index(data.rows.len());
        let [mut whole, mut parts] = [(), ()].map(|()| new(family, &config, &like(&config), &data.shape()));
        data.teach(&mut *whole);
        data.part(0..split).teach(&mut *parts);
        data.part(split..data.rows.len()).teach(&mut *parts);
        prop_assert_eq!(whole.save().digest(), parts.save().digest());
    }
}

/// Bytes of a learner's tensors.
fn bytes(learner: &dyn Learner) -> usize {
    learner.save().iter().map(|(_, tensor)| tensor.bytes.len()).sum()
}

#[test]
fn memory_stays_within_its_bound_and_learning_goes_on() {
    let data = drifting(20_000, 20_000);
    let limit = |bytes: usize| {
        let tree = TreeConfig { memory_bytes_max: bytes, categories_max: 1_000, ..eager() };
        (tree, ForestConfig { memory_bytes_max: bytes, categories_max: 1_000, ..eager_forest() })
    };
    for (family, bound) in [(Family::Tree, 1 << 14), (Family::Adaptive, 1 << 15), (Family::Forest, 3 << 15)] {
        let (config, forest) = limit(bound);
        let unbound = new(family, &eager(), &eager_forest(), &data.shape());
        let sizes = [new(family, &config, &forest, &data.shape()), unbound].map(|mut learner| {
            data.teach(&mut *learner);
            let right = data.right(&data.ask(&*learner));
            (bytes(&*learner), right)
        });
        assert!(sizes[0].0 <= bound, "{family:?}: {sizes:?}, at most {bound}");
        assert!(sizes[1].0 > bound, "{family:?}: {sizes:?}: the bound was not met");
        assert!(sizes[0].1 > 15_000, "{family:?}: {sizes:?}");
    }
}
