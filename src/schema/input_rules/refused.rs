//! What becomes a dead letter.

use xxhash_rust::xxh3::xxh3_128;

use super::*;

#[test]
fn a_null_value_is_refused() {
    let null = RawRecord { value: None, ..record(b"") };
    assert_eq!(reason(decode_record(&flat(), &null)), Reason::NullValue);
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    for json in ["[1,2]", "7", "\"text\"", "true", "null", " [{}]"] {
        assert_eq!(reason(decode(json)), Reason::NotAnObject, "{json}");
    }
    for json in [
        "",
        "   ",
        "hello",
        "{",
        "{\"id\":\"e1\"",
        "{\"id\":\"e1\"}}",
        "{\"id\":\"e1\"} {}",
        "{\"id\":\"e1\",}",
        "\0",
    ] {
        assert_eq!(reason(decode(json)), Reason::NotJson, "{json:?}");
    }
    // Avro in the Confluent wire format, sent to a topic of JSON.
    assert_eq!(reason(decode("\0\0\0\0\x2a\x04e1")), Reason::NotJson);
}

#[test]
fn invalid_utf8_is_refused_wherever_it_is() {
    for value in [
        b"{\"id\":\"e\xff\"}".as_slice(),
        b"{\"id\":\"e1\",\"unknown\":\"\xc3\"}",
        b"{\"id\":\"\xed\xa0\x80\"}",
        b"\xff\xfe{\0}\0",
        b"{}\x80",
    ] {
        assert_eq!(reason(decode_record(&flat(), &record(value))), Reason::NotUtf8);
    }
}

#[test]
fn depth_over_32_is_refused_and_32_is_not() {
    let nested = |depth: usize| format!("\"unknown\":{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(event(&nested(31)).is_ok());
    assert_eq!(reason(event(&nested(32))), Reason::TooDeep);
    let objects = |depth: usize| format!("\"unknown\":{}1{}", "{\"x\":".repeat(depth), "}".repeat(depth));
    assert!(event(&objects(31)).is_ok());
    assert_eq!(reason(event(&objects(32))), Reason::TooDeep);
    assert_eq!(reason(decode(&"{\"x\":".repeat(2_000_000))), Reason::TooDeep);
}

#[test]
fn a_duplicate_field_is_refused_known_or_unknown_escaped_or_nested() {
    for (fields, field) in [
        ("\"extra\":1,\"price\":1.5", "price"),
        ("\"extra\":1,\"pr\\u0069ce\":1.5", "price"),
        ("\"extra\":1,\"id\":\"e1\"", "id"),
        ("\"extra\":1,\"extra\":1", "extra"),
        ("\"extra\":1,\"other\":2,\"\\u0065xtra\":1", "extra"),
        ("\"extra\":{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", "c"),
    ] {
        let refusal = event(fields).map(|(events, _)| events.rows).expect_err(fields);
        assert_eq!(refusal.reason(), Reason::DuplicateField, "{fields}");
        assert!(refusal.field().is_some_and(|name| name == field || name == "\\u0065xtra"), "{refusal}");
    }
}

#[test]
fn an_id_that_is_missing_empty_too_long_or_no_string_is_refused() {
    assert_eq!(reason(decode("{}")), Reason::IdMissing);
    assert_eq!(reason(event("\"id\":null")), Reason::IdMissing);
    refused("\"id\":\"\"", Reason::IdEmpty, "id", "\"\"");
    for value in ["7", "1.5", "true"] {
        refused(&format!("\"id\":{value}"), Reason::IdNotText, "id", value);
    }
    assert_eq!(reason(event("\"id\":[\"e1\"]")), Reason::WrongType);
    assert_eq!(reason(event("\"id\":{}")), Reason::WrongType);

    // The bound is on bytes of UTF-8, after escapes.
    assert!(event(&format!("\"id\":\"{}\"", "é".repeat(128))).is_ok());
    assert!(event(&format!("\"id\":\"{}\"", "\\u00e9".repeat(128))).is_ok());
    assert_eq!(reason(event(&format!("\"id\":\"{}x\"", "é".repeat(128)))), Reason::IdTooLong);
    assert_eq!(reason(event(&format!("\"id\":\"{}x\"", "\\u00e9".repeat(128)))), Reason::IdTooLong);
    assert_eq!(reason(event(&format!("\"id\":\"{}\"", "x".repeat(10_000_000)))), Reason::IdTooLong);
}

#[test]
fn an_id_may_hold_any_character() {
    let (events, _) = event(r#""id":"a\u0000\n\ud83d\ude00\"é""#).unwrap();
    assert_eq!(events.ids.get(0), "a\0\n😀\"é".as_bytes());
    assert_eq!(events.id_hashes[0], xxh3_128("a\0\n😀\"é".as_bytes()));
}

#[test]
fn a_number_as_a_string_is_refused() {
    refused("\"price\":\"12.5\"", Reason::NumberAsText, "price", "\"12.5\"");
    refused("\"price\":\" 12 \"", Reason::NumberAsText, "price", "\" 12 \"");
    refused("\"price\":\"cheap\"", Reason::WrongType, "price", "\"cheap\"");
    refused("\"price\":\"\"", Reason::WrongType, "price", "\"\"");
    refused("\"price\":\"nan\"", Reason::WrongType, "price", "\"nan\"");
    refused("\"price\":\"Infinity\"", Reason::WrongType, "price", "\"Infinity\"");
}

#[test]
fn other_types_than_a_features_own_are_refused() {
    for value in ["true", "false"] {
        refused(&format!("\"price\":{value}"), Reason::WrongType, "price", value);
    }
    for value in ["[1]", "{\"x\":1}", "[]"] {
        assert_eq!(reason(event(&format!("\"price\":{value}"))), Reason::WrongType);
        assert_eq!(reason(event(&format!("\"city\":{value}"))), Reason::WrongType);
    }
}

#[test]
fn what_is_not_finite_or_beyond_f32_is_refused() {
    for value in ["1e39", "-3.5e38", "1e400", "1e99999999999999999999"] {
        refused(&format!("\"price\":{value}"), Reason::OutOfRange, "price", value);
    }
    let long = format!("\"price\":{}", "9".repeat(1_000_000));
    assert_eq!(reason(event(&long)), Reason::OutOfRange);
    for value in ["NaN", "Infinity", "-Infinity", "nan", "1.#INF"] {
        assert_eq!(reason(event(&format!("\"price\":{value}"))), Reason::NotJson);
    }
}

#[test]
fn numbers_within_f32_are_the_nearest_one() {
    for value in ["3.4028235e38", "-3.4028235e38", "1e-45", "1e-400", "-0", "0.1", "16777217", "0e999999999"]
    {
        let (events, _) = event(&format!("\"price\":{value}")).unwrap();
        let expected: f32 = value.parse().unwrap();
        assert_eq!(events.rows.numeric_row(0)[0].to_bits(), expected.to_bits(), "{value}");
    }
    let (events, _) = event(&format!("\"price\":0.{}", "3".repeat(1_000_000))).unwrap();
    assert_eq!(events.rows.numeric_row(0)[0], 1.0 / 3.0);
}

#[test]
fn a_weight_that_is_negative_or_no_number_is_refused() {
    for value in ["-1", "-1e-30", "1e39", "\"NaN\"", "\"1\"", "true"] {
        refused(&format!("\"weight\":{value}"), Reason::BadWeight, "weight", value);
    }
    assert_eq!(reason(event("\"weight\":NaN")), Reason::NotJson);
    assert_eq!(event("\"weight\":null").unwrap().0.weights, [1.0]);
    assert_eq!(event("\"weight\":2.5").unwrap().0.weights, [2.5]);
}

#[test]
fn a_label_that_is_not_declared_is_refused() {
    refused("\"label\":\"sideways\"", Reason::LabelNotDeclared, "label", "\"sideways\"");
    refused("\"label\":\"\"", Reason::LabelNotDeclared, "label", "\"\"");
    refused("\"label\":1", Reason::LabelNotDeclared, "label", "1");
    refused("\"label\":1.0", Reason::WrongType, "label", "1.0");
    let refusal = event("\"label\":\"UP\"").map(|(events, _)| events.rows).unwrap_err();
    let message = "label not declared: field \"label\": \"UP\"; expected one of \"down\", \"up\"";
    assert_eq!(refusal.to_string(), message);
}

#[test]
fn times_and_texts_that_are_none_are_refused() {
    let schema: SchemaConfig = serde_json::from_value(json!({
        "task": "regression",
        "features": {"when": "time", "about": "text"},
    }))
    .unwrap();
    let events: EventsConfig = serde_json::from_value(json!({"topic": "events"})).unwrap();
    let decoder = EventDecoder::new(&events, &schema).unwrap();
    for (json, said, field, value) in [
        (r#"{"when": "noon"}"#, Reason::BadTime, "when", "\"noon\""),
        (r#"{"when": true}"#, Reason::BadTime, "when", "true"),
        (r#"{"when": 1e300}"#, Reason::BadTime, "when", "1e300"),
        (r#"{"about": 7}"#, Reason::WrongType, "about", "7"),
        (r#"{"about": ["a"]}"#, Reason::WrongType, "about", "[\"a\"]}"),
    ] {
        let refusal = decode_record(&decoder, &record(json.as_bytes())).unwrap_err();
        assert_eq!((refusal.reason(), refusal.field(), refusal.value()), (said, Some(field), Some(value)));
    }
    let (events, notices) = decode_record(&decoder, &record(b"{\"when\": null}")).unwrap();
    assert!(events.rows.numeric.iter().all(|value| value.is_nan()));
    assert_eq!((events.rows.numeric_width(), notices.missing_value), (64 + 7, 2));
}
