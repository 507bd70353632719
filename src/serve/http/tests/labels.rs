use serde_json::{Value, json};

use super::stand::{LABELS, Plan, Refuse, Stand};
use crate::config::Task;

fn records(stand: &Stand) -> Vec<(String, Value)> {
    let records = stand.topic.records.lock().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    records.iter().map(|(key, value)| (text(key), serde_json::from_slice(value).unwrap())).collect()
}

#[test]
fn a_label_is_acknowledged_when_the_broker_has_it_and_its_key_is_the_id_unless_given() {
    let stand = Stand::new();
    let reply = stand.post(LABELS, r#"{"id": "e1", "label": "yes"}"#);
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.json(), json!({ "model": "m", "accepted": 1 }));
    let many =
        r#"{"labels": [{"key": "k", "id": "e2", "label": "no", "weight": 2.5}, {"label": "no", "id": "é"}]}"#;
    assert_eq!(stand.post(LABELS, many).json()["accepted"], 2);
    let expected = [
        ("e1".to_owned(), json!({ "id": "e1", "label": "yes" })),
        ("k".to_owned(), json!({ "id": "e2", "label": "no", "weight": 2.5 })),
        ("é".to_owned(), json!({ "id": "é", "label": "no" })),
    ];
    assert_eq!(records(&stand), expected);
}

#[test]
fn a_wrong_label_names_field_value_and_what_was_expected_and_nothing_of_its_request_is_sent() {
    let stand = Stand::new();
    let cases = [
        (r#"{"id": "e", "label": "maybe"}"#, "label", "label_not_declared"),
        (r#"{"id": "e"}"#, "label", "label_missing"),
        (r#"{"label": "yes"}"#, "id", "id_missing"),
        (r#"{"id": 7, "label": "yes"}"#, "id", "id_not_text"),
        (r#"{"id": "", "label": "yes"}"#, "id", "id_empty"),
        (r#"{"id": "e", "label": "yes", "weight": -1}"#, "weight", "bad_weight"),
        (r#"{"id": "e", "label": ["yes"]}"#, "label", "wrong_type"),
    ];
    for (label, field, reason) in cases {
        let problem = stand.post(LABELS, label).problem(400, "invalid-field");
        assert_eq!(
            (&problem["field"], &problem["reason"]),
            (&json!(field), &json!(reason)),
            "{label}: {problem}"
        );
        assert!(problem["expected"].is_string());
        let body = format!(r#"{{"labels": [{{"id": "good", "label": "no"}}, {label}]}}"#);
        let problem = stand.post(LABELS, &body).problem(400, "invalid-field");
        assert_eq!((&problem["field"], &problem["row"]), (&json!(field), &json!(1)), "{label}");
    }
    let id = "x".repeat(257);
    let problem =
        stand.post(LABELS, &format!(r#"{{"id": "{id}", "label": "yes"}}"#)).problem(400, "invalid-field");
    assert_eq!(problem["reason"], "id_too_long");
    let problem =
        stand.post(LABELS, r#"{"id": "e", "label": "yes", "wait": 1}"#).problem(400, "invalid-field");
    assert_eq!(problem["field"], "wait");
    stand.post(LABELS, r#"{"id": "e", "label": "yes", "key": 5}"#).problem(400, "invalid-field");
    stand.post(LABELS, r#"{"labels": []}"#).problem(400, "no-rows");
    assert_eq!(records(&stand), []);
}

#[test]
fn the_label_of_a_regression_is_a_number() {
    let stand = Stand::with(Plan { task: Task::Regression, ..Plan::default() });
    assert_eq!(stand.post(LABELS, r#"{"id": "e", "label": -1.5}"#).status, 202);
    let problem = stand.post(LABELS, r#"{"id": "e", "label": "1.5"}"#).problem(400, "invalid-field");
    assert_eq!(problem["value"], "\"1.5\"");
}

#[test]
fn labels_that_kafka_does_not_take_are_told_apart() {
    let stand = Stand::new();
    stand.topic.refuse.lock().unwrap().extend([
        ("full", Refuse::Full),
        ("large", Refuse::Broker),
        ("silent", Refuse::Silence),
    ]);
    let cases =
        [("full", 503, "busy"), ("large", 502, "labels-not-taken"), ("silent", 502, "labels-not-taken")];
    for (id, status, name) in cases {
        let body =
            format!(r#"{{"labels": [{{"id": "good", "label": "no"}}, {{"id": "{id}", "label": "no"}}]}}"#);
        let reply = stand.post(LABELS, &body);
        let problem = reply.problem(status, name);
        assert_eq!((&problem["accepted"], &problem["sent"]), (&json!(1), &json!(2)), "{problem}");
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
    }
}

#[test]
fn a_model_whose_events_carry_their_label_takes_none() {
    let stand = Stand::with(Plan { labels: false, ..Plan::default() });
    stand.post(LABELS, r#"{"id": "e", "label": "yes"}"#).problem(404, "no-labels-topic");
}
