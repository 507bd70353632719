//! A real Apache Kafka for tests and benchmarks: one KRaft node on this machine, as a child process that never outlives its
//! parent. Its jars come by Maven: `deploy/kafka/fetch`, which `./test` runs.
//!
//! Topics are not created here: a JVM a topic costs 1.5 s, the client's admin interface a few milliseconds.

mod error;
mod jars;
mod log;
mod options;
mod ports;
mod process;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

pub use error::BrokerError;
pub use jars::KafkaJars;
use log::BrokerLog;
pub use options::BrokerOptions;
use process::Process;

const PROPERTIES_FILE: &str = "server.properties";
const LOG_FILE: &str = "kafka.log";
const LOG_CONFIG_FILE: &str = "log4j2.yaml";
const LOG_CONFIG: &str = include_str!("../../../deploy/kafka/log4j2.yaml");

/// 16 bytes as unpadded base64, as Kafka wants it. Every node here is a cluster of its own, so all may have the same.
const CLUSTER_ID: &str = "tidewheel-test-clusteQ";

/// Kafka's last line of a start: its listeners are open and the controller has let it in.
const READY: &str = "Kafka Server started";
const POLL: Duration = Duration::from_millis(20);

/// One running (or stopped, or killed) node. Dropping it kills the process and leaves the data.
#[derive(Debug)]
pub struct Broker {
    jars: KafkaJars,
    folder: PathBuf,
    options: BrokerOptions,
    port: u16,
    log: BrokerLog,
    process: Option<Process>,
}

impl Broker {
    /// Makes a new node with its configuration, its log (`kafka.log`) and its data in `folder`, and waits until it is ready:
    /// about four seconds.
    ///
    /// # Errors
    /// If the folder holds a broker's data already, java is missing, no port is free, or the broker does not come up in time.
    pub fn start(
        jars: &KafkaJars,
        folder: impl AsRef<Path>,
        options: BrokerOptions,
    ) -> Result<Self, BrokerError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(BrokerError::io("create", folder))?;
        let folder = folder.canonicalize().map_err(BrokerError::io("find", folder))?;
        if folder.join(PROPERTIES_FILE).exists() {
            return Err(BrokerError::NotFresh { folder });
        }
        let port = options.port.map_or_else(ports::free_port, Ok)?;
        let controller_port = ports::free_port()?;
        let mut broker = Self {
            jars: jars.clone(),
            log: BrokerLog::new(folder.join(LOG_FILE)),
            folder,
            options,
            port,
            process: None,
        };
        let properties = broker.options.server_properties(port, controller_port);
        broker.write(PROPERTIES_FILE, &properties)?;
        broker.write(LOG_CONFIG_FILE, LOG_CONFIG)?;
        broker.format()?;
        broker.run()?;
        Ok(broker)
    }

    /// Where clients connect to: `bootstrap.servers`. The same for the life of the broker, restarts included.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its log, with the lines of every start.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Asks it to end (SIGTERM) and waits; after `stop_timeout` it is killed. A paused one goes on first. The status tells
    /// which: 143 is Java's clean end on SIGTERM, signal 9 a kill.
    ///
    /// # Errors
    /// [`BrokerError::NotRunning`].
    pub fn stop(&mut self) -> Result<ExitStatus, BrokerError> {
        let timeout = self.options.stop_timeout;
        let process = self.running("stop")?;
        process.signal("TERM")?;
        process.signal("CONT")?;
        match process.wait_for(timeout) {
            Some(status) => {
                self.process = None;
                Ok(status)
            }
            None => self.kill(),
        }
    }

    /// Ends it at once (SIGKILL), as a crash of the machine would, except that what it wrote stays in the page cache. The next
    /// start takes up to 5 s longer, until the session of the killed one is over.
    ///
    /// # Errors
    /// [`BrokerError::NotRunning`].
    pub fn kill(&mut self) -> Result<ExitStatus, BrokerError> {
        let process = self.running("kill")?;
        let pid = process.pid();
        let status =
            process.kill().map_err(|e| BrokerError::Signal { signal: "KILL", pid, reason: e.to_string() })?;
        self.process = None;
        Ok(status)
    }

    /// Stops it if it runs, starts it again on the same port and data, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not come up in time.
    pub fn restart(&mut self) -> Result<(), BrokerError> {
        if self.running("stop").is_ok() {
            self.stop()?;
        }
        self.run()
    }

    /// Freezes it (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// [`BrokerError::NotRunning`].
    pub fn pause(&mut self) -> Result<(), BrokerError> {
        self.running("pause")?.signal("STOP")
    }

    /// Lets a paused one go on (SIGCONT).
    ///
    /// # Errors
    /// [`BrokerError::NotRunning`].
    pub fn resume(&mut self) -> Result<(), BrokerError> {
        self.running("resume")?.signal("CONT")
    }

    /// The process, unless it has ended, by whatever cause.
    fn running(&mut self, action: &'static str) -> Result<&mut Process, BrokerError> {
        if self.process.as_mut().is_some_and(|p| p.ended().is_some()) {
            self.process = None;
        }
        self.process.as_mut().ok_or(BrokerError::NotRunning { action })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), BrokerError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(BrokerError::io("write", path))
    }

    /// Java's arguments that both the formatter and the broker get.
    fn java_args(&self) -> Vec<String> {
        vec![
            "-cp".to_owned(),
            self.jars.class_path().display().to_string(),
            format!("-Dlog4j2.configurationFile={LOG_CONFIG_FILE}"),
        ]
    }

    fn format(&self) -> Result<(), BrokerError> {
        let output = Command::new("java")
            .args(self.java_args())
            // It lives for a second: the thorough compiler and the big collector would only cost it time.
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .args(["kafka.tools.StorageTool", "format", "--standalone"])
            .args(["-t", CLUSTER_ID, "-c", PROPERTIES_FILE])
            .current_dir(&self.folder)
            .output()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => BrokerError::NoJava { source },
                _ => BrokerError::io("run java in", &self.folder)(source),
            })?;
        if output.status.success() {
            return Ok(());
        }
        let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
        Err(BrokerError::Format {
            status: output.status.to_string(),
            output: format!("{out}{err}").trim().to_owned(),
        })
    }

    /// Starts the process on what `start` has prepared, and waits until it is ready.
    fn run(&mut self) -> Result<(), BrokerError> {
        let log = self.log.open()?;
        let heap = format!("-Xmx{}m", self.options.heap_mib);
        let args = self.java_args();
        let mut command = vec!["java", &heap, "-XX:+ExitOnOutOfMemoryError"];
        command.extend(args.iter().map(String::as_str));
        command.extend(["kafka.Kafka", PROPERTIES_FILE]);
        let mut process = Process::spawn(&command, &self.folder, log)
            .map_err(BrokerError::io("run java in", &self.folder))?;
        self.wait_until_ready(&mut process)?;
        self.process = Some(process);
        Ok(())
    }

    fn wait_until_ready(&self, process: &mut Process) -> Result<(), BrokerError> {
        let timeout = self.options.start_timeout;
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = process.ended() {
                return Err(BrokerError::Exited {
                    status: status.to_string(),
                    log: self.log.path.clone(),
                    tail: self.log.tail(),
                });
            }
            if self.log.since_start().contains(READY) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(BrokerError::NotReady {
                    waited_s: timeout.as_secs(),
                    log: self.log.path.clone(),
                    tail: self.log.tail(),
                });
            }
            thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests;
