use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::learn::Objective;
use crate::registry::{Revision, Serving};

/// Starts an answer: an object with the model and the revision that speaks, open for more members.
pub fn begin(out: &mut Vec<u8>, model: &str, revision: &Revision, serving: &Serving) {
    out.extend_from_slice(b"{\"model\":");
    json(out, model);
    out.extend_from_slice(b",\"variant\":\"champion\",\"version\":");
    integer(out, revision.version);
    out.extend_from_slice(b",\"revision\":");
    integer(out, revision.number);
    out.extend_from_slice(b",\"epoch\":");
    integer(out, revision.epoch);
    out.extend_from_slice(b",\"stale\":");
    out.extend_from_slice(if serving.is_stale() { b"true" } else { b"false" });
}

/// Writes the members of a prediction: `"label"` and `"probabilities"`, or `"value"`.
///
/// A number that JSON cannot say, because features near the bound of f32 overflowed, is `null`.
pub fn prediction(out: &mut Vec<u8>, revision: &Revision, values: &[f32]) {
    if revision.objective == Objective::Regress {
        out.extend_from_slice(b"\"value\":");
        number(out, values[0]);
        return;
    }
    out.extend_from_slice(b"\"label\":");
    match likeliest(&values[..revision.classes.len().min(values.len())]) {
        Some(class) => json(out, &revision.classes[class]),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"probabilities\":{");
    for (index, (class, &probability)) in revision.classes.iter().zip(values).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json(out, class);
        out.push(b':');
        number(out, probability);
    }
    out.push(b'}');
}

/// Index of the largest probability, the first of equal ones; none where no class is known yet or none is a number.
fn likeliest(probabilities: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (class, probability) in probabilities.iter().enumerate() {
        let better = best.is_none_or(|best| *probability > probabilities[best]);
        if better && !probability.is_nan() {
            best = Some(class);
        }
    }
    best
}

pub fn json(out: &mut Vec<u8>, value: impl Serialize) {
    serde_json::to_writer(out, &value).expect("text and a vector cannot fail");
}

fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn number(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// A time of milliseconds since 1970, as RFC 3339 in UTC.
pub fn rfc3339(time_ms: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time_ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{time_ms} ms since 1970"))
}
