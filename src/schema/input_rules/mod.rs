//! The input rules of DESIGN 6, one by one: each test sends what the rule is about and reads what comes back.

mod accepted;
mod places;
mod refused;

use serde_json::json;

use super::*;
use crate::config::{EventsConfig, SchemaConfig};

/// Milliseconds since 1970 of every record here.
const RECORD_MS: i64 = 1_700_000_000_000;

fn schema() -> SchemaConfig {
    serde_json::from_value(json!({
        "task": "binary",
        "classes": ["down", "up"],
        "features": {"price": "numeric", "size": "numeric", "city": "categorical"},
    }))
    .unwrap()
}

fn decoder(places: serde_json::Value) -> EventDecoder {
    let mut config = json!({"topic": "events"});
    config.as_object_mut().unwrap().extend(places.as_object().unwrap().clone());
    EventDecoder::new(&serde_json::from_value::<EventsConfig>(config).unwrap(), &schema()).unwrap()
}

fn flat() -> EventDecoder {
    decoder(json!({"id": "id", "time": "at", "label": "label", "weight": "weight"}))
}

fn record(value: &[u8]) -> RawRecord<'_> {
    let (topic, key) = ("events", Some(b"entity".as_slice()));
    RawRecord {
        topic,
        partition: 3,
        offset: 77,
        timestamp_ms: RECORD_MS,
        key,
        value: Some(value),
        headers: &[],
    }
}

/// Decodes one record after an accepted one, and checks that a refusal leaves nothing behind.
fn decode_record(decoder: &EventDecoder, record: &RawRecord<'_>) -> Result<(Events, Notices), Refusal> {
    let mut events = decoder.batch(0);
    let mut notices = Notices::default();
    match decoder.decode(record, &mut events, &mut notices) {
        Ok(()) => {
            let columns = [
                events.rows.len(),
                events.ids.len(),
                events.id_hashes.len(),
                events.keys.len(),
                events.times_ms.len(),
                events.timestamps_ms.len(),
                events.origins.len(),
                events.labels.len(),
                events.weights.len(),
            ];
            assert_eq!(columns, [1; 9]);
            Ok((events, notices))
        }
        Err(refusal) => {
            let untouched = decoder.batch(0);
            assert_eq!(
                (&events.rows, &events.ids, &events.keys),
                (&untouched.rows, &untouched.ids, &untouched.keys)
            );
            assert!(events.is_empty() && events.times_ms.is_empty() && events.timestamps_ms.is_empty());
            assert!(events.origins.is_empty() && events.labels.is_empty() && events.weights.is_empty());
            assert_eq!(notices, Notices::default());
            Err(refusal)
        }
    }
}

fn decode(json: &str) -> Result<(Events, Notices), Refusal> {
    decode_record(&flat(), &record(json.as_bytes()))
}

/// What an otherwise complete event comes to, with `fields` in place of its own or beside them.
fn event(fields: &str) -> Result<(Events, Notices), Refusal> {
    let own = [
        ("id", "\"e1\""),
        ("at", "\"2023-11-14T22:13:20Z\""),
        ("label", "\"up\""),
        ("weight", "1"),
        ("price", "1.5"),
        ("size", "2"),
        ("city", "\"Rome\""),
    ];
    let kept = own.iter().filter(|(name, _)| !fields.starts_with(&format!("\"{name}\"")));
    let kept: Vec<_> = kept.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let separator = if fields.is_empty() { "" } else { "," };
    decode(&format!("{{{fields}{separator}{}}}", kept.join(",")))
}

fn reason(result: Result<(Events, Notices), Refusal>) -> Reason {
    result.map(|(events, _)| events.rows).expect_err("the rule refuses it").reason()
}

/// The refusal names the field and repeats the value.
fn refused(fields: &str, reason: Reason, field: &str, value: &str) {
    let refusal = event(fields).map(|(events, _)| events.rows).expect_err(fields);
    assert_eq!(
        (refusal.reason(), refusal.field(), refusal.value()),
        (reason, Some(field), Some(value)),
        "{refusal}"
    );
}

fn noted(notices: Notices) -> Vec<(&'static str, u64)> {
    notices.counters().into_iter().filter(|&(_, count)| count > 0).collect()
}
