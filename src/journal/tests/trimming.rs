//! A journal that begins later than entry 1.

use super::support::*;
use crate::journal::{Journal, JournalError, Replay, Scan};

#[test]
fn only_whole_segments_before_an_acknowledged_entry_go_and_never_the_last() {
    for (checkpoint, before, left) in [
        (5, 1, vec![1, 3, 5]),
        (5, 2, vec![1, 3, 5]),
        (5, 3, vec![3, 5]),
        (5, 4, vec![3, 5]),
        (5, 99, vec![5]),
        (4, 99, vec![3, 5]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        segment(dir.path(), 1, &[tick(1), tick(2)]);
        segment(dir.path(), 3, &[tick(3), tick(4)]);
        segment(dir.path(), 5, &[tick(5)]);
        let all: u64 =
            dir.path().read_dir().unwrap().map(|item| item.unwrap().metadata().unwrap().len()).sum();
        let (journal, _) = Owner { checkpoint, ..Owner::of(dir.path()) }.open().unwrap();
        let freed = journal.trim(before).unwrap();
        assert_eq!(firsts(dir.path()), left, "before {before}, of a journal acknowledged up to {checkpoint}");
        assert_eq!(freed > 0, left[0] > 1);
        drop(journal);
        let now: u64 =
            dir.path().read_dir().unwrap().map(|item| item.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(freed, all - now);

        // It goes on from the checkpoint.
        let (_, scan) = Owner { checkpoint, ..Owner::of(dir.path()) }.open().unwrap();
        assert_eq!(scan.last, 5);
    }
}

#[test]
fn what_was_removed_is_asked_for_in_vain_and_the_error_says_where_the_journal_begins() {
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 7, &[tick(7), tick(8)]);
    for from in 1..=6 {
        for error in [
            Scan::of(&files(&dir), from).unwrap_err(),
            Replay::open(&files(&dir), from, 8).unwrap().next_entry().unwrap_err(),
        ] {
            assert!(
                matches!(error, JournalError::Begins { first: 7, from: asked, .. } if asked == from),
                "{error}"
            );
            assert!(error.to_string().contains("begins at entry 7"), "{error}");
        }
    }
    assert_eq!(Scan::of(&files(&dir), 7).unwrap().last, 8);
    assert_eq!(files(&dir).first_entry().unwrap(), 7);
    assert_eq!(Replay::open(&files(&dir), 7, 8).unwrap().next_entry().unwrap().unwrap().n, 7);
}
