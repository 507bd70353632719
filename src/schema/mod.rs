//! A record's bytes become typed raw columns, checked.
//!
//! Decoding is stateless: the same bytes give the same rows or the same reason for refusing them. What has a state
//! (encoders, discovered classes, duplicates) comes later.
//!
//! A record is read once, from its first byte to its last: `json` knows the grammar, a `plan` which fields matter,
//! `walk` brings the two together, and [`EventDecoder`] and [`LabelDecoder`] say what the values mean.

mod batch;
pub mod csv;
mod error;
mod events;
#[cfg(test)]
mod input_rules;
mod json;
mod label;
mod labels;
mod moment;
mod notices;
#[cfg(test)]
mod oracle;
mod place;
mod plan;
mod record;
mod refusal;
mod rows;
mod texts;
mod time;
mod values;
mod walk;
mod words;

pub use batch::{Events, Labels};
pub use error::SchemaError;
pub use events::EventDecoder;
pub use labels::LabelDecoder;
pub use notices::Notices;
pub use plan::{Column, columns};
pub use record::{Header, Origin, RawRecord};
pub use refusal::{Reason, Refusal};
pub use rows::{Label, Rows};
pub use texts::Texts;
pub use values::{ID_BYTES_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX};
pub use walk::Scratch;
