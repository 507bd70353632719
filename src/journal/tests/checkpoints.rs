//! Checkpoints that are damaged, left over, or too many.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::journal::{Checkpoint, CheckpointStore};
use crate::state::TensorMap;

fn checkpoint(entry: u64) -> Checkpoint {
    let mut state = TensorMap::new();
    state.put_u64_one("n", entry);
    Checkpoint { entry, state }
}

fn store(dir: &Path, entries: &[u64]) -> CheckpointStore {
    let store = CheckpointStore::new(dir);
    for entry in entries {
        store.store(&checkpoint(*entry)).unwrap();
    }
    store
}

fn file(dir: &Path, entry: u64, name: &str) -> std::path::PathBuf {
    dir.join(format!("checkpoints/{entry:020}/{name}"))
}

#[test]
fn checkpoints_come_newest_first_up_to_the_entry_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let empty = CheckpointStore::new(dir.path());
    assert_eq!(empty.newest(u64::MAX).unwrap(), None);
    let store = store(dir.path(), &[3, 12, 40]);
    let entries = |to| store.newest_first(to).unwrap().map(|found| found.entry).collect::<Vec<_>>();
    assert_eq!(entries(u64::MAX), [40, 12, 3]);
    assert_eq!(entries(39), [12, 3]);
    assert_eq!(entries(2), Vec::<u64>::new());
    assert_eq!(store.newest(12).unwrap(), Some(checkpoint(12)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_checkpoint_is_never_given_out_as_another_state(
        at in any::<prop::sample::Index>(), flip in 1_u8.., cut in any::<bool>(), of_state in any::<bool>()
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), &[3, 40]);
        let path = file(dir.path(), 40, if of_state { "state.safetensors" } else { "manifest.json" });
        let mut bytes = fs::read(&path).unwrap();
        let place = at.index(bytes.len());
        if cut { bytes.truncate(place) } else { bytes[place] ^= flip }
        fs::write(&path, bytes).unwrap();

        // White space may change in the manifest; nothing else may.
        let found = store.newest(u64::MAX).unwrap().unwrap();
        prop_assert!(found == checkpoint(3) || found == checkpoint(40), "{:?}", found);
        prop_assert!(found == checkpoint(3) || !(of_state || cut), "a cut or changed state was taken");

        // Learning comes to the same entry again: it is stored anew.
        store.store(&checkpoint(40)).unwrap();
        prop_assert_eq!(store.newest(u64::MAX).unwrap(), Some(checkpoint(40)));
    }

    #[test]
    fn only_the_newest_are_kept(entries in prop::collection::btree_set(1_u64..1_000, 1..8), keep in 0_usize..9) {
        let dir = tempfile::tempdir().unwrap();
        let entries: Vec<u64> = entries.into_iter().collect();
        let store = store(dir.path(), &entries);
        store.retain(keep).unwrap();
        prop_assert_eq!(store.entries().unwrap(), &entries[entries.len().saturating_sub(keep.max(1))..]);
        prop_assert_eq!(fs::read_dir(dir.path().join("checkpoints")).unwrap().count(), keep.max(1).min(entries.len()));
    }
}

#[test]
fn a_manifest_of_another_entry_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &[3, 40]);
    for name in ["manifest.json", "state.safetensors"] {
        fs::copy(file(dir.path(), 3, name), file(dir.path(), 40, name)).unwrap();
    }
    assert_eq!(store.newest(u64::MAX).unwrap(), Some(checkpoint(3)));
    assert_eq!(store.newest_first(u64::MAX).unwrap().count(), 1);
}

#[test]
fn what_a_crash_left_half_done_is_no_checkpoint_and_goes_with_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &[3]);
    for name in [".40.writing", ".2.removing"] {
        let left = dir.path().join("checkpoints").join(name);
        fs::create_dir(&left).unwrap();
        fs::write(left.join("state.safetensors"), b"half").unwrap();
    }
    assert_eq!(store.entries().unwrap(), [3]);
    store.store(&checkpoint(50)).unwrap();
    assert_eq!(store.entries().unwrap(), [3, 50]);
    assert_eq!(fs::read_dir(dir.path().join("checkpoints")).unwrap().count(), 2);
}
