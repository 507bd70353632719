use std::time::Duration;

use crate::support::{Service, Trial, eventually, shared_broker};

const ROWS: u64 = 10_000;

#[test]
fn every_stored_version_is_rebuilt_also_one_whose_entry_has_a_checkpoint_with_the_service_running_beside() {
    // Given versions and checkpoints that fall due together,
    let mut trial = Trial::new(shared_broker());
    for kind in ["version", "checkpoint"] {
        trial.set(&format!("pipeline.elec2.{kind}.every_examples"), 2_000);
        trial.set(&format!("pipeline.elec2.{kind}.every_ms"), 0);
    }
    let mut service = Service::start(&trial);
    service.wait_ready();
    trial.replay(0..ROWS, None).finish();
    service.wait_for_accounts(Duration::from_secs(60), &[("events", "learned", ROWS)]);

    // then each is made again from what comes before it, and the service goes on.
    let versions = eventually("versions are stored", Duration::from_secs(30), || {
        let versions = service.get("/v1/models/elec2/versions").json()["versions"].take();
        let versions = versions.as_array().unwrap();
        if versions.len() >= 3 { Ok(versions.clone()) } else { Err(versions.len()) }
    });
    for manifest in &versions {
        let number = manifest["version"].to_string();
        assert_eq!(trial.rebuild(&["--to", &number]), manifest["digests"]["state"], "version {number}");
    }
    assert_eq!(service.get("/readyz").status, 200);
    assert_eq!(service.terminate().0, 0);

    // A version that was never stored is refused.
    let ended = trial.run("rebuild", &["--to", "99"]);
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("version 99"), "{ended:?}");
}
