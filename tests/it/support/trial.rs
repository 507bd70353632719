use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tidewheel_loadgen::replay::{Replay, ReplayReport};
use tidewheel_loadgen::streams::Stream;

use super::kafka::Kafka;

/// Rows of Elec2.
pub const EVENTS: u64 = 45_312;

/// One test's configuration, topics and folder: `config/elec2.toml` with names of its own.
pub struct Trial {
    folder: TempDir,
    prefix: String,
    config: toml::Table,
    brokers: String,
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Trial {
    pub fn new(brokers: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let text = include_str!("../../../config/elec2.toml");
        let mut trial = Self {
            folder: tempfile::tempdir().unwrap(),
            prefix: format!("it{number}"),
            config: text.parse().unwrap(),
            brokers: brokers.to_owned(),
        };
        trial.set("kafka.brokers", brokers);
        trial.set("data.dir", trial.folder.path().join("data").to_str().unwrap());
        trial.set("http.listen", "127.0.0.1:0");
        trial.set("log.format", "json");
        trial.set("pipeline.elec2.events.topic", trial.topic("events"));
        trial.set("pipeline.elec2.labels.topic", trial.topic("labels"));
        trial.set("pipeline.elec2.journal.topic", trial.topic("journal"));
        for output in ["predictions", "alerts", "dead_letters", "examples"] {
            trial.set(&format!("pipeline.elec2.outputs.{output}"), trial.topic(output));
        }
        trial
    }

    /// The same with its journal in this home, `"file"` or `"kafka"`.
    pub fn in_home(brokers: &str, home: &str) -> Self {
        let mut trial = Self::new(brokers);
        trial.set("pipeline.elec2.journal.kind", home);
        trial
    }

    /// Moves to a machine that has nothing yet but the configuration.
    pub fn on_an_empty_disk(&mut self) -> &mut Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("data-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = self.folder.path().join(name);
        self.set("data.dir", dir.to_str().unwrap())
    }

    /// Sets a key by its path and writes the file anew.
    pub fn set(&mut self, path: &str, value: impl Into<toml::Value>) -> &mut Self {
        let (sections, key) = path.rsplit_once('.').unwrap_or(("", path));
        let mut table = &mut self.config;
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let inner = table.entry(section).or_insert_with(|| toml::Table::new().into());
            table = inner.as_table_mut().unwrap();
        }
        table.insert(key.to_owned(), value.into());
        std::fs::write(self.config_path(), self.config.to_string()).unwrap();
        self
    }

    /// This trial's topic of a kind: `events`, `labels`, `predictions`, `examples`, `alerts` or `dead_letters`, or `journal`.
    pub fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.prefix)
    }

    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    pub fn kafka(&self) -> Kafka {
        Kafka::at(&self.brokers)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("tidewheel.toml")
    }

    /// The journal's segments, oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let journal = self.folder.path().join("data/pipelines/elec2/journal");
        let files = journal.read_dir().unwrap().map(|item| item.unwrap().path());
        let mut segments: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|e| e == "journal")).collect();
        segments.sort();
        segments
    }

    /// A command of the built binary, with this trial's configuration.
    pub fn command(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewheel"));
        command.arg(subcommand).arg("--config").arg(self.config_path()).args(arguments);
        for (key, _) in std::env::vars_os() {
            if key.to_str().is_some_and(|key| key.starts_with("TIDEWHEEL_")) {
                command.env_remove(key);
            }
        }
        command
    }

    /// Runs a command that ends by itself.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> Ended {
        self.command(subcommand, arguments).output().unwrap().into()
    }

    /// Makes the latest version again and returns its digest of the state, as stored.
    pub fn rebuild(&self, arguments: &[&str]) -> String {
        let ended = self.run("rebuild", arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let state = ended.stdout.lines().find(|line| line.starts_with("state ")).unwrap();
        let words: Vec<&str> = state.split_whitespace().collect();
        let ["state", stored, rebuilt, "equal"] = words[..] else { panic!("{}", ended.stdout) };
        assert_eq!((stored, stored.len()), (rebuilt, 64), "{}", ended.stdout);
        stored.to_owned()
    }

    /// Sends rows of Elec2 and their labels on a thread of its own.
    pub fn replay(&self, rows: std::ops::Range<u64>, rate: Option<f64>) -> Replaying {
        let mut replay = Replay::new(&self.brokers, &self.topic("events"), &self.topic("labels"));
        replay.rate = rate;
        replay.from_row = rows.start;
        replay.rows = Some(rows.end - rows.start);
        Replaying(std::thread::spawn(move || {
            let source = Stream::Elec2.open().unwrap();
            replay.run(&source).unwrap_or_else(|error| panic!("{error}"))
        }))
    }
}

/// A replay under way.
pub struct Replaying(JoinHandle<ReplayReport>);

impl Replaying {
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits until the broker has all of it.
    pub fn finish(self) -> ReplayReport {
        self.0.join().expect("the replay says why it failed")
    }
}

/// Whether a process ended by itself, with this code.
pub fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"))
}
