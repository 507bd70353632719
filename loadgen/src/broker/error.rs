use std::io;
use std::path::PathBuf;

/// Why a broker could not be started, steered or stopped.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error(
        "apache kafka's jars were looked for in {looked_in}, and no kafka_*.jar is there: run ./test or deploy/kafka/fetch at the repository root"
    )]
    JarsMissing { looked_in: String },

    #[error(
        "java could not be run ({source}): install 17 or newer (debian: apt-get install default-jre-headless)"
    )]
    NoJava { source: io::Error },

    #[error(
        "{folder} already holds a broker's data: give an empty folder, or restart the broker that made it"
    )]
    NotFresh { folder: PathBuf },

    #[error("could not {action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },

    #[error(
        "no free port was found between {first} and {last} on 127.0.0.1: end what listens there, or name a port"
    )]
    NoFreePort { first: u16, last: u16 },

    #[error("kafka's storage could not be formatted ({status}), its output:\n{output}")]
    Format { status: String, output: String },

    #[error("the broker ended before it was ready ({status}), from its log {log}:\n{tail}")]
    Exited { status: String, log: PathBuf, tail: String },

    #[error(
        "the broker was not ready after {waited_s} s and was killed: give it longer, or see its log {log}:\n{tail}"
    )]
    NotReady { waited_s: u64, log: PathBuf, tail: String },

    #[error("the broker is not running: restart it before you {action} it")]
    NotRunning { action: &'static str },

    #[error("signal {signal} could not be sent to process {pid}: {reason}")]
    Signal { signal: &'static str, pid: u32, reason: String },
}

impl BrokerError {
    /// For `map_err`: an input or output error with what was being done to which path.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
