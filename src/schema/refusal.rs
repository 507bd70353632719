use std::borrow::Cow;
use std::fmt;

/// Most bytes of a value or a field's name that a refusal repeats.
const EXCERPT_BYTES_MAX: usize = 64;

/// Why a record cannot be used, said so that its sender can put it right: which field, its value and what was
/// expected. It goes into a dead letter's header and into an HTTP 400.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal(Box<Detail>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    reason: Reason,
    field: Option<String>,
    value: Option<String>,
    expected: Cow<'static, str>,
}

/// The rule that a record broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    NullValue,
    NotUtf8,
    NotJson,
    NotAnObject,
    TooDeep,
    DuplicateField,
    IdMissing,
    IdEmpty,
    IdTooLong,
    IdNotText,
    KeyTooLong,
    WrongType,
    NumberAsText,
    OutOfRange,
    BadWeight,
    BadTime,
    LabelMissing,
    LabelLength,
    LabelNotDeclared,
}

impl Reason {
    /// A short stable word, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Reason::NullValue => "null_value",
            Reason::NotUtf8 => "not_utf8",
            Reason::NotJson => "not_json",
            Reason::NotAnObject => "not_an_object",
            Reason::TooDeep => "too_deep",
            Reason::DuplicateField => "duplicate_field",
            Reason::IdMissing => "id_missing",
            Reason::IdEmpty => "id_empty",
            Reason::IdTooLong => "id_too_long",
            Reason::IdNotText => "id_not_text",
            Reason::KeyTooLong => "key_too_long",
            Reason::WrongType => "wrong_type",
            Reason::NumberAsText => "number_as_text",
            Reason::OutOfRange => "out_of_range",
            Reason::BadWeight => "bad_weight",
            Reason::BadTime => "bad_time",
            Reason::LabelMissing => "label_missing",
            Reason::LabelLength => "label_length",
            Reason::LabelNotDeclared => "label_not_declared",
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Reason::NullValue => "null value",
            Reason::NotUtf8 => "invalid utf-8",
            Reason::NotJson => "malformed json",
            Reason::NotAnObject => "not a json object",
            Reason::TooDeep => "nested too deeply",
            Reason::DuplicateField => "duplicate field",
            Reason::IdMissing => "id missing",
            Reason::IdEmpty => "id empty",
            Reason::IdTooLong => "id too long",
            Reason::IdNotText => "id not a string",
            Reason::KeyTooLong => "key too long",
            Reason::WrongType => "wrong type",
            Reason::NumberAsText => "number as a string",
            Reason::OutOfRange => "number out of range",
            Reason::BadWeight => "bad weight",
            Reason::BadTime => "bad time",
            Reason::LabelMissing => "label missing",
            Reason::LabelLength => "label empty or too long",
            Reason::LabelNotDeclared => "label not declared",
        }
    }
}

impl Refusal {
    #[cold]
    pub(super) fn new(reason: Reason, expected: impl Into<Cow<'static, str>>) -> Self {
        Refusal(Box::new(Detail { reason, field: None, value: None, expected: expected.into() }))
    }

    /// Names the field, or the place, that holds the value.
    pub(super) fn in_field(mut self, field: &str) -> Self {
        self.0.field = Some(excerpt(field));
        self
    }

    /// Repeats the value, or its beginning.
    pub(super) fn with_value(mut self, value: &str) -> Self {
        self.0.value = Some(excerpt(value));
        self
    }

    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// A short stable word for the reason, for metrics; there are as many as [`Reason`] has values.
    pub fn kind(&self) -> &'static str {
        self.0.reason.word()
    }

    /// The field's place (`price`, `/after/price`, `header:ce_id`), where one field is to blame.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// What was found, as it was written, or its first bytes.
    pub fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    pub fn expected(&self) -> &str {
        &self.0.expected
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Detail { reason, field, value, expected } = &*self.0;
        f.write_str(reason.phrase())?;
        if let Some(field) = field {
            write!(f, ": field {field:?}")?;
        }
        if let Some(value) = value {
            write!(f, ": {value}")?;
        }
        write!(f, "; expected {expected}")
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The beginning of `text`, cut between characters, with control characters made visible.
fn excerpt(text: &str) -> String {
    let end = text.floor_char_boundary(EXCERPT_BYTES_MAX);
    let mut excerpt = String::with_capacity(end + 4);
    for c in text[..end].chars() {
        if c.is_control() {
            excerpt.extend(c.escape_unicode());
        } else {
            excerpt.push(c);
        }
    }
    if end < text.len() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_field_value_and_what_was_expected() {
        let refusal = Refusal::new(Reason::WrongType, "a number").in_field("/after/price").with_value("true");
        assert_eq!(refusal.to_string(), "wrong type: field \"/after/price\": true; expected a number");
        assert_eq!(refusal.kind(), "wrong_type");
        assert_eq!(refusal.field(), Some("/after/price"));
        assert_eq!(refusal.value(), Some("true"));
        assert_eq!(refusal.expected(), "a number");
    }

    #[test]
    fn long_and_unprintable_values_are_shortened_and_made_visible() {
        assert_eq!(excerpt("a\u{0}b"), "a\\u{0}b");
        let cut = excerpt(&"é".repeat(100));
        assert_eq!(cut, format!("{}…", "é".repeat(32)));
        let cut = excerpt(&format!("x{}", "é".repeat(100)));
        assert_eq!(cut, format!("x{}…", "é".repeat(31)));
    }

    #[test]
    fn a_refusal_costs_the_accepted_path_one_word() {
        assert_eq!(size_of::<Result<(), Refusal>>(), size_of::<usize>());
    }
}
