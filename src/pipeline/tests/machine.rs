use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::stand::Stand;
use crate::config::OnTimeout;
use crate::join::ColdRows;
use crate::pipeline::decode::Skips;
use crate::pipeline::effects::Effects;
use crate::pipeline::machine::{Cold, Machine};

const SEEDS: u64 = 12;
const ENTRIES: usize = 120;

fn cold() -> Cold {
    Some(Arc::new(Mutex::new(ColdRows::temporary().unwrap())))
}

/// All that leaves the process for an entry.
fn told(effects: &Effects) -> String {
    let records: Vec<_> = effects.outputs.iter().collect();
    let revision = effects.revision.as_ref().map(|revision| revision.number);
    let version = effects.version.as_ref().map(|version| &version.0);
    format!("{records:?} {revision:?} {version:?}")
}

#[test]
fn every_record_has_one_account_at_every_entry() {
    let mut met = BTreeSet::new();
    for seed in 0..SEEDS {
        let stand = Stand::random(seed, ENTRIES, |_| {});
        let mut machine = stand.machine(None, cold());
        let (mut events, mut labels) = (0, 0);
        for entry in &stand.entries {
            stand.apply(&mut machine, entry, &Skips::new());
            if let Some(records) = stand.records.get(&entry.n) {
                let of_events = records.iter().filter(|record| record.topic() == "t.events").count() as u64;
                events += of_events;
                labels += records.len() as u64 - of_events;
            }
            let accounts = machine.accounts();
            assert_eq!((accounts.events.read, accounts.labels.read), (events, labels));
            assert!(accounts.add_up(), "seed {seed}, entry {}: {accounts:?}", entry.n);
        }
        let counts = machine.accounts();
        met.extend(
            counts.iter().filter(|(.., count)| *count > 0).map(|(source, account, _)| (source, account)),
        );
    }
    for (source, account, _) in crate::pipeline::Accounts::default().iter() {
        let missing = !met.contains(&(source, account));
        assert_eq!(missing, account == "skipped", "the random journals: {account} {source}");
    }
}

#[test]
fn a_state_that_is_saved_and_loaded_at_any_entry_goes_on_as_the_one_that_was_not() {
    for seed in 0..SEEDS {
        let mut stand = Stand::random(seed, ENTRIES, |config| {
            if seed % 2 == 0 {
                config.join.on_timeout = OnTimeout::Negative;
            }
        });
        let (mut whole, mut cut) = (stand.machine(None, None), stand.machine(None, cold()));
        for entry in stand.entries.clone() {
            let wanted = stand.apply(&mut whole, &entry, &Skips::new());
            let found = stand.apply(&mut cut, &entry, &Skips::new());
            assert_eq!(told(&found), told(&wanted), "seed {seed}, entry {}", entry.n);
            if stand.random.below(4) == 0 {
                let before = cut.digests();
                cut = Machine::load("t", &cut.save(), None, cut.join().cold()).unwrap();
                assert_eq!(cut.digests(), before, "seed {seed}, entry {}", entry.n);
            }
            assert_eq!(cut.digests(), whole.digests(), "seed {seed}, entry {}", entry.n);
            assert_eq!(cut.next_deadline_ms(), whole.next_deadline_ms());
        }
    }
}

#[test]
fn where_a_batch_is_cut_changes_revisions_but_loses_no_record() {
    // Another cut of the same records is another journal: accounts of what was read stay, and they add up.
    for seed in 0..SEEDS {
        let stand = Stand::random(seed, 60, |config| config.join.timeout_ms = 1_000_000);
        let mut single = Stand::new(seed, |config| config.join.timeout_ms = 1_000_000);
        for records in stand.records.values() {
            for record in records.iter() {
                let value = String::from_utf8(record.value().unwrap().to_vec()).unwrap();
                single.batch(&[(record.topic_index(), value)], 1);
            }
        }
        let (many, one) = (stand.reference(&Skips::new()), single.reference(&Skips::new()));
        assert!(one.accounts().add_up());
        assert_eq!(one.accounts().events.read, many.accounts().events.read);
        assert_eq!(one.accounts().labels.read, many.accounts().labels.read);
        assert_eq!(one.accounts().events.dead_lettered, many.accounts().events.dead_lettered);
        assert_ne!(one.revision().number, 0);
    }
}

#[test]
fn the_first_version_and_checkpoint_are_due_a_period_after_the_first_epoch() {
    let mut stand = Stand::new(1, |config| {
        (config.version.every_examples, config.version.every_ms) = (None, Some(1_000));
        (config.checkpoint.every_examples, config.checkpoint.every_ms) = (None, Some(1_000));
    });
    let early = stand.batch(&[Stand::event(1), Stand::label(1, 1)], 10);
    let due = stand.batch(&[Stand::event(2), Stand::label(2, 1)], 1_000);
    let mut machine = stand.machine(None, None);
    for entry in &stand.entries {
        let effects = stand.apply(&mut machine, entry, &Skips::new());
        let stored = (effects.version.is_some(), effects.checkpoint.is_some());
        assert_eq!(stored, (entry.n == due, entry.n == due), "entry {} ({early} is early)", entry.n);
    }
}
