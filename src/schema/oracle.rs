//! Properties over generated records: no bytes make a decoder panic, and what it accepts and reads is what serde_json
//! accepts and reads.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::*;

fn decoder() -> EventDecoder {
    let events = json!({
        "topic": "events", "id": "id", "key": "/meta/key", "time": "at", "weight": "weight", "label": "label",
    });
    let schema = json!({
        "task": "multiclass",
        "features": {"a": "numeric", "b": "numeric", "longer name than sixteen": "numeric", "c": "categorical"},
    });
    EventDecoder::new(&serde_json::from_value(events).unwrap(), &serde_json::from_value(schema).unwrap())
        .unwrap()
}

fn record(value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        topic: "t",
        partition: 0,
        offset: 1,
        timestamp_ms: 1,
        key: None,
        value: Some(value),
        headers: &[],
    }
}

fn decode(value: &[u8]) -> Result<Events, Refusal> {
    let decoder = decoder();
    let mut events = decoder.batch(0);
    decoder.decode(&record(value), &mut events, &mut Notices::default()).map(|()| events)
}

/// Any JSON value, as deep as `depth`.
fn value(depth: u32) -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    scalar.prop_recursive(depth, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..5)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

fn event() -> impl Strategy<Value = Map<String, Value>> {
    let names = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "longer name than sixteen", "c"]).prop_map(String::from),
        2 => prop::sample::select(vec!["id", "at", "weight", "label", "meta"]).prop_map(String::from),
        1 => ".{0,30}",
    ];
    prop::collection::vec((names, value(3)), 0..10).prop_map(|fields| fields.into_iter().collect())
}

/// `text` as a producer with other habits might write it.
fn pretty(map: &Map<String, Value>, how: u8) -> String {
    match how % 3 {
        0 => serde_json::to_string(map).unwrap(),
        1 => serde_json::to_string_pretty(map).unwrap(),
        _ => {
            // Every character of every text outside ASCII as an escape, as Python's json.dumps writes it.
            let plain = serde_json::to_string(map).unwrap();
            let escape =
                |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
            plain.chars().map(|c| if c.is_ascii() { c.to_string() } else { escape(c) }).collect()
        }
    }
}

/// The number that a feature's value stands for; `None`: the event is refused.
fn number(value: Option<&Value>) -> Option<f32> {
    match value {
        None | Some(Value::Null) => Some(f32::NAN),
        Some(Value::String(text)) if text == "NaN" => Some(f32::NAN),
        Some(Value::Number(number)) => {
            Some(number.to_string().parse::<f32>().unwrap()).filter(|value| value.is_finite())
        }
        Some(_) => None,
    }
}

fn category(value: Option<&Value>) -> Option<u64> {
    match value {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(text)) => Some(xxh3_64(text.as_bytes())),
        Some(Value::Array(_) | Value::Object(_)) => None,
        Some(other) => Some(xxh3_64(other.to_string().as_bytes())),
    }
}

/// What the features of `map` must come to.
fn expected(map: &Map<String, Value>) -> Option<(Vec<u32>, u64)> {
    let numeric: Option<Vec<_>> = ["a", "b", "longer name than sixteen"]
        .iter()
        .map(|&name| number(map.get(name)).map(f32::to_bits))
        .collect();
    Some((numeric?, category(map.get("c"))?))
}

fn read(events: &Events) -> (Vec<u32>, u64) {
    (
        events.rows.numeric_row(0).iter().map(|value| value.to_bits()).collect(),
        events.rows.categorical_row(0)[0],
    )
}

/// Whether serde_json takes `bytes` for JSON. It refuses numbers beyond f64 wherever they are; here they may be in fields
/// that nobody reads.
fn is_json(bytes: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(_) => true,
        Err(error) => error.to_string().contains("number out of range"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn features_are_read_as_serde_json_reads_them(mut map in event(), id in "[a-z]{1,9}", how: u8) {
        for role in ["at", "weight", "label", "meta"] {
            map.remove(role);
        }
        map.insert("id".into(), id.clone().into());
        let events = decode(pretty(&map, how).as_bytes());
        prop_assert_eq!(events.as_ref().ok().map(read), expected(&map), "{:?}", events.err());
    }

    #[test]
    fn roles_take_any_value_or_refuse_it_with_their_name(map in event(), how: u8) {
        match decode(pretty(&map, how).as_bytes()) {
            Ok(events) => {
                prop_assert_eq!(events.ids.get(0), map["id"].as_str().unwrap().as_bytes());
                prop_assert_eq!(Some(read(&events)), expected(&map));
                prop_assert!(events.weights[0] >= 0.0 && events.weights[0].is_finite());
            }
            Err(refusal) => {
                let named = ["id", "at", "weight", "label", "meta", "/meta/key", "a", "b", "longer name than sixteen", "c"];
                let field = refusal.field();
                prop_assert!(field.is_some_and(|field| named.contains(&field)), "{}", refusal);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn soup_of_json_tokens_is_accepted_only_when_it_is_json(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\\", "\"id\"", "\"a\"", "\"c\"", "1", "-", "0", ".", "e", "null",
                "true", " ", "\"x\":1", "\"id\":\"e\"", "\\ud800", "é", "\u{feff}", "\0",
            ]),
            0..20,
        ),
    ) {
        let text = format!("{{\"id\":\"e\",{}", tokens.concat());
        prop_assert!(decode(text.as_bytes()).is_err() || is_json(text.as_bytes()), "{}", text);
    }

    #[test]
    fn a_mutated_event_is_accepted_only_when_it_is_json(
        map in event(), how: u8, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..4),
    ) {
        let mut map = map;
        map.insert("id".into(), "e1".into());
        let mut bytes = pretty(&map, how).into_bytes();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len().max(1));
            match edit {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(decode(&bytes).is_err() || is_json(&bytes), "{:?}", text);
    }

    #[test]
    fn the_fields_before_do_not_change_what_a_record_comes_to(first in event(), second in event(), how: u8) {
        let decoder = decoder();
        let [first, second] = [first, second].map(|mut map| {
            map.insert("id".into(), "e1".into());
            pretty(&map, how)
        });
        let alone = decode(second.as_bytes());
        let mut events = decoder.batch(0);
        let _ = decoder.decode(&record(first.as_bytes()), &mut events, &mut Notices::default());
        events.clear();
        let after = decoder.decode(&record(second.as_bytes()), &mut events, &mut Notices::default());
        prop_assert_eq!(after.as_ref().err(), alone.as_ref().err());
        if let Ok(alone) = alone {
            prop_assert_eq!(read(&events), read(&alone));
            prop_assert_eq!(&events.keys, &alone.keys);
            prop_assert_eq!(&events.times_ms, &alone.times_ms);
        }
    }
}
