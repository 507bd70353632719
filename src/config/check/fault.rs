use std::fmt;

use crate::config::secrets::is_secret;

/// Most characters of a value that a fault shows.
const VALUE_CHARS_MAX: usize = 60;

/// Where a value was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody wrote it: a default, or a key that is missing.
    #[default]
    Unwritten,
    /// Line of the file, from 1.
    Line(usize),
    /// Name of an environment variable.
    Variable(String),
    /// An argument of the command line.
    Argument(String),
}

/// One thing that is wrong with a configuration; its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Dotted path of the key, `pipeline.elec2.batch.max_rows`; empty for the file as a whole.
    pub key: String,
    pub origin: Origin,
    /// The value as TOML, shortened, secrets masked; none where a key is missing.
    pub value: Option<String>,
    /// What is wrong, where `expected` alone does not say it.
    pub problem: Option<String>,
    /// What would be right.
    pub expected: String,
    /// The valid word nearest to what was written.
    pub nearest: Option<String>,
}

impl Fault {
    pub(in crate::config) fn new(
        path: &[impl AsRef<str>],
        origin: Origin,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            key: dotted(path),
            origin,
            value: None,
            problem: None,
            expected: expected.into(),
            nearest: None,
        }
    }

    /// A fault of the file as a whole.
    pub(in crate::config) fn whole(origin: Origin, expected: impl Into<String>) -> Self {
        Self::new(&[""; 0], origin, expected)
    }

    /// Adds the value, masked when a part of the key names a secret.
    pub(in crate::config) fn value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(if is_secret(&self.key) { "***".into() } else { shortened(&value.to_string()) });
        self
    }

    pub(in crate::config) fn problem(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    pub(in crate::config) fn nearest(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }

    /// Line of the file, where the fault has one.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::Line(line) => Some(line),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.key.is_empty() { "the file" } else { &self.key })?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        match &self.origin {
            Origin::Unwritten => {}
            Origin::Line(line) => write!(f, " (line {line})")?,
            Origin::Variable(name) | Origin::Argument(name) => write!(f, " (from {name})")?,
        }
        f.write_str(": ")?;
        if let Some(problem) = &self.problem {
            write!(f, "{problem}, ")?;
        }
        write!(f, "expected {}", self.expected)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean \"{nearest}\"?"),
            None => Ok(()),
        }
    }
}

/// A path as TOML writes it: parts that are no bare keys in quotes, indices in brackets as they are.
fn dotted(path: &[impl AsRef<str>]) -> String {
    let mut key = String::new();
    for part in path.iter().map(AsRef::as_ref) {
        if !key.is_empty() && !part.starts_with('[') {
            key.push('.');
        }
        let bare = !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if bare || part.starts_with('[') {
            key.push_str(part);
        } else {
            key.push_str(&format!("{part:?}"));
        }
    }
    key
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text.into();
    }
    text.chars().take(VALUE_CHARS_MAX).chain("…".chars()).collect()
}

/// The candidate that was most probably meant by `word`, if one is near enough.
pub(crate) fn nearest_word<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const NEAR: f64 = 0.55;
    let word = word.to_lowercase();
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(&word, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_one_line_with_key_value_line_expectation_and_nearest_word() {
        let fault =
            Fault::new(&["pipeline", "elec2", "batch", "max_row"], Origin::Line(12), "one of max_rows")
                .value(100)
                .problem("unknown key")
                .nearest(Some("max_rows".into()));
        assert_eq!(
            fault.to_string(),
            "pipeline.elec2.batch.max_row = 100 (line 12): unknown key, expected one of max_rows; \
             did you mean \"max_rows\"?"
        );
    }

    #[test]
    fn a_fault_of_a_secret_key_never_shows_the_value() {
        let fault =
            Fault::new(&["kafka", "properties", "sasl.password"], Origin::Line(3), "a text").value(1234);
        assert_eq!(fault.to_string(), "kafka.properties.\"sasl.password\" = *** (line 3): expected a text");
    }

    #[test]
    fn a_long_value_is_cut() {
        let fault = Fault::new(&["http", "listen"], Origin::Unwritten, "a text").value("x".repeat(1_000));
        assert_eq!(fault.value.map(|value| value.chars().count()), Some(VALUE_CHARS_MAX + 1));
    }

    #[test]
    fn only_a_word_that_is_near_is_suggested() {
        let words = ["max_rows", "max_wait_ms"];
        assert_eq!(nearest_word("max_row", words).as_deref(), Some("max_rows"));
        assert_eq!(nearest_word("MAX_WAIT", words).as_deref(), Some("max_wait_ms"));
        assert_eq!(nearest_word("learner", words), None);
    }
}
