//! Torn tails and flipped bytes, wherever they are.

use std::fs;

use proptest::prelude::*;

use super::support::*;
use crate::journal::segment::segment_path;
use crate::journal::{Body, Journal, JournalError, Line, Scan};

#[test]
fn a_frame_that_is_cut_off_at_any_byte_is_left_out_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 1, &[tick(1), Line::Mark { mark: 1 }, tick(2)]);
    let path = segment_path(dir.path(), 1);
    let kept = fs::metadata(&path).unwrap().len() as usize;
    segment(dir.path(), 1, &[tick(1), Line::Mark { mark: 1 }, tick(2), batch(3, 0)]);
    let whole = fs::read(&path).unwrap();
    for cut in kept..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(lines(dir.path()).unwrap(), [tick(1), Line::Mark { mark: 1 }, tick(2)], "cut at {cut}");
        let (journal, scan) = Owner::of(dir.path()).open().unwrap();
        assert_eq!((scan.last, scan.mark), (2, 1));
        assert_eq!(fs::read(&path).unwrap(), &whole[..kept], "the owner cuts it off");
        assert_eq!(journal.append(Body::Tick).unwrap().n, 3);
        assert!(journal.wait_durable(3, std::time::Duration::from_secs(30)));
        drop(journal);
        assert_eq!(numbers(dir.path()), [1, 2, 3]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_the_last_group_keeps_what_was_before_it_and_invents_nothing(
        before in 1_u64..5, group in 1_u64..5, at in any::<prop::sample::Index>(), flip in 1_u8.., cut in any::<bool>()
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = segment_path(dir.path(), 1);
        let first: Vec<Line> = (1..=before).map(tick).collect();
        segment(dir.path(), 1, &first);
        let start = fs::metadata(&path).unwrap().len() as usize;
        let all: Vec<Line> = (1..=before + group).map(|n| if n > before { batch(n, 0) } else { tick(n) }).collect();
        segment(dir.path(), 1, &all);
        let mut bytes = fs::read(&path).unwrap();
        let place = start + at.index(bytes.len() - start);
        if cut { bytes.truncate(place) } else { bytes[place] ^= flip }
        fs::write(&path, &bytes).unwrap();

        let found = lines(dir.path()).unwrap();
        prop_assert!(found.len() >= first.len() && found.len() < all.len());
        prop_assert_eq!(&found[..], &all[..found.len()]);
    }

    #[test]
    fn a_flipped_byte_in_an_earlier_segment_is_corruption_with_path_and_place(
        at in any::<prop::sample::Index>(), flip in 1_u8..
    ) {
        let dir = tempfile::tempdir().unwrap();
        segment(dir.path(), 1, &[tick(1), batch(2, 0), tick(3)]);
        segment(dir.path(), 4, &[tick(4)]);
        let path = segment_path(dir.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        let place_flipped = at.index(bytes.len());
        bytes[place_flipped] ^= flip;
        fs::write(&path, bytes).unwrap();

        let Err(JournalError::Corrupt { path: named, place, .. }) = Scan::of(&files(&dir), 1) else {
            return Err(TestCaseError::fail("it was not seen"));
        };
        prop_assert_eq!(named, path);
        prop_assert!(place as usize <= place_flipped, "{} is after {}", place, place_flipped);
    }
}

#[test]
fn a_flipped_byte_before_a_mark_is_no_torn_tail_and_nothing_is_cut() {
    // Given a last segment whose end says that its middle was durable,
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 1, &[tick(1), tick(2), tick(3), Line::Mark { mark: 2 }, tick(4)]);
    let path = segment_path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.len() / 3;
    bytes[place] ^= 1;
    fs::write(&path, &bytes).unwrap();

    // then an owner does not take it for what a crash leaves.
    let error = refused(Owner::of(dir.path()).open());
    assert!(
        matches!(&error, JournalError::Corrupt { reason, .. } if reason.contains("entry 2 was durable")),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_journal_that_lost_entries_that_a_version_knows_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 1, &[tick(1), tick(2)]);
    let path = segment_path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(b"torn");
    fs::write(&path, &bytes).unwrap();

    let error = refused(Owner { reached: 3, ..Owner::of(dir.path()) }.open());

    assert!(matches!(error, JournalError::Short { last: 2, reached: 3, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn lines_that_contradict_each_other_are_corruption() {
    for (lines, reason) in [
        (vec![tick(1), tick(3)], "entry 3 follows entry 1"),
        (vec![tick(2)], "its first entry is 2, its name says 1"),
        (vec![tick(1), Line::Mark { mark: 2 }], "a mark names entry 2, but the last is 1"),
        (vec![tick(1), skip(2, 2)], "skips a row of entry 2"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        segment(dir.path(), 1, &lines);
        let error = Scan::of(&files(&dir), 1).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
