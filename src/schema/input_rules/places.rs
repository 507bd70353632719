//! Where values come from: fields, pointers, headers, records of features or labels alone.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::*;

#[test]
fn without_an_id_place_the_origin_is_the_id() {
    let (events, notices) = decode_record(&decoder(json!({})), &record(br#"{"id":5}"#)).unwrap();
    assert_eq!((events.ids.get(0), notices.unknown_field), (b"events-3-77".as_slice(), 1));
}

#[test]
fn places_reach_into_objects_as_debezium_nests_them() {
    let decoder = decoder(json!({
        "id": "/after/id", "key": "/after/user", "time": "/source/ts_ms", "features": "/after", "label": "/after/won",
    }));
    let json = r#"{"before":null,"op":"c","source":{"ts_ms":1700000000001,"db":"x"},
        "after":{"id":"r1","user":42,"price":3,"size":4,"city":"Oslo","won":"down","extra":[]}}"#;
    let (events, notices) = decode_record(&decoder, &record(json.as_bytes())).unwrap();
    assert_eq!((events.ids.get(0), events.keys.get(0)), (b"r1".as_slice(), b"42".as_slice()));
    assert_eq!((events.times_ms[0], events.labels[0].clone()), (1_700_000_000_001, Some(Label::Class(0))));
    assert_eq!(events.rows.numeric_row(0), [3.0, 4.0]);
    assert_eq!(noted(notices), [("unknown_field", 4)]);

    let reason = |json: &str| reason(decode_record(&decoder, &record(json.as_bytes())));
    assert_eq!(reason(r#"{"op":"d","after":null}"#), Reason::NotAnObject);
    assert_eq!(reason(r#"{"op":"d"}"#), Reason::NotAnObject);
    assert_eq!(reason(r#"{"after":[]}"#), Reason::NotAnObject);
    assert_eq!(reason(r#"{"after":{"id":"x"},"after":{}}"#), Reason::DuplicateField);
    assert_eq!(reason(r#"{"after":{"id":"x","id":"x"}}"#), Reason::DuplicateField);
    assert_eq!(reason(r#"{"after":{}}"#), Reason::IdMissing);
}

#[test]
fn id_and_time_come_from_headers_as_cloud_events_have_them() {
    let decoder = decoder(json!({"id": "header:ce_id", "time": "header:ce_time", "weight": "header:w"}));
    let header = |name, value: &'static [u8]| Header { name, value: Some(value) };
    let (id, time, weight) =
        (header("ce_id", b"h1"), header("ce_time", b"2023-11-14T22:13:20Z"), header("w", b"0.5"));
    let decode =
        |headers: &[Header<'_>]| decode_record(&decoder, &RawRecord { headers, ..record(br#"{"id":"no"}"#) });

    let (events, notices) = decode(&[time, id, weight]).unwrap();
    assert_eq!(
        (events.ids.get(0), events.times_ms[0], events.weights[0]),
        (b"h1".as_slice(), RECORD_MS, 0.5)
    );
    assert_eq!(notices.unknown_field, 1);
    assert_eq!(decode(&[id, header("ce_time", b"1700000000000")]).unwrap().0.times_ms, [RECORD_MS]);

    assert_eq!(reason(decode(&[time])), Reason::IdMissing);
    assert_eq!(reason(decode(&[Header { name: "ce_id", value: None }])), Reason::IdMissing);
    assert_eq!(reason(decode(&[id, id])), Reason::DuplicateField);
    assert_eq!(reason(decode(&[header("ce_id", b"")])), Reason::IdEmpty);
    assert_eq!(reason(decode(&[header("ce_id", b"\xff")])), Reason::NotUtf8);
    assert_eq!(reason(decode(&[id, header("w", b"-1")])), Reason::BadWeight);
    assert_eq!(reason(decode(&[id, header("ce_time", b"soon")])), Reason::BadTime);
}

#[test]
fn a_field_can_be_a_feature_and_the_key() {
    let decoder = decoder(json!({"id": "id", "key": "city"}));
    let json = br#"{"id":"e1","city":"Rome","price":1,"size":1}"#;
    let (events, _) = decode_record(&decoder, &record(json)).unwrap();
    assert_eq!(
        (events.keys.get(0), events.rows.categorical_row(0)),
        (b"Rome".as_slice(), [xxh3_64(b"Rome")].as_slice())
    );
}

#[test]
fn one_refused_record_leaves_its_neighbours_alone_and_the_order_of_fields_does_not_matter() {
    let decoder = flat();
    let mut events = decoder.batch(0);
    let mut notices = Notices::default();
    let good = [
        r#"{"id":"e1","price":1,"size":2,"city":"a","at":1,"label":"up"}"#,
        r#"{ "city" : "a" , "size" : 2 , "label" : "up" , "at" : 1 , "id" : "e2" , "price" : 1 }"#,
        r#"{"x":0,"size":2,"y":{},"c\u0069ty":"a","price":1,"id":"e3","label":"up","at":1}"#,
    ];
    for json in good.iter().flat_map(|good| [*good, r#"{"id":"bad","price":1,"size":"2"}"#]) {
        let _ = decoder.decode(&record(json.as_bytes()), &mut events, &mut notices);
    }
    assert_eq!(events.ids.iter().collect::<Vec<_>>(), [b"e1", b"e2", b"e3"]);
    for row in 0..3 {
        assert_eq!(events.rows.numeric_row(row), [1.0, 2.0]);
        assert_eq!(events.rows.categorical_row(row), [xxh3_64(b"a")]);
    }
    events.clear();
    assert!(events.is_empty() && events.rows.is_empty() && events.ids.is_empty());
}

#[test]
fn features_alone_follow_the_same_rules() {
    let decoder = decoder(json!({"id": "/after/id", "features": "/after"}));
    let mut rows = decoder.rows();
    let mut notices = Notices::default();
    let mut decode = |json: &str| {
        let before = rows.len();
        let result =
            decoder.decode_features(json.as_bytes(), &mut rows, &mut Scratch::default(), &mut notices);
        assert_eq!(rows.len(), before + usize::from(result.is_ok()));
        result.map_err(|refusal| refusal.reason())
    };
    assert_eq!(decode(r#"{"price":1,"size":2,"city":"Rome","id":"passed over"}"#), Ok(()));
    assert_eq!(decode(r#"{"price":1,"colour":"red"}"#), Ok(()));
    assert_eq!(decode(r#"{"price":"1"}"#), Err(Reason::NumberAsText));
    assert_eq!(decode(r#"{"price":1,"price":1}"#), Err(Reason::DuplicateField));
    assert_eq!(decode("[]"), Err(Reason::NotAnObject));
    assert_eq!(rows.numeric_row(0), [1.0, 2.0]);
    assert_eq!(noted(notices), [("unknown_field", 1), ("missing_value", 2)]);
    assert_eq!(decoder.feature_names().collect::<Vec<_>>(), ["city", "price", "size"]);
}

fn label(record: &RawRecord<'_>) -> Result<(Labels, Notices), Reason> {
    let mut labels = Labels::default();
    let mut notices = Notices::default();
    let decoded = LabelDecoder::new(&schema()).unwrap().decode(record, &mut labels, &mut notices);
    let columns = [
        labels.ids.len(),
        labels.id_hashes.len(),
        labels.keys.len(),
        labels.labels.len(),
        labels.weights.len(),
        labels.timestamps_ms.len(),
        labels.origins.len(),
    ];
    assert_eq!(columns, [usize::from(decoded.is_ok()); 7]);
    decoded.map(|()| (labels, notices)).map_err(|refusal| refusal.reason())
}

#[test]
fn label_records_follow_the_rules_too() {
    let read = |json: &str| label(&record(json.as_bytes()));
    let (labels, notices) = read(r#"{"label":"down","id":"e1","weight":0,"note":"x"}"#).unwrap();
    assert_eq!((labels.ids.get(0), labels.id_hashes[0]), (b"e1".as_slice(), xxh3_128(b"e1")));
    assert_eq!((labels.labels[0].clone(), labels.weights[0]), (Label::Class(0), 0.0));
    assert_eq!((labels.keys.get(0), labels.timestamps_ms[0]), (b"entity".as_slice(), RECORD_MS));
    assert_eq!(labels.origins[0], Origin { partition: 3, offset: 77 });
    assert_eq!(noted(notices), [("unknown_field", 1), ("zero_weight", 1)]);

    let keyless = RawRecord { key: None, ..record(br#"{"id":"e1","label":"up"}"#) };
    let (labels, notices) = label(&keyless).unwrap();
    assert_eq!((labels.keys.get(0), labels.weights[0]), (b"e1".as_slice(), 1.0));
    assert_eq!(noted(notices), [("null_key", 1)]);

    for (json, reason) in [
        (r#"{"id":"e1"}"#, Reason::LabelMissing),
        (r#"{"id":"e1","label":null}"#, Reason::LabelMissing),
        (r#"{"id":"e1","label":"left"}"#, Reason::LabelNotDeclared),
        (r#"{"id":"e1","label":["up"]}"#, Reason::WrongType),
        (r#"{"label":"up"}"#, Reason::IdMissing),
        (r#"{"id":1,"label":"up"}"#, Reason::IdNotText),
        (r#"{"id":"e1","label":"up","weight":-1}"#, Reason::BadWeight),
        (r#"{"id":"e1","label":"up","label":"up"}"#, Reason::DuplicateField),
        ("[]", Reason::NotAnObject),
        ("", Reason::NotJson),
    ] {
        assert_eq!(read(json).map(|_| ()), Err(reason), "{json}");
    }
    assert_eq!(label(&RawRecord { value: None, ..record(b"") }).map(|_| ()), Err(Reason::NullValue));
}
