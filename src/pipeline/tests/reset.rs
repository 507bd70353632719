//! What a new epoch and a reset leave of the state.

use super::stand::Stand;
use crate::config::LearnerKind;
use crate::journal::{Action, Body};
use crate::pipeline::decode::Skips;

fn reset(stand: &mut Stand) -> u64 {
    let (by, why) = ("test".into(), "asked for".into());
    stand.push(Body::Control { action: Action::ResetModel, by, why }, 5)
}

#[test]
fn a_reset_begins_untrained_and_every_record_keeps_an_account() {
    for seed in 0..10 {
        let mut stand = Stand::random(seed, 60, |_| {});
        let before = stand.reference(&Skips::new());
        let n = reset(&mut stand);
        let mut machine = stand.machine(None, None);
        let mut last = None;
        for entry in &stand.entries {
            last = Some(stand.apply(&mut machine, entry, &Skips::new()));
        }
        let effects = last.unwrap();
        assert!(effects.begun_anew);
        assert_eq!(effects.revision.unwrap().number, n, "readers get the untrained model at that entry");
        assert_eq!((machine.join().pending(), machine.join().early_labels()), (0, 0));
        assert_eq!(
            machine.accounts().events.expired,
            before.accounts().events.expired + before.accounts().events.pending
        );
        assert!(machine.accounts().add_up());
        assert_eq!(machine.positions(), before.positions());
        assert_eq!(machine.cursor().version, before.cursor().version);
        assert_eq!(machine.cursor().unpublished, 0);
        let (model, fresh) = (machine.digests().model, stand.machine(None, None).digests().model);
        assert_eq!(model, fresh, "the model is the one that has learned nothing");
    }
}

#[test]
fn a_reset_resolves_what_fires_and_the_alerts_age_out() {
    let mut stand = Stand::new(3, |config| {
        config.monitor.quality.enabled = true;
        config.monitor.quality.threshold = 0.99;
        config.monitor.quality.examples_min = 20;
        config.monitor.window = 20;
        config.monitor.alert_age_ms = 1_000;
    });
    for id in 0..200 {
        stand.batch(&[Stand::event(id), Stand::label(id, (id / 3) % 2)], 1);
    }
    let quality = |machine: &crate::pipeline::Machine| {
        machine.monitor().alerts().iter().map(|alert| (alert.kind.name(), alert.state)).collect::<Vec<_>>()
    };
    let mut machine = stand.machine(None, None);
    for entry in &stand.entries {
        stand.apply(&mut machine, entry, &Skips::new());
    }
    use crate::monitor::AlertState::{Firing, Resolved};
    assert_eq!(quality(&machine), [("quality", Firing)]);

    reset(&mut stand);
    let effects = stand.apply(&mut machine, stand.entries.last().unwrap(), &Skips::new());
    assert_eq!(quality(&machine), [("quality", Resolved)]);
    let alerts = |effects: &crate::pipeline::effects::Effects| {
        let topics = effects.outputs.topics();
        effects.outputs.iter().filter(|record| &*topics[record.topic] == "t.alerts").count()
    };
    assert_eq!(alerts(&effects), 1, "the alerts topic is told");
    stand.push(Body::Tick, 2_000);
    let effects = stand.apply(&mut machine, stand.entries.last().unwrap(), &Skips::new());
    assert_eq!((quality(&machine), alerts(&effects)), (vec![], 1), "a tombstone");
}

#[test]
fn an_epoch_with_another_learner_begins_anew_and_one_with_an_unused_section_goes_on() {
    let mut stand = Stand::random(5, 40, |_| {});
    let learned = stand.reference(&Skips::new()).digests().model;
    let mut config = stand.setup.config.clone();
    config.model.mlp.rate = 0.5;
    stand.epoch(&config);
    assert_eq!(stand.reference(&Skips::new()).digests().model, learned);
    config.model.learner = LearnerKind::Mlp;
    stand.epoch(&config);
    let machine = stand.reference(&Skips::new());
    assert_ne!(machine.digests().model, learned);
    assert_eq!(machine.revision().number, stand.entries.len() as u64);
    assert!(machine.accounts().add_up());
}
