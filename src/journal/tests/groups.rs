//! Entries get their numbers, roll over segments, and become durable in groups.

use std::sync::{Arc, Barrier};

use super::support::*;
use crate::journal::{Body, Journal, JournalError, Scan};

#[test]
fn appends_from_several_threads_get_numbers_without_gaps_in_the_order_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let owner = Owner::of(dir.path());
    let (journal, _) = owner.open().unwrap();
    let (journal, start) = (Arc::new(journal), Arc::new(Barrier::new(4)));
    let append = |_| {
        let (journal, start) = (journal.clone(), start.clone());
        std::thread::spawn(move || {
            start.wait();
            let mut times = Vec::new();
            for _ in 0..250 {
                let entry = journal.append(Body::Tick).unwrap();
                times.push((entry.n, entry.time_ms));
            }
            assert!(times.is_sorted());
            times
        })
    };
    let threads: Vec<_> = (0..4).map(append).collect();
    let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    all.sort_unstable();
    assert!(all.iter().map(|(n, _)| *n).eq(1..=1_000), "every number once");
    assert!(all.is_sorted_by_key(|(_, time_ms)| *time_ms), "time does not go back");
    assert!(journal.wait_durable(1_000, std::time::Duration::from_secs(30)));
    assert!(numbers(dir.path()).into_iter().eq(1..=1_000));
}

#[test]
fn whatever_is_told_to_be_durable_is_in_the_files_by_then_and_is_told_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let owner = Owner::of(dir.path());
    let (journal, _) = owner.open().unwrap();
    for _ in 0..50 {
        let n = journal.append(Body::Tick).unwrap().n;
        eventually("it is told", || {
            owner.told.progress.lock().unwrap().last().is_some_and(|told| told.durable >= n)
        });
        assert!(Scan::of(&files(&dir), 1).unwrap().last >= n);
    }
    let told: Vec<u64> = owner.told.progress.lock().unwrap().iter().map(|told| told.durable).collect();
    assert!(told.is_sorted(), "{told:?}");
}

#[test]
fn a_segment_that_is_full_is_followed_by_one_named_after_its_first_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = Owner::of(dir.path());
    owner.config.segment_bytes_max = 4_096;
    let (journal, _) = owner.open().unwrap();
    for n in 1..=400 {
        journal.append(Body::Tick).unwrap();
        assert!(journal.wait_durable(n, std::time::Duration::from_secs(30)));
    }
    let firsts = firsts(dir.path());
    assert!(firsts.len() >= 4, "{firsts:?}");
    assert!(numbers(dir.path()).into_iter().eq(1..=400), "names and numbers agree");
}

#[test]
fn an_entry_that_no_reader_would_take_is_refused_and_takes_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Owner::of(dir.path()).open().unwrap();
    let skip = crate::journal::Skip {
        entry: 1,
        topic: "t".into(),
        partition: 0,
        offset: 0,
        reason: "x".repeat(17 << 20),
    };
    assert!(matches!(journal.append(Body::Skip(skip)), Err(JournalError::TooLarge { .. })));
    assert_eq!(journal.append(Body::Tick).unwrap().n, 1);
}
