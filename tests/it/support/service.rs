use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::trial::code;
use super::{Trial, eventually};

const START_WITHIN: Duration = Duration::from_secs(60);
/// Lines of the log that a failed test shows.
const TAIL_LINES: usize = 40;

/// `tidewheel run` as a process, killed when it is dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
    /// Where this start's lines begin in the log.
    from: u64,
    address: Option<String>,
}

impl Service {
    pub fn start(trial: &Trial) -> Self {
        Self::start_with(trial, &[])
    }

    pub fn start_with(trial: &Trial, arguments: &[&str]) -> Self {
        let log = trial.folder().join("log.jsonl");
        let mut file = File::options().create(true).append(true).open(&log).unwrap();
        let from = file.seek(SeekFrom::End(0)).unwrap();
        let child = trial
            .command("run", arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log, from, address: None }
    }

    /// What it has logged since it was started.
    pub fn logged(&self) -> String {
        let mut bytes = Vec::new();
        let mut file = File::open(&self.log).unwrap();
        file.seek(SeekFrom::Start(self.from)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn url(&mut self, path: &str) -> String {
        if self.address.is_none() {
            self.address = Some(eventually("it listens", START_WITHIN, || {
                if let Some(status) = self.child.try_wait().unwrap() {
                    panic!("it ended ({status}) before it listened");
                }
                let logged = self.logged();
                let lines = logged.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let mut listening = lines.filter(|line| line["fields"]["message"] == "listening");
                let address =
                    listening.next().and_then(|line| Some(line["fields"]["address"].as_str()?.to_owned()));
                address.ok_or("no line that says so")
            }));
        }
        format!("http://{}{path}", self.address.as_deref().unwrap())
    }

    pub fn get(&mut self, path: &str) -> Answer {
        answer::get(&self.url(path)).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        answer::post(&self.url(path), body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// A prediction for some event, which must be answered.
    pub fn predict(&mut self) -> Value {
        let features = json!({ "date": 0.5, "day": 3, "period": 0.5, "nswprice": 0.06, "nswdemand": 0.4,
            "vicprice": 0.003, "vicdemand": 0.42, "transfer": 0.41 });
        let answer = self.post("/v1/models/elec2/predict", &json!({ "features": features }));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub fn wait_ready(&mut self) {
        eventually("it is ready", START_WITHIN, || match self.get("/readyz") {
            Answer { status: 200, .. } => Ok(()),
            other => Err(other),
        });
    }

    pub fn monitor(&mut self) -> Value {
        self.get("/v1/models/elec2/monitor").json()
    }

    /// Waits until the accounts named say what is expected, and returns them all: `[("events", "learned", 7)]`.
    pub fn wait_for_accounts(&mut self, within: Duration, expected: &[(&str, &str, u64)]) -> Value {
        eventually("the accounts stand as expected", within, || {
            let accounts = self.monitor()["accounts"].take();
            let there = expected.iter().all(|(source, account, count)| accounts[source][account] == *count);
            if there { Ok(accounts) } else { Err(accounts.to_string()) }
        })
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        // The shell's own kill: a slim system may have no other.
        let mut kill = Command::new("sh");
        let status = kill.args(["-c", r#"kill -s "$1" "$2""#, "sh", signal, &pid]).status().unwrap();
        assert!(status.success(), "{signal} could not be sent");
    }

    /// SIGKILL, at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit code and how long it took.
    pub fn terminate(mut self) -> (i32, Duration) {
        let start = Instant::now();
        self.signal("TERM");
        (self.wait_exit(Duration::from_secs(60)), start.elapsed())
    }

    /// Waits until it ends by itself; its exit code.
    pub fn wait_exit(&mut self, within: Duration) -> i32 {
        eventually("it ends", within, || self.child.try_wait().unwrap().map(code).ok_or("it runs"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let logged = self.logged();
            let lines: Vec<&str> = logged.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            println!("the end of the service's log:\n{}", tail.join("\n"));
        }
    }
}
