use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::macros::format_description;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The error of the served predictions rose.
    Drift,
    /// A sliding score crossed its threshold.
    Quality,
    /// The gate kept a revision back.
    ModelNotFinite,
    /// Pending events expire early for want of room.
    PendingFull,
    /// A row that made a stage panic twice was skipped.
    RowSkipped,
}

impl AlertKind {
    pub(super) const ALL: [Self; 5] =
        [Self::Drift, Self::Quality, Self::ModelNotFinite, Self::PendingFull, Self::RowSkipped];

    pub fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Quality => "quality",
            Self::ModelNotFinite => "model_not_finite",
            Self::PendingFull => "pending_full",
            Self::RowSkipped => "row_skipped",
        }
    }

    pub fn severity(self) -> Severity {
        match self {
            Self::Drift | Self::PendingFull | Self::RowSkipped => Severity::Warning,
            Self::Quality | Self::ModelNotFinite => Severity::Critical,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Warning,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    Firing,
    Resolved,
}

/// An alert as it goes to its topic, to the log and out over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Pipeline, kind and subject; the record's key.
    pub fingerprint: String,
    pub kind: AlertKind,
    pub severity: Severity,
    pub state: AlertState,
    pub subject: String,
    pub observed: f64,
    pub threshold: f64,
    /// The version in force at the last transition; none before the first.
    pub version: Option<u64>,
    /// When it began to fire, by entry time: milliseconds since 1970, as RFC 3339 text in JSON.
    #[serde(rename = "since", serialize_with = "rfc3339")]
    pub since_ms: u64,
    /// When it last changed its state, likewise.
    #[serde(rename = "at", serialize_with = "rfc3339")]
    pub at_ms: u64,
    pub message: String,
}

impl Alert {
    /// The record's value.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("only strings, numbers and names: nothing can fail")
    }
}

/// A record for the alerts topic.
#[derive(Debug, Clone, PartialEq)]
pub enum AlertChange {
    /// An alert began to fire, or was resolved.
    Put(Alert),
    /// A resolved one has aged out: a tombstone.
    Remove { fingerprint: String },
}

impl AlertChange {
    pub fn key(&self) -> &str {
        match self {
            Self::Put(alert) => &alert.fingerprint,
            Self::Remove { fingerprint } => fingerprint,
        }
    }

    /// The record's value; none for a tombstone.
    pub fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Put(alert) => Some(alert.to_json()),
            Self::Remove { .. } => None,
        }
    }
}

/// RFC 3339, UTC, with milliseconds; a time beyond the year 9999 is its last millisecond.
fn rfc3339<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    const LAST_MS: u64 = 253_402_300_799_999;
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let nanos = i128::from((*ms).min(LAST_MS)) * 1_000_000;
    let text = OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .expect("years up to 9999 are in range")
        .format(&form)
        .expect("every part of the form is known for a date and time");
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_written_as_the_contract_says() {
        let alert = Alert {
            fingerprint: "elec2/drift/served_error".into(),
            kind: AlertKind::Drift,
            severity: AlertKind::Drift.severity(),
            state: AlertState::Firing,
            subject: "served_error".into(),
            observed: 0.25,
            threshold: 0.125,
            version: None,
            since_ms: 1_700_000_000_007,
            at_ms: u64::MAX,
            message: "a \"sentence\"".into(),
        };
        let json = String::from_utf8(AlertChange::Put(alert).value().unwrap()).unwrap();
        let expected = concat!(
            r#"{"fingerprint":"elec2/drift/served_error","kind":"drift","severity":"warning","#,
            r#""state":"firing","subject":"served_error","observed":0.25,"threshold":0.125,"#,
            r#""version":null,"since":"2023-11-14T22:13:20.007Z","at":"9999-12-31T23:59:59.999Z","#,
            r#""message":"a \"sentence\""}"#
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn a_kind_has_one_name() {
        for kind in AlertKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
    }
}
