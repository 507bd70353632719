use xxhash_rust::xxh3::xxh3_64;

use super::json::{Number, Scalar, Text};
use super::notices::Notices;
use super::refusal::{Reason, Refusal};

/// Longest id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 256;

/// Longest entity key, in bytes; keys are kept by the cache.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Longest class, in bytes of UTF-8.
pub const LABEL_BYTES_MAX: usize = 256;

/// A value with a role, not null.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    Json {
        scalar: Scalar<'a>,
        /// As it is written in the record.
        literal: &'a str,
    },
    /// A header's value: text that stands for whatever is wanted there.
    Header(&'a str),
}

impl<'a> Found<'a> {
    pub fn literal(self) -> &'a str {
        match self {
            Found::Json { literal, .. } => literal,
            Found::Header(text) => text,
        }
    }

    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Found::Json { scalar: Scalar::Text(text), .. } => Some(text),
            Found::Header(raw) => Some(Text { raw, escaped: false }),
            Found::Json { .. } => None,
        }
    }

    pub fn number(self) -> Option<Number<'a>> {
        match self {
            Found::Json { scalar: Scalar::Number(number), .. } => Some(number),
            Found::Header(text) => whole_number(text),
            Found::Json { .. } => None,
        }
    }

    /// The value is not what the reason says it must be.
    pub fn refusal(self, reason: Reason, expected: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
        let reason = match self {
            Found::Json { scalar, .. } if reason == Reason::WrongType => type_reason(scalar),
            _ => reason,
        };
        Refusal::new(reason, expected).with_value(self.literal())
    }
}

/// A numeric feature; `None`: missing. `true` and `false` are no numbers: as a feature they are categories.
pub fn feature(scalar: Scalar<'_>, notices: &mut Notices) -> Result<Option<f32>, Refusal> {
    match scalar {
        Scalar::Number(number) => {
            notices.rounded_integer += u64::from(number.is_rounded_integer());
            finite(number).map(Some)
        }
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.raw == "NaN" => Ok(None),
        Scalar::Text(_) => Err(Refusal::new(type_reason(scalar), "a number without quotes, null or \"NaN\"")),
        Scalar::Bool(_) => Err(Refusal::new(
            Reason::WrongType,
            "a number or null; for true and false declare the feature categorical",
        )),
    }
}

pub fn finite(number: Number<'_>) -> Result<f32, Refusal> {
    let value = number.to_f32();
    if value.is_finite() { Ok(value) } else { Err(out_of_range(number)) }
}

#[cold]
fn out_of_range(number: Number<'_>) -> Refusal {
    Refusal::new(Reason::OutOfRange, "a number within ±3.4028235e38").with_value(number.text)
}

/// The hash of a category's text; `None`: missing. A text has no bound of its own: only its hash is kept.
pub fn category(scalar: Scalar<'_>, literal: &str, buffer: &mut Vec<u8>) -> Option<u64> {
    let hash = match scalar {
        Scalar::Null => return None,
        Scalar::Bool(_) | Scalar::Number(_) => xxh3_64(literal.as_bytes()),
        Scalar::Text(text) => xxh3_64(text.bytes(buffer)),
    };
    // 0 is the missing value.
    Some(hash.max(1))
}

/// The id's bytes.
pub fn id<'b, 'a: 'b>(found: Option<Found<'a>>, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Refusal> {
    let Some(found) = found else {
        return Err(Refusal::new(Reason::IdMissing, "a string that no other event has"));
    };
    let Some(text) = found.text() else {
        return Err(found.refusal(Reason::IdNotText, "a string in double quotes"));
    };
    let id = text.bytes(buffer);
    match id.len() {
        0 => Err(found.refusal(Reason::IdEmpty, "a string of 1 to 256 bytes")),
        1..=ID_BYTES_MAX => Ok(id),
        len => {
            Err(found
                .refusal(Reason::IdTooLong, format!("a string of 1 to {ID_BYTES_MAX} bytes, it has {len}")))
        }
    }
}

/// An example's weight, 1 when none is given; 0 is never negative.
pub fn weight(found: Option<Found<'_>>, notices: &mut Notices) -> Result<f32, Refusal> {
    const EXPECTED: &str = "a finite number, 0 or more";
    let Some(found) = found else { return Ok(1.0) };
    let Some(number) = found.number() else {
        return Err(found.refusal(Reason::BadWeight, EXPECTED));
    };
    let weight = number.to_f32();
    if !weight.is_finite() || weight < 0.0 {
        return Err(found.refusal(Reason::BadWeight, EXPECTED));
    }
    notices.zero_weight += u64::from(weight == 0.0);
    Ok(weight.abs())
}

/// `text` as a JSON number, all of it.
fn whole_number(text: &str) -> Option<Number<'_>> {
    Number::scan(text, 0).ok().filter(|&(_, end)| end == text.len()).map(|(number, _)| number)
}

/// Why a value is not of the wanted type: a number in quotes has a reason of its own.
fn type_reason(scalar: Scalar<'_>) -> Reason {
    match scalar {
        Scalar::Text(text) if whole_number(text.raw.trim()).is_some() => Reason::NumberAsText,
        _ => Reason::WrongType,
    }
}
