use proptest::prelude::*;

use super::bounds::{any_data, any_tree, like};
use super::*;
use crate::config::{LearnerKind, ModelConfig};
use crate::learn::ensemble::ForestPredictor;
use crate::learn::testing::{BINARY, contract};
use crate::learn::tree::HoeffdingTreePredictor;
use crate::learn::{Learner, Objective, Predictor};
use crate::state::{StateError, TensorMap};

fn load(family: Family, shape: &Shape, state: &TensorMap) -> Result<Box<dyn Predictor>, StateError> {
    Ok(match family {
        Family::Forest => Box::new(ForestPredictor::load(shape, state)?),
        _ => Box::new(HoeffdingTreePredictor::load(shape, state)?),
    })
}

fn say(predictor: &dyn Predictor, data: &Data) -> Predictions {
    let mut out = Predictions::default();
    predictor.predict(&data.rows, &mut out);
    out
}

/// Predictions, further learning and digests of a learner that was saved, and of the one that it was loaded into.
fn go_on(family: Family, config: &TreeConfig, data: &Data) {
    let (half, all) = (data.rows.len() / 2, data.rows.len());
    let (first, then) = (data.part(0..half), data.part(half..all));
    let [mut kept, mut loaded] = [(), ()].map(|()| new(family, config, &like(config), &data.shape()));
    first.teach(&mut *kept);
    let file = kept.save().to_safetensors().unwrap();
    then.teach(&mut *loaded);
    loaded.publish();
    loaded.load(&TensorMap::from_safetensors(&file).unwrap()).unwrap();
    assert_eq!(loaded.save().digest(), kept.save().digest());
    assert_eq!(data.ask(&*loaded), data.ask(&*kept));
    assert_eq!(say(&*loaded.publish(), data), data.ask(&*kept));
    assert_eq!(then.teach(&mut *loaded), then.teach(&mut *kept));
    assert_eq!(loaded.save().digest(), kept.save().digest());
}

/// Publishing at each of some parts; what was published stays as it was, loaded from its file too.
fn publish(family: Family, config: &TreeConfig, data: &Data) {
    let mut learner = new(family, config, &like(config), &data.shape());
    let mut earlier: Vec<(std::sync::Arc<dyn Predictor>, Predictions)> = Vec::new();
    let quarter = data.rows.len().div_ceil(4);
    for from in (0..data.rows.len()).step_by(quarter) {
        data.part(from..(from + quarter).min(data.rows.len())).teach(&mut *learner);
        let digest = learner.save().digest();
        let (published, said) = (learner.publish(), data.ask(&*learner));
        assert_eq!(learner.save().digest(), digest);
        assert_eq!(say(&*published, data), said);
        let loaded = load(family, &data.shape(), &published.save()).unwrap();
        assert_eq!(say(&*loaded, data), said);
        assert_eq!(loaded.save().digest(), published.save().digest());
        earlier.push((published, said));
    }
    for (published, said) in earlier {
        assert_eq!(say(&*published, data), said);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_state_survives_saving_and_publishing(
        family in prop::sample::select(FAMILIES.to_vec()),
        config in any_tree(),
        data in any_data(2..120),
    ) {
        go_on(family, &config, &data);
        publish(family, &config, &data);
    }
}

#[test]
fn trees_with_many_replacements_survive_saving_and_publishing() {
    let data = drifting(6_000, 300);
    for family in FAMILIES {
        go_on(family, &eager(), &data);
        publish(family, &eager(), &data);
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let data = drifting(1_500, 300);
    let shape = data.shape();
    for family in FAMILIES {
        let mut learner = new(family, &eager(), &eager_forest(), &shape);
        data.teach(&mut *learner);
        let (state, predictor) = (learner.save(), learner.publish().save());
        let mut other = new(family, &eager(), &eager_forest(), &shape);
        let digest = other.save().digest();
        let broken = |state: &TensorMap, path: &str| {
            let mut broken = TensorMap::new();
            let kept = state.iter().filter(|(kept, _)| *kept != path);
            kept.for_each(|(kept, tensor)| broken.put(kept, tensor.clone()));
            broken
        };
        for (path, _) in state.iter() {
            let error = other.load(&broken(&state, path)).unwrap_err().to_string();
            assert_eq!(error, format!("tensor {path:?} is missing"), "{family:?}");
            assert_eq!(other.save().digest(), digest);
        }
        for (path, _) in predictor.iter() {
            let error = load(family, &shape, &broken(&predictor, path)).err().unwrap().to_string();
            assert_eq!(error, format!("tensor {path:?} is missing"), "{family:?}");
        }
    }
}

#[test]
fn nodes_that_are_no_tree_are_refused() {
    let data = drifting(1_500, 1_500);
    let mut tree = HoeffdingTree::new(&eager(), &data.shape());
    data.teach(&mut tree);
    let good = tree.save();
    for (path, place, value) in
        [("first", 0, 0), ("first", 0, u32::MAX), ("test", 0, 9), ("slots", 0, 1_000_000)]
    {
        let (mut state, mut numbers) = (good.clone(), good.u32s(path).unwrap());
        numbers[place] = value;
        state.put_u32(path, &numbers);
        assert!(tree.load(&state).is_err(), "{path} {place} {value}");
    }
    let mut state = good.clone();
    state.put_f32("cells", &vec![f32::NAN; good.f32s("cells").unwrap().len()]);
    let error = tree.load(&state).unwrap_err().to_string();
    assert_eq!(error, "tensor \"cells\" is NaN, expected finite numbers");
    assert_eq!(tree.save().digest(), good.digest());
}

#[test]
fn an_adaptive_tree_that_is_published_often_says_what_its_learner_says() {
    let data = drifting(12_000, 3_000);
    let probe = data.part(0..300);
    let mut learner = new(Family::Adaptive, &eager(), &eager_forest(), &data.shape());
    for from in (0..data.rows.len()).step_by(20) {
        data.part(from..from + 20).teach(&mut *learner);
        assert!(say(&*learner.publish(), &probe) == probe.ask(&*learner), "after row {from}");
    }
}

#[test]
fn they_keep_the_contract_of_every_learner() {
    let families = [LearnerKind::HoeffdingTree, LearnerKind::HoeffdingAdaptiveTree, LearnerKind::Arf];
    let configs = families.map(|learner| {
        let (tree, forest) = (eager(), eager_forest());
        ModelConfig { learner, tree, forest, ..ModelConfig::default() }
    });
    contract(&configs, &[BINARY, Objective::Classify { classes: 3 }, Objective::Regress], 150);
}
