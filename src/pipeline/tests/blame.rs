//! Which row is left out when an entry panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stand::{Stand, Told};
use crate::config::OnTimeout;
use crate::journal::{Body, Checkpoint, CheckpointStore, Home, Skip};
use crate::pipeline::decode::{Skips, skip_key};
use crate::pipeline::probe::{Probe, Stage};
use crate::pipeline::recover::RecoverError;

/// Panics when it is told of this stage and this offset for the n-th time, where `times(n)` says so.
struct Panics<F> {
    stage: Stage,
    offset: i64,
    met: AtomicU64,
    times: F,
}

impl<F: Fn(u64) -> bool + Send + Sync> Probe for Panics<F> {
    fn at(&self, stage: Stage, _entry: u64, offset: i64) {
        if stage == self.stage && (offset == self.offset || self.offset < 0) {
            let nth = self.met.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(!(self.times)(nth), "offset {offset} makes {stage:?} panic");
        }
    }
}

fn panics(
    stage: Stage,
    offset: i64,
    times: impl Fn(u64) -> bool + Send + Sync + 'static,
) -> Option<Arc<dyn Probe>> {
    Some(Arc::new(Panics { stage, offset, met: AtomicU64::new(0), times }))
}

/// Ten events in one batch, then their labels in another.
fn ten() -> Stand {
    let mut stand = Stand::new(1, |config| config.join.timeout_ms = 1_000);
    stand.batch(&(0..10).map(Stand::event).collect::<Vec<_>>(), 5);
    stand.batch(&(0..10).map(|id| Stand::label(id, id % 2)).collect::<Vec<_>>(), 5);
    stand.write_journal();
    stand
}

fn places(skips: &[Skip]) -> Vec<(u64, &str, i32, i64)> {
    skips.iter().map(|skip| (skip.entry, skip.topic.as_str(), skip.partition, skip.offset)).collect()
}

#[test]
fn a_panic_that_passes_blames_no_row_though_it_misleads_the_search() {
    // It comes with the entry twice, at all of the search's turns, and once more with the row that the search ends at.
    for until in 1..=6 {
        let stand = ten();
        let mut told = Told::default();
        let probe = panics(Stage::Predict, -1, move |nth| nth <= until);
        let recovered = stand.recover(probe, &mut told).unwrap();
        assert_eq!(told.skips, [], "panics for {until} times");
        assert_eq!(recovered.machine.digests(), stand.reference(&Skips::new()).digests());
    }
}

#[test]
fn a_row_that_always_panics_is_left_out_and_its_entry_waits_for_the_skip() {
    let stand = ten();
    let mut told = Told::default();
    // Both partitions have an offset 3.
    let recovered = stand.recover(panics(Stage::Predict, 3, |_| true), &mut told).unwrap();
    assert_eq!(places(&told.skips), [(2, "t.events", 0, 3), (2, "t.events", 1, 3)]);
    let skips: Skips = told.skips.iter().map(skip_key).collect();
    assert_eq!(recovered.machine.digests(), stand.reference(&skips).digests());
    let after: Vec<_> =
        told.effects.iter().filter(|(_, effects)| effects.n == 2).map(|(after, _)| *after).collect();
    assert_eq!(after.last(), Some(&5), "its outputs leave after entry 5, the second skip");
    assert_eq!(recovered.machine.accounts().events.skipped, 2);
    assert!(recovered.machine.accounts().add_up());
}

#[test]
fn a_fault_that_hits_every_row_stops_at_the_bound_and_names_it() {
    let mut stand = Stand::new(1, |config| config.journal.skips_max = 3);
    stand.batch(&(0..10).map(Stand::event).collect::<Vec<_>>(), 5);
    stand.write_journal();
    let mut told = Told::default();
    let error = stand.recover(panics(Stage::Predict, -1, |_| true), &mut told).err().unwrap();
    assert_eq!(told.skips.len(), 3);
    let text = error.to_string();
    assert!(text.starts_with("entry 2 panics at more rows than journal.skips_max = 3"), "{text}");
}

#[test]
fn an_event_that_panics_when_a_tick_expires_it_is_left_out_at_that_tick() {
    let mut stand = Stand::new(1, |config| config.join.on_timeout = OnTimeout::Negative);
    stand.batch(&(0..10).map(Stand::event).collect::<Vec<_>>(), 5);
    let tick = stand.push(Body::Tick, 1_000);
    stand.batch(&[Stand::event(11)], 5);
    stand.write_journal();
    let mut told = Told::default();
    let probe = panics(Stage::Learn, 2, |_| true);
    let recovered = stand.recover(probe.clone(), &mut told).unwrap();
    assert_eq!(places(&told.skips), [(tick, "t.events", 0, 2), (tick, "t.events", 1, 2)]);
    let accounts = recovered.machine.accounts();
    assert_eq!((accounts.events.skipped, accounts.events.learned, accounts.events.pending), (2, 8, 1));
    assert!(accounts.add_up(), "{accounts:?}");

    // A fresh process that reads the skips meets no panic.
    let skips: Skips = told.skips.iter().map(skip_key).collect();
    assert_eq!(recovered.machine.digests(), stand.reference(&skips).digests());
    for skip in &told.skips {
        stand.push(Body::Skip(skip.clone()), 1);
    }
    stand.write_journal();
    let mut again = Told::default();
    let later = stand.recover(probe, &mut again).unwrap();
    assert_eq!(again.skips, []);
    assert_eq!(later.machine.accounts(), accounts);
}

#[test]
fn judging_that_always_panics_leaves_the_labels_out_and_their_events_wait() {
    let stand = ten();
    let mut told = Told::default();
    let recovered = stand.recover(panics(Stage::Judge, -1, |_| true), &mut told).unwrap();
    assert!(told.skips.iter().all(|skip| skip.topic == "t.labels"), "{:?}", told.skips);
    let accounts = recovered.machine.accounts();
    assert_eq!((accounts.labels.skipped, accounts.events.pending, accounts.events.learned), (10, 10, 0));
}

#[test]
fn a_checkpoint_that_cannot_be_loaded_gives_way_to_an_older_one() {
    let stand = ten();
    let mut machine = stand.machine(None, None);
    stand.apply(&mut machine, &stand.entries[0], &Skips::new());
    stand.apply(&mut machine, &stand.entries[1], &Skips::new());
    let store = CheckpointStore::new(&stand.places().root);
    store.store(&machine.checkpoint()).unwrap();
    // It verifies, and names a savepoint that no store has.
    let mut broken = machine.save();
    broken.put_u64_one("join/cold/savepoint", 77);
    store.store(&Checkpoint { entry: 3, state: broken }).unwrap();
    let mut told = Told::default();
    let recovered = stand.recover(None, &mut told).unwrap();
    assert_eq!(told.effects.iter().map(|(_, effects)| effects.n).collect::<Vec<_>>(), [3]);
    assert_eq!(recovered.machine.digests(), stand.reference(&Skips::new()).digests());
}

#[test]
fn a_recovery_that_is_told_to_stop_ends_before_its_next_entry() {
    let stand = ten();
    let places = stand.places();
    let asked = AtomicU64::new(0);
    let recovery = super::super::recover::Recovery {
        setup: &stand.setup,
        places: &places,
        journal: &Home::Files(places.journal.clone()),
        probe: None,
        cold: None,
        checkpoint_max: 3,
        to: 3,
        stop: &|| asked.fetch_add(1, Ordering::SeqCst) == 1,
    };
    let mut told = Told::default();
    let error = recovery.run(&mut |_| Ok(stand.source()), &mut told).err().unwrap();
    assert!(matches!(error, RecoverError::Stopped { entry: 2 }), "{error}");
    assert_eq!(told.effects.len(), 1);
}
