//! The records that a pipeline writes, in the form of the contracts.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::join::{Chunk, Labelled};
use crate::registry::Revision;
use crate::schema::Origin;
use crate::stream::{Outputs, RecordView};

/// A dead letter's value is cut when it is longer: with key and headers it has to stay below librdkafka's and Kafka's
/// default limit of some 1,000,000 bytes a record.
const VALUE_BYTES_MAX: usize = 896 << 10;
const CUT_TO: usize = 64 << 10;

/// RFC 3339, UTC, milliseconds.
pub fn rfc3339(time_ms: u64) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let nanos = i128::from(time_ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|at| at.format(&form).ok())
        .unwrap_or_else(|| time_ms.to_string())
}

/// What all predictions of one entry have in common.
pub struct PredictionWriter<'a> {
    /// From after the key to the answer.
    middle: Vec<u8>,
    /// From after the answer to the partition.
    end: Vec<u8>,
    revision: &'a Revision,
    /// `"NAME":` of each class, and its name with quotes.
    classes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'a> PredictionWriter<'a> {
    pub fn new(pipeline: &str, revision: &'a Revision, epoch: u64, time_ms: u64, topic: &str) -> Self {
        let mut middle = b",\"pipeline\":".to_vec();
        json_string(&mut middle, pipeline.as_bytes());
        middle.extend_from_slice(
            format!(
                ",\"variant\":\"champion\",\"version\":{},\"revision\":{},\"epoch\":{epoch},",
                revision.version, revision.number
            )
            .as_bytes(),
        );
        let mut end = format!(",\"at\":\"{}\",\"source\":{{\"topic\":", rfc3339(time_ms)).into_bytes();
        json_string(&mut end, topic.as_bytes());
        end.extend_from_slice(b",\"partition\":");
        let classes = revision
            .classes
            .iter()
            .map(|name| {
                let mut quoted = Vec::new();
                json_string(&mut quoted, name.as_bytes());
                let mut field = quoted.clone();
                field.push(b':');
                (field, quoted)
            })
            .collect();
        Self { middle, end, revision, classes }
    }

    /// Appends one prediction of `chunk`.
    pub fn write(&self, out: &mut Vec<u8>, chunk: &Chunk, row: usize) {
        out.extend_from_slice(b"{\"id\":");
        json_string(out, chunk.ids.get(row));
        out.extend_from_slice(b",\"key\":");
        json_string(out, chunk.keys.get(row));
        out.extend_from_slice(&self.middle);
        let served = &chunk.served[row * chunk.outputs..(row + 1) * chunk.outputs];
        if self.revision.objective == crate::learn::Objective::Regress {
            out.extend_from_slice(b"\"value\":");
            json_f32(out, served[0]);
        } else {
            self.write_classes(out, served);
        }
        out.extend_from_slice(&self.end);
        let Origin { partition, offset } = chunk.origins[row];
        json_int(out, i64::from(partition));
        out.extend_from_slice(b",\"offset\":");
        json_int(out, offset);
        out.extend_from_slice(b"}}");
    }

    fn write_classes(&self, out: &mut Vec<u8>, probabilities: &[f32]) {
        out.extend_from_slice(b"\"label\":");
        match self.classes.get(best(&probabilities[..self.classes.len().min(probabilities.len())])) {
            Some((_, name)) => out.extend_from_slice(name),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"probabilities\":{");
        for (index, ((field, _), probability)) in self.classes.iter().zip(probabilities).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(field);
            json_f32(out, *probability);
        }
        out.push(b'}');
    }
}

/// Index of the greatest probability; the first of equals.
pub fn best(probabilities: &[f32]) -> usize {
    let mut best = 0;
    for (index, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = index;
        }
    }
    best
}

/// Adds the record of one learned example.
pub fn push_example(
    out: &mut Outputs,
    topic: &Arc<str>,
    entry: u64,
    labelled: &Labelled,
    row: usize,
    classes: &[Box<str>],
    events_topic: &str,
) {
    out.push_with(topic, None, Some(labelled.keys.get(row)), |value| {
        value.extend_from_slice(b"{\"id\":");
        json_string(value, labelled.ids.get(row));
        value.extend_from_slice(b",\"label\":");
        match classes.get(labelled.targets[row] as usize) {
            Some(name) => json_string(value, name.as_bytes()),
            None => json_f32(value, labelled.targets[row]),
        }
        let Origin { partition, offset } = labelled.origins[row];
        let revision = labelled.revisions[row];
        value.extend_from_slice(
            format!(",\"revision\":{revision},\"entry\":{entry},\"source\":{{\"topic\":").as_bytes(),
        );
        json_string(value, events_topic.as_bytes());
        value.extend_from_slice(format!(",\"partition\":{partition},\"offset\":{offset}}}}}").as_bytes());
    });
}

/// Adds a dead letter: the original bytes, with where it came from and why in headers.
pub fn push_dead_letter(
    out: &mut Outputs,
    topic: &Arc<str>,
    record: &RecordView<'_>,
    stage: &str,
    reason: &str,
) {
    let mut headers = origin_headers(stage, reason, (record.topic(), record.partition(), record.offset()));
    headers.push(("tidewheel.dlq.timestamp", record.timestamp_ms().to_string().into()));
    let mut value = record.value();
    if let Some(whole) = value.filter(|whole| whole.len() > VALUE_BYTES_MAX) {
        headers.push(("tidewheel.dlq.length", whole.len().to_string().into()));
        let digest = Sha256::digest(whole).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        headers.push(("tidewheel.dlq.sha256", digest.into()));
        value = Some(&whole[..CUT_TO]);
    }
    let key = record.key().filter(|key| key.len() <= CUT_TO);
    out.push(topic, None, key, value, headers);
}

/// Adds a dead letter for a record of which only the place is known any more: it has no key and no value.
pub fn push_named_dead_letter(out: &mut Outputs, topic: &Arc<str>, place: (&str, i32, i64), reason: &str) {
    out.push(topic, None, None, None, origin_headers("skip", reason, place));
}

fn origin_headers(
    stage: &str,
    reason: &str,
    (topic, partition, offset): (&str, i32, i64),
) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("tidewheel.dlq.stage", stage.into()),
        ("tidewheel.dlq.reason", reason.into()),
        ("tidewheel.dlq.topic", topic.into()),
        ("tidewheel.dlq.partition", partition.to_string().into()),
        ("tidewheel.dlq.offset", offset.to_string().into()),
    ]
}

/// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
fn json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(bytes);
    } else {
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                control if control < ' ' => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
                }
                other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

fn json_int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest text that reads back as the same number; JSON knows no others than finite ones.
fn json_f32(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_so_that_any_bytes_make_valid_json() {
        for bytes in [&b"plain"[..], b"q\"b\\", b"\n\x00\x1f", "schön ☃".as_bytes(), b"\xff\xfe"] {
            let mut out = Vec::new();
            json_string(&mut out, bytes);
            let back: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(back, String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
    }

    #[test]
    fn the_first_of_equal_probabilities_is_the_best() {
        assert_eq!(best(&[0.2, 0.4, 0.4]), 1);
    }
}
