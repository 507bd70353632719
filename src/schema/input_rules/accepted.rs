//! What is accepted, and counted where something was put right.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::*;

#[test]
fn a_complete_event_is_accepted_without_a_note() {
    let (events, notices) = event("").unwrap();
    assert_eq!(noted(notices), []);
    assert_eq!(events.rows.numeric_row(0), [1.5, 2.0]);
    assert_eq!(events.rows.categorical_row(0), [xxh3_64(b"Rome")]);
    assert_eq!((events.ids.get(0), events.id_hashes[0]), (b"e1".as_slice(), xxh3_128(b"e1")));
    assert_eq!(events.keys.get(0), b"entity");
    assert_eq!((events.times_ms[0], events.timestamps_ms[0]), (RECORD_MS, RECORD_MS));
    assert_eq!(events.origins[0], Origin { partition: 3, offset: 77 });
    assert_eq!((events.labels[0].clone(), events.weights[0]), (Some(Label::Class(1)), 1.0));
}

#[test]
fn a_byte_order_mark_is_stripped_and_counted() {
    let value = [b"\xef\xbb\xbf".as_slice(), br#"{"id":"e1","price":1,"size":2,"city":"x"}"#].concat();
    let (events, notices) = decode_record(&decoder(json!({"id": "id"})), &record(&value)).unwrap();
    assert_eq!((notices.bom, events.ids.get(0)), (1, b"e1".as_slice()));
    let twice = [b"\xef\xbb\xbf".as_slice(), &value].concat();
    assert_eq!(reason(decode_record(&flat(), &record(&twice))), Reason::NotJson);
}

#[test]
fn unknown_fields_are_accepted_and_counted() {
    let (events, notices) = event(r#""new":[1,{"deep":"x"}],"Price":7,"":null"#).unwrap();
    assert_eq!(noted(notices), [("unknown_field", 3)]);
    assert_eq!(events.rows.numeric_row(0), [1.5, 2.0]);
    // They are still JSON.
    assert_eq!(reason(event("\"new\":01")), Reason::NotJson);
    assert_eq!(reason(event(r#""new":["\ud800"]"#)), Reason::NotJson);
}

#[test]
fn an_integer_beyond_2_to_the_53_is_rounded_and_counted() {
    let (events, notices) = event("\"price\":9007199254740993").unwrap();
    assert_eq!(noted(notices), [("rounded_integer", 1)]);
    assert_eq!(events.rows.numeric_row(0)[0], 9007199254740992.0);
    assert_eq!(noted(event("\"price\":9007199254740992").unwrap().1), []);
    assert_eq!(noted(event("\"price\":123456789012345678901234567890").unwrap().1), [("rounded_integer", 1)]);
}

#[test]
fn without_a_key_the_id_is_the_key() {
    let json = br#"{"id":"e1","at":1,"label":"up","price":1,"size":2,"city":"x"}"#;
    for key in [None, Some(b"".as_slice())] {
        let (events, notices) = decode_record(&flat(), &RawRecord { key, ..record(json) }).unwrap();
        assert_eq!((events.keys.get(0), noted(notices)), (b"e1".as_slice(), vec![("null_key", 1)]));
    }
    let binary = RawRecord { key: Some(b"\xff\0\x01"), ..record(json) };
    assert_eq!(decode_record(&flat(), &binary).unwrap().0.keys.get(0), b"\xff\0\x01");
    let long = vec![b'k'; KEY_BYTES_MAX + 1];
    assert!(decode_record(&flat(), &RawRecord { key: Some(&long[1..]), ..record(json) }).is_ok());
    assert_eq!(
        reason(decode_record(&flat(), &RawRecord { key: Some(&long), ..record(json) })),
        Reason::KeyTooLong
    );
}

#[test]
fn without_a_time_the_records_timestamp_is_taken() {
    for fields in ["\"at\":null", "\"at\":null,\"unused\":0"] {
        let (events, notices) = event(fields).unwrap();
        assert_eq!((events.times_ms[0], notices.no_time), (RECORD_MS, 1));
    }
    let unknown = RawRecord { timestamp_ms: -1, ..record(br#"{"id":"e1"}"#) };
    assert_eq!(decode_record(&flat(), &unknown).unwrap().0.times_ms, [-1]);
}

#[test]
fn a_time_is_text_or_milliseconds() {
    for (value, expected) in [
        ("\"2023-11-14T23:13:20.25+01:00\"", RECORD_MS + 250),
        ("1700000000250", RECORD_MS + 250),
        ("1.70000000025e12", RECORD_MS + 250),
        ("1700000000249.7", RECORD_MS + 250),
        ("-86400000", -86_400_000),
    ] {
        assert_eq!(event(&format!("\"at\":{value}")).unwrap().0.times_ms, [expected], "{value}");
    }
    for value in ["\"yesterday\"", "\"1700000000000\"", "\"\"", "true", "-1e300", "-62167219200001"] {
        refused(&format!("\"at\":{value}"), Reason::BadTime, "at", value);
    }
}

#[test]
fn a_time_too_far_ahead_is_clamped_and_counted() {
    let day_ms = 86_400_000;
    let (events, notices) = event(&format!("\"at\":{}", RECORD_MS + day_ms)).unwrap();
    assert_eq!((events.times_ms[0], noted(notices)), (RECORD_MS + day_ms, vec![]));
    for value in [
        format!("{}", RECORD_MS + day_ms + 1),
        "1e300".into(),
        "9".repeat(400),
        "\"2030-01-01T00:00:00Z\"".into(),
    ] {
        let (events, notices) = event(&format!("\"at\":{value}")).unwrap();
        assert_eq!(
            (events.times_ms[0], noted(notices)),
            (RECORD_MS + day_ms, vec![("clamped_time", 1)]),
            "{value}"
        );
    }
    // Ahead of what, if the record does not know its own time?
    let unknown = |json: &'static [u8]| RawRecord { timestamp_ms: -1, ..record(json) };
    let future = unknown(br#"{"id":"e1","at":4000000000000}"#);
    assert_eq!(decode_record(&flat(), &future).unwrap().0.times_ms, [4_000_000_000_000]);
    assert_eq!(reason(decode_record(&flat(), &unknown(br#"{"id":"e1","at":1e300}"#))), Reason::BadTime);
}

#[test]
fn weight_0_is_kept_and_counted() {
    for value in ["0", "0.0", "-0", "1e-99"] {
        let (events, notices) = event(&format!("\"weight\":{value}")).unwrap();
        assert_eq!((events.weights[0].to_bits(), noted(notices)), (0, vec![("zero_weight", 1)]), "{value}");
    }
}

#[test]
fn null_absent_and_for_numbers_the_text_nan_are_missing_values() {
    for value in ["null", "\"NaN\""] {
        let (events, notices) = event(&format!("\"price\":{value}")).unwrap();
        assert_eq!(noted(notices), [("missing_value", 1)]);
        assert!(events.rows.numeric_row(0)[0].is_nan());
        assert_eq!(events.rows.numeric_row(0)[1], 2.0);
    }
    let (events, notices) = event("\"city\":null").unwrap();
    assert_eq!(
        (events.rows.categorical_row(0), noted(notices)),
        ([0].as_slice(), vec![("missing_value", 1)])
    );

    let (events, notices) = decode(r#"{"id":"e1","at":1}"#).unwrap();
    assert_eq!((notices.missing_value, events.labels[0].clone()), (4, None));
    assert!(events.rows.numeric_row(0).iter().all(|value| value.is_nan()));

    let (events, notices) = event("\"city\":\"NaN\"").unwrap();
    assert_eq!((events.rows.categorical_row(0), noted(notices)), ([xxh3_64(b"NaN")].as_slice(), vec![]));
}

#[test]
fn a_category_is_a_text_a_number_or_a_boolean_by_its_text() {
    for (value, text) in [
        ("\"7\"", "7"),
        ("7", "7"),
        ("7.0", "7.0"),
        ("1e400", "1e400"),
        ("true", "true"),
        ("\"\"", ""),
        (r#""\u0052ome\u0000""#, "Rome\0"),
    ] {
        let (events, _) = event(&format!("\"city\":{value}")).unwrap();
        assert_eq!(events.rows.categorical_row(0), [xxh3_64(text.as_bytes())], "{value}");
    }
    let long = "x".repeat(10_000_000);
    let (events, _) = event(&format!("\"city\":\"\\u0078{}\"", &long[1..])).unwrap();
    assert_eq!(events.rows.categorical_row(0), [xxh3_64(long.as_bytes())]);
}
