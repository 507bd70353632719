use std::fmt;
use std::io;

use crate::schema::{Refusal, SchemaError};

/// Why a CSV file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    #[error("it is empty; expected a header line, then rows")]
    Empty,
    #[error("it has no rows; expected some after the header line")]
    NoRows,
    /// The input ended or failed in the middle, as a torn gzip file does.
    #[error("it cannot be read on after line {line}: {source}; expected a whole file")]
    Read { line: u64, source: io::Error },
    /// Another kind of file, told by its first bytes.
    #[error("it is {found}; expected utf-8 text, maybe gzipped{hint}")]
    NotText { found: &'static str, hint: &'static str },
    #[error("line {line}: the row that begins here has more than {} MiB; is a quote not closed?", max_bytes >> 20)]
    RowTooLong { line: u64, max_bytes: u64 },
    #[error("line 1: the header is not utf-8; expected utf-8 text")]
    HeaderNotUtf8,
    #[error(
        "line 1: it has numbers only, one of them twice; expected a header line with the names of the columns"
    )]
    NoHeader,
    #[error("line 1: columns {first} and {second} are both named {name:?}; expected each name once")]
    NameTwice { name: String, first: usize, second: usize },
    #[error("{what} {name:?} is not in the header; expected one of {expected}{}", DidYouMean(nearest))]
    NoColumn { what: &'static str, name: String, expected: String, nearest: Option<String> },
    #[error("the header has only the column {name:?}; expected a target and at least one more")]
    NoFeatures { name: String },
    #[error("target {name:?} is also a feature of the schema; expected a column that is not learned from")]
    TargetIsFeature { name: String },
    #[error("target {name:?}: {problem}; expected {expected}")]
    Target { name: String, problem: String, expected: &'static str },
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Row(#[from] BadRow),
}

struct DidYouMean<'a>(&'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |nearest| write!(f, "; did you mean {nearest:?}?"))
    }
}

struct Unclosed(u64, u64);

impl fmt::Display for Unclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(first, last) if first == last => Ok(()),
            Self(_, last) => write!(f, "; it goes on to line {last}: is a quote not closed?"),
        }
    }
}

/// A row that breaks the schema's rules: where it is, what is there and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// `last_line` is another one where quotes hold line breaks.
    #[error("line {line}: it has {found} cells; expected {expected}, as the header has{}", Unclosed(*line, *last_line))]
    Ragged { line: u64, last_line: u64, found: usize, expected: usize },
    /// `column` counts from 1.
    #[error("line {line}, column {column} {name:?}: {refusal}")]
    Cell { line: u64, column: usize, name: String, refusal: Refusal },
}
