//! Who may open a journal, and from where it goes on.

use super::support::*;
use crate::journal::{Body, Journal, JournalError, Line, Scan};

#[test]
fn a_checkpoint_of_the_last_entry_before_an_empty_segment_is_found() {
    // Given an owner that died between creating a segment and writing to it,
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 1, &[tick(1), tick(2)]);
    segment(dir.path(), 3, &[]);

    let (journal, scan) = Owner { checkpoint: 2, reached: 2, ..Owner::of(dir.path()) }.open().unwrap();

    assert_eq!((scan.last, scan.last_time_ms), (2, 1_002));
    assert_eq!(journal.append(Body::Tick).unwrap().n, 3);
    assert!(journal.wait_durable(3, std::time::Duration::from_secs(30)));
    assert_eq!((numbers(dir.path()), firsts(dir.path())), (vec![1, 2, 3], vec![1, 3]));
}

#[test]
fn one_owner_at_a_time_until_it_is_closed_or_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let owner = Owner::of(dir.path());
    let (first, _) = owner.open().unwrap();
    assert!(matches!(refused(owner.open()), JournalError::Owned(_)));
    first.close(std::time::Instant::now());
    let (second, _) = owner.open().expect("closed");
    assert!(matches!(refused(owner.open()), JournalError::Owned(_)));
    drop(second);
    owner.open().expect("dropped");
}

#[test]
fn time_never_goes_back_when_the_wall_clock_was_set_back_between_two_starts() {
    let dir = tempfile::tempdir().unwrap();
    let Line::Entry(mut entry) = tick(1) else { unreachable!() };
    // The year 2200.
    entry.time_ms = 7_258_118_400_000;
    segment(dir.path(), 1, &[Line::Entry(entry)]);
    let (journal, _) = Owner::of(dir.path()).open().unwrap();
    assert!(journal.append(Body::Tick).unwrap().time_ms >= 7_258_118_400_000);
    assert!(journal.now_ms() >= 7_258_118_400_000);
}

#[test]
fn a_scan_from_a_checkpoint_finds_all_skips_and_offsets_that_are_needed_from_there_on() {
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 1, &[batch(1, 0), batch(2, 10), skip(3, 1)]);
    segment(dir.path(), 4, &[batch(4, 20), batch(5, 30), skip(6, 4), skip(7, 5)]);
    for (from, needed) in [(1, vec![3, 6, 7]), (2, vec![6, 7]), (4, vec![6, 7]), (5, vec![7])] {
        let scan = Scan::of(&files(&dir), from).unwrap();
        let found: Vec<u64> =
            scan.skips.iter().filter(|(_, skip)| skip.entry >= from).map(|(number, _)| *number).collect();
        assert_eq!(found, needed, "from {from}");
        let first = if from > 5 { 0 } else { [0, 10, 20, 20, 30][from as usize - 1] };
        assert_eq!(scan.offsets[&("t".to_owned(), 0)], (first, 40), "from {from}");
    }
}
