use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;
use tidewheel_loadgen::broker::{Broker, BrokerOptions, KafkaJars};

/// One broker for all tests that leave it alone. It ends with this process.
pub fn shared_broker() -> &'static str {
    static SHARED: OnceLock<(Broker, String)> = OnceLock::new();
    let (_, address) = SHARED.get_or_init(|| {
        let broker = start(&folder_of_this_process());
        let address = broker.address();
        (broker, address)
    });
    address
}

/// A broker for a test that stops it, with the folder that it lives in.
pub fn own_broker() -> (Broker, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (start(&folder.path().join("kafka")), folder)
}

fn start(folder: &Path) -> Broker {
    let jars = KafkaJars::locate().unwrap_or_else(|error| panic!("{error}"));
    Broker::start(&jars, folder, BrokerOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Nothing is dropped at a process's end, so each run removes what earlier ones left.
fn folder_of_this_process() -> PathBuf {
    const PREFIX: &str = "kafka-of-";
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for item in parent.read_dir().into_iter().flatten().flatten() {
        let name = item.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(item.path());
        }
    }
    parent.join(format!("{PREFIX}{}", std::process::id()))
}
