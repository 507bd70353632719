//! Closing ends as soon as it can, and for good.

use std::time::{Duration, Instant};

use super::support::*;
use crate::journal::{Body, Journal, JournalError, Line};

fn skip_of(entry: u64) -> Body {
    let Line::Entry(entry) = skip(entry + 1, entry) else { unreachable!() };
    entry.body
}

#[test]
fn a_skip_as_the_last_entry_does_not_hold_the_close_up() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    let (journal, _) = Owner::with(dir.path(), &broker).open().unwrap();
    write(&journal, 1);
    journal.append(skip_of(1)).unwrap();
    journal.append(skip_of(1)).unwrap();

    let start = Instant::now();
    let progress = journal.close(start + Duration::from_secs(20));

    assert_eq!((progress.durable, progress.acknowledged), (3, 3));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_skip_never_carries_an_entry_along_that_is_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Owner::of(dir.path()).open().unwrap();
    write(&journal, 1);
    journal.append(skip_of(1)).unwrap();
    journal.append(Body::Tick).unwrap();
    assert_eq!(journal.close(Instant::now() + Duration::from_millis(300)).acknowledged, 0);
}

#[test]
fn nothing_can_be_appended_to_a_closed_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Owner::of(dir.path()).open().unwrap();
    journal.close(Instant::now());
    assert!(matches!(journal.append(Body::Tick), Err(JournalError::Closed)));
}
