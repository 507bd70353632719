use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::check::{Fault, config_of, parse};
use super::{Config, env};

/// Why there is no configuration; holds every fault, and the CLI ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {source}; expected a TOML file", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The text is wrong in these places, in the order of its lines.
    #[error("{}", Listed(path.as_deref(), faults))]
    Faults { path: Option<PathBuf>, faults: Vec<Fault> },
}

impl ConfigError {
    /// The faults; none when the file could not be read.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Read { .. } => &[],
            Self::Faults { faults, .. } => faults,
        }
    }
}

impl Config {
    /// Reads a TOML file, lays `TIDEWHEEL_…` variables of `env` over it, and checks the whole.
    ///
    /// # Errors
    /// A file that cannot be read, or all faults of the file and the variables at once.
    pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        read(&text, env).map_err(|faults| ConfigError::Faults { path: Some(path.into()), faults })
    }

    /// As [`Config::load`], from the text of a file.
    ///
    /// # Errors
    /// All faults of the text and the variables at once.
    pub fn parse(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        read(text, env).map_err(|faults| ConfigError::Faults { path: None, faults })
    }
}

fn read(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, Vec<Fault>> {
    let mut root = parse(text)?;
    let mut faults = env::lay_over(&mut root, env);
    match config_of(&root) {
        Ok(config) if faults.is_empty() => Ok(config),
        checked => {
            faults.extend(checked.err().into_iter().flatten());
            faults.sort_by_key(Fault::line);
            Err(faults)
        }
    }
}

/// A heading and a line for each fault.
struct Listed<'a>(Option<&'a Path>, &'a [Fault]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, faults) = self;
        let plural = if faults.len() == 1 { "fault" } else { "faults" };
        write!(f, "{} {plural} in the configuration", faults.len())?;
        if let Some(path) = path {
            write!(f, " {}", path.display())?;
        }
        faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::load(Path::new("no/such/file.toml"), []).unwrap_err();
        assert!(matches!(error, ConfigError::Read { .. }));
        assert!(
            error.to_string().starts_with("cannot read the configuration no/such/file.toml: "),
            "{error}"
        );
        assert!(error.faults().is_empty());
    }

    #[test]
    fn the_error_lists_every_fault_of_file_and_environment_in_the_order_of_the_lines() {
        let text = "[http]\nworkers = 0\nrow_max = 5\n[pipeline.x]\n";
        let env = [("TIDEWHEEL_KAFKA_BROKERS".to_string(), "k:9092".to_string())];
        let shown = Config::parse(text, env).unwrap_err().to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "6 faults in the configuration");
        assert!(lines[1].contains("TIDEWHEEL_KAFKA_BROKERS"), "{shown}");
        assert!(lines[2].contains("http.workers = 0 (line 2)"), "{shown}");
        assert!(lines[3].contains("http.row_max = 5 (line 3)"), "{shown}");
        for (line, key) in lines[4..].iter().zip(["events", "outputs", "schema"]) {
            assert!(line.contains(&format!("pipeline.x.{key} (line 4): missing, ")), "{shown}");
        }
    }
}
