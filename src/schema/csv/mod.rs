//! Rows of CSV files: the same columns, categories and labels that records have, by the same rules.
//!
//! The `csv` crate knows the syntax (RFC 4180); here is what the cells mean. Without a schema one is inferred from
//! the file; from then on its rules decide, and a cell that breaks them is a [`BadRow`].

mod cell;
mod decoder;
mod error;
mod infer;
mod lines;
mod reader;
mod target;

pub use decoder::CsvDecoder;
pub use error::{BadRow, CsvError};
pub use infer::Sample;
pub use reader::{CsvReader, Record};
pub use target::TargetColumn;
