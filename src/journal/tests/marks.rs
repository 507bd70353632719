//! What was acknowledged and marked does not leave again; what was not leaves again as it was.

use super::support::*;
use crate::journal::{Body, Journal};

#[test]
fn a_restart_sends_what_lies_after_the_mark_and_nothing_before_it() {
    // Given an owner whose first three entries are acknowledged, and that dies before the next two could leave,
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    let (journal, _) = Owner::with(dir.path(), &broker).open().unwrap();
    write(&journal, 3);
    assert_eq!(journal.close(soon()).acknowledged, 3);
    drop(journal);
    let (journal, _) = Owner::of(dir.path()).open().unwrap();
    write(&journal, 2);
    assert!(journal.wait_durable(5, std::time::Duration::from_secs(30)));
    drop(journal);

    // when the next one computes all of it again,
    let (journal, scan) = Owner::with(dir.path(), &broker).open().unwrap();
    assert_eq!((scan.last, scan.mark), (5, 3));
    assert_eq!(journal.progress().acknowledged, 3);
    for n in 1..=5 {
        journal.release(n, n, output(&n.to_string()));
    }
    assert_eq!(journal.close(soon()).acknowledged, 5);

    // then every output is there once, in order.
    assert_eq!(broker.values(6), ["1", "2", "3", "4", "5"]);
}

#[test]
fn outputs_wait_for_the_later_entry_that_they_depend_on() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    let (journal, _) = Owner::with(dir.path(), &broker).open().unwrap();
    journal.append(Body::Tick).unwrap();
    journal.release(1, 2, output("depends on 2"));
    assert!(journal.wait_durable(1, std::time::Duration::from_secs(30)));
    assert_eq!(broker.values(1), Vec::<String>::new());
    write(&journal, 1);
    assert_eq!(broker.values(2), ["depends on 2", "2"]);
}
