use std::path::{Path, PathBuf};

use super::BrokerError;

/// Where `deploy/kafka/fetch` puts the jars, under the repository root.
const FOLDER: &str = ".kafka/libs";

/// A folder with Apache Kafka's jars.
#[derive(Debug, Clone)]
pub struct KafkaJars {
    folder: PathBuf,
}

impl KafkaJars {
    /// The nearest `.kafka/libs` in the current folder or one above it: tests run in their crate's folder, the jars are at the repository root.
    ///
    /// # Errors
    /// [`BrokerError::JarsMissing`], which says how to fetch them.
    pub fn locate() -> Result<Self, BrokerError> {
        let start = std::env::current_dir().map_err(BrokerError::io("find", "."))?;
        Self::locate_from(&start)
    }

    fn locate_from(start: &Path) -> Result<Self, BrokerError> {
        start.ancestors().find_map(|folder| Self::at(folder.join(FOLDER)).ok()).ok_or_else(|| {
            BrokerError::JarsMissing {
                looked_in: format!("{FOLDER} in {} and every folder above it", start.display()),
            }
        })
    }

    /// The jars in `folder`.
    ///
    /// # Errors
    /// [`BrokerError::JarsMissing`] if no `kafka_*.jar` is there.
    pub fn at(folder: impl AsRef<Path>) -> Result<Self, BrokerError> {
        let folder = folder.as_ref();
        let missing = || BrokerError::JarsMissing { looked_in: folder.display().to_string() };
        // Absolute, because the broker runs in its data folder.
        let folder = folder.canonicalize().map_err(|_| missing())?;
        let found = folder
            .read_dir()
            .map_err(|_| missing())?
            .flatten()
            .any(|file| is_kafka(&file.file_name().to_string_lossy()));
        if found { Ok(Self { folder }) } else { Err(missing()) }
    }

    /// For `java -cp`.
    pub(super) fn class_path(&self) -> PathBuf {
        self.folder.join("*")
    }
}

fn is_kafka(name: &str) -> bool {
    name.starts_with("kafka_") && name.ends_with(".jar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_above_is_found() {
        let root = tempfile::tempdir().unwrap();
        let libs = root.path().join(FOLDER);
        std::fs::create_dir_all(&libs).unwrap();
        std::fs::write(libs.join("kafka_2.13-4.3.1.jar"), b"").unwrap();
        let below = root.path().join("loadgen/src");
        std::fs::create_dir_all(&below).unwrap();

        let jars = KafkaJars::locate_from(&below).unwrap();

        assert_eq!(
            jars.class_path(),
            libs.canonicalize().unwrap().join("*"),
            "found from a folder two levels below"
        );
    }

    #[test]
    fn missing_jars_are_an_error_that_says_how_to_fetch_them() {
        let empty = tempfile::tempdir().unwrap();

        let at = KafkaJars::at(empty.path()).unwrap_err().to_string();
        let located = KafkaJars::locate_from(empty.path()).unwrap_err().to_string();

        for message in [at, located] {
            assert!(message.contains(empty.path().to_str().unwrap()), "{message}");
            assert!(message.contains("run ./test"), "{message}");
        }
    }
}
