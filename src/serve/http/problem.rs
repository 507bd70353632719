use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, ALLOW, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value, json};

use crate::schema::Refusal;

/// Longest value, in bytes, that a problem repeats to the sender.
const VALUE_BYTES_MAX: usize = 128;

/// What went wrong, as an RFC 9457 problem document.
#[derive(Debug)]
pub struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    kind: Kind,
    detail: String,
    members: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// The problems there are; each has a name, a status and a title of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    InvalidJson,
    InvalidField,
    NoRows,
    TooManyRows,
    BrokenBody,
    UnknownModel,
    UnknownKey,
    NoLabelsTopic,
    UnknownRoute,
    MethodNotAllowed,
    SlowBody,
    TooLarge,
    ContentType,
    ContentEncoding,
    Internal,
    LabelsNotTaken,
    NotReady,
    Busy,
    LabelsUnsure,
}

impl Kind {
    #[cfg(test)]
    pub const ALL: [Self; 19] = [
        Self::InvalidJson,
        Self::InvalidField,
        Self::NoRows,
        Self::TooManyRows,
        Self::BrokenBody,
        Self::UnknownModel,
        Self::UnknownKey,
        Self::NoLabelsTopic,
        Self::UnknownRoute,
        Self::MethodNotAllowed,
        Self::SlowBody,
        Self::TooLarge,
        Self::ContentType,
        Self::ContentEncoding,
        Self::Internal,
        Self::LabelsNotTaken,
        Self::NotReady,
        Self::Busy,
        Self::LabelsUnsure,
    ];

    /// Last part of the problem's `type`, its status, and its title.
    fn facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::InvalidJson => ("invalid-json", StatusCode::BAD_REQUEST, "The body is not valid JSON"),
            Self::InvalidField => {
                ("invalid-field", StatusCode::BAD_REQUEST, "A field is not what was expected")
            }
            Self::NoRows => ("no-rows", StatusCode::BAD_REQUEST, "There are no rows"),
            Self::TooManyRows => ("too-many-rows", StatusCode::BAD_REQUEST, "There are too many rows"),
            Self::BrokenBody => ("broken-body", StatusCode::BAD_REQUEST, "The body cannot be read"),
            Self::UnknownModel => ("unknown-model", StatusCode::NOT_FOUND, "There is no such model"),
            Self::UnknownKey => ("unknown-key", StatusCode::NOT_FOUND, "There is no answer for this key"),
            Self::NoLabelsTopic => {
                ("no-labels-topic", StatusCode::NOT_FOUND, "The model has no labels topic")
            }
            Self::UnknownRoute => ("unknown-route", StatusCode::NOT_FOUND, "There is no such route"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "The route has no such method")
            }
            Self::SlowBody => ("slow-body", StatusCode::REQUEST_TIMEOUT, "The body took too long"),
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::ContentType => {
                ("content-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The content type is not supported")
            }
            Self::ContentEncoding => (
                "content-encoding",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The content encoding is not supported",
            ),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "The server failed"),
            Self::LabelsNotTaken => {
                ("labels-not-taken", StatusCode::BAD_GATEWAY, "Kafka did not take the labels")
            }
            Self::NotReady => ("not-ready", StatusCode::SERVICE_UNAVAILABLE, "The model cannot answer yet"),
            Self::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE, "There is too much to do"),
            Self::LabelsUnsure => (
                "labels-unsure",
                StatusCode::GATEWAY_TIMEOUT,
                "Kafka has not acknowledged the labels in time",
            ),
        }
    }

    #[cfg(test)]
    pub fn name(self) -> &'static str {
        self.facts().0
    }
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Details { kind, detail: detail.into(), members: Map::new(), header: None }))
    }

    /// A field that is not what was expected: `field`, its `value` as it came, and what was `expected`.
    pub fn field(field: &str, value: &str, expected: &str) -> Self {
        let value = shortened(value);
        Self::new(Kind::InvalidField, format!("{field} is {value}, expected {expected}"))
            .with("field", field)
            .with("value", value.as_ref())
            .with("expected", expected)
    }

    /// A record that the schema refuses; `place` is to blame where no single field is.
    pub fn refused(refusal: &Refusal, place: &str) -> Self {
        let problem = Self::new(Kind::InvalidField, refusal.to_string())
            .with("field", refusal.field().unwrap_or(place))
            .with("reason", refusal.kind())
            .with("expected", refusal.expected());
        match refusal.value() {
            Some(value) => problem.with("value", value),
            None => problem,
        }
    }

    /// Adds a member to the document.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// Says in which row, counted from 0, of how the request counts them.
    pub fn in_row(mut self, row: usize) -> Self {
        self.0.detail = format!("row {row}: {}", self.0.detail);
        self.with("row", row)
    }

    /// Says when it may be worth trying again.
    pub fn retry_after(mut self, seconds: u16) -> Self {
        self.0.header = Some((RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// A wrong method; `methods` are those there are.
    pub fn method_not_allowed(method: &str, methods: &'static str) -> Self {
        let mut problem =
            Self::new(Kind::MethodNotAllowed, format!("the method is {method}, expected {methods}"))
                .with("value", shortened(method).as_ref())
                .with("expected", methods);
        problem.0.header = Some((ALLOW, HeaderValue::from_static(methods)));
        problem
    }

    /// A content encoding that is not understood.
    pub fn content_encoding(value: &str) -> Self {
        const CODINGS: &str = "gzip, zstd";
        let value = shortened(value);
        let mut problem =
            Self::new(Kind::ContentEncoding, format!("content-encoding is {value}, expected {CODINGS}"))
                .with("field", "content-encoding")
                .with("value", value.as_ref())
                .with("expected", CODINGS);
        problem.0.header = Some((ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)));
        problem
    }

    pub fn into_response(self) -> HttpResponse {
        let Details { kind, detail, mut members, header } = *self.0;
        let (name, status, title) = kind.facts();
        members.insert("type".into(), json!(format!("urn:tidewheel:problem:{name}")));
        members.insert("title".into(), title.into());
        members.insert("status".into(), status.as_u16().into());
        members.insert("detail".into(), detail.into());
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        if let Some(header) = header {
            response.insert_header(header);
        }
        if matches!(kind, Kind::SlowBody | Kind::TooLarge | Kind::BrokenBody) {
            // What is left of the body is not read.
            response.insert_header((CONNECTION, HeaderValue::from_static("close")));
        }
        response.body(Value::Object(members).to_string())
    }
}

/// The start of a value that is too long to be repeated.
pub fn shortened(value: &str) -> Cow<'_, str> {
    if value.len() <= VALUE_BYTES_MAX {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{}…", &value[..value.floor_char_boundary(VALUE_BYTES_MAX)]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let value = format!("{}é and more", "x".repeat(VALUE_BYTES_MAX - 1));
        assert_eq!(shortened(&value), format!("{}…", "x".repeat(VALUE_BYTES_MAX - 1)));
        assert_eq!(shortened("short"), "short");
    }
}
