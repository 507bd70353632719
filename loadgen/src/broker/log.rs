use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::BrokerError;

/// The log lines quoted in an error: those that name a fault, then the end.
const FAULT_LINES_MAX: usize = 8;
const LAST_LINES_MAX: usize = 15;

/// The log file of one broker, which keeps what every start of it wrote.
#[derive(Debug)]
pub(super) struct BrokerLog {
    pub(super) path: PathBuf,
    /// Where the current start's lines begin, in bytes.
    from: u64,
}

impl BrokerLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, from: 0 }
    }

    /// Opens the file for a new start; `since_start` gives what comes after this.
    pub(super) fn open(&mut self) -> Result<File, BrokerError> {
        let failed = || BrokerError::io("open the broker's log", &self.path);
        let mut file = File::options().create(true).append(true).open(&self.path).map_err(failed())?;
        self.from = file.seek(SeekFrom::End(0)).map_err(failed())?;
        Ok(file)
    }

    /// What the broker has logged since it was last started.
    pub(super) fn since_start(&self) -> String {
        let mut bytes = Vec::new();
        // A log that cannot be read is shown as an empty one: the error that quotes it names its path.
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::Start(self.from)).is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The lines of the last start that say most about what went wrong.
    pub(super) fn tail(&self) -> String {
        telling_lines(&self.since_start())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The first faults, since the broker logs its whole shutdown after them, and the last lines.
fn telling_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let end = lines.len().saturating_sub(LAST_LINES_MAX);
    let is_fault = |line: &&&str| {
        line.contains(" ERROR ")
            || line.contains(" FATAL ")
            || line.starts_with("Caused by")
            || (line.contains("Exception: ") && !line.contains(" INFO "))
    };
    let faults = lines[..end].iter().filter(is_fault).take(FAULT_LINES_MAX);
    let told: Vec<&str> = faults.chain(&lines[end..]).copied().collect();
    if told.is_empty() { "(nothing was logged)".to_owned() } else { told.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_fault_is_quoted_though_a_long_shutdown_follows() {
        let mut log = String::from("t INFO starting (X)\nt ERROR it broke (X)\nCaused by: a reason\n");
        for i in 0..100 {
            log.push_str(&format!("t INFO shutting down {i} (X)\n"));
        }

        let told = telling_lines(&log);

        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[..2], ["t ERROR it broke (X)", "Caused by: a reason"]);
        assert_eq!(lines.len(), 2 + LAST_LINES_MAX);
        assert_eq!(lines.last(), Some(&"t INFO shutting down 99 (X)"));
    }

    #[test]
    fn a_second_start_does_not_see_the_lines_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = BrokerLog::new(folder.path().join("kafka.log"));
        log.open().unwrap().write_all(b"first start\n").unwrap();

        log.open().unwrap().write_all(b"second start\n").unwrap();

        assert_eq!(log.since_start(), "second start\n");
        assert_eq!(std::fs::read_to_string(log.path()).unwrap(), "first start\nsecond start\n");
    }
}
