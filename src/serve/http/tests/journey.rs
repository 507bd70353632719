use std::time::Duration;

use serde_json::{Value, json};

use super::stand::{PREDICT, Plan, Stand};
use crate::config::{CacheConfig, HttpConfig, Task};

#[test]
fn one_row_is_answered_with_label_probabilities_and_the_revision_that_says_so() {
    let stand = Stand::new();
    let reply = stand.post(PREDICT, r#"{"features": {"a": 1.5, "b": -2, "c": "x"}}"#);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let expected = json!({
        "model": "m", "variant": "champion", "version": 1, "revision": 10, "epoch": 1, "stale": false,
        "predictions": [{ "label": "no", "probabilities": { "no": 0.99, "yes": 0.01 } }],
    });
    assert_eq!(reply.json(), expected);
}

#[test]
fn a_regression_is_answered_with_a_value() {
    let stand = Stand::with(Plan { task: Task::Regression, ..Plan::default() });
    let reply = stand.post(PREDICT, r#"{"features": {"a": 1}}"#);
    assert_eq!(reply.json()["predictions"], json!([{ "value": 10.0 }]));
}

#[test]
fn missing_null_and_nan_features_are_missing_values_and_unknown_ones_are_passed_over_and_counted() {
    let stand = Stand::new();
    for features in ["{}", r#"{"a": null, "b": "NaN", "c": null}"#, r#"{"a": 1, "what": [1, {"x": 2}]}"#] {
        let reply = stand.post(PREDICT, &format!(r#"{{"features": {features}}}"#));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let metrics = stand.get("/metrics");
    assert!(
        metrics.text().contains("tidewheel_http_unknown_fields_total{pipeline=\"m\"} 1"),
        "{}",
        metrics.text()
    );
}

#[test]
fn a_thousand_rows_are_answered_in_their_order_with_their_keys() {
    let http = HttpConfig { body_bytes_max: 1 << 20, ..HttpConfig::default() };
    let stand = Stand::with(Plan { http, ..Plan::default() });
    let rows: Vec<Value> =
        (0..1000).map(|row| json!({ "features": { "a": row }, "key": format!("k{row}") })).collect();
    let reply = stand.post(PREDICT, &json!({ "rows": rows }).to_string());
    let answer = reply.json();
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 1000);
    for (row, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction["key"], format!("k{row}"));
    }
    assert_eq!(stand.get("/v1/models/m/predictions/k999").status, 200);
}

#[test]
fn a_keyed_row_can_be_read_back_and_is_made_again_by_a_newer_revision() {
    let stand = Stand::new();
    let mut client = stand.client();
    let rows = r#"{"rows": [{"features": {"a": 1}}, {"features": {"a": 2}, "key": "a/b ü"}, {"key": null, "features": {}}]}"#;
    let answer = client.post(PREDICT, rows).json();
    assert_eq!(answer["predictions"][1]["key"], "a/b ü");
    assert_eq!(answer["predictions"][0].get("key"), None);

    let cached = client.get("/v1/models/m/predictions/a%2Fb%20%C3%BC").json();
    assert_eq!((&cached["revision"], &cached["key"]), (&json!(10), &json!("a/b ü")));
    assert_eq!(cached["prediction"], json!({ "label": "no", "probabilities": { "no": 0.99, "yes": 0.01 } }));

    stand.publish(900);
    let cached = client.get("/v1/models/m/predictions/a%2Fb%20%C3%BC").json();
    assert_eq!(cached["revision"], 900);
    assert_eq!(cached["prediction"]["label"], "yes");
}

#[test]
fn a_key_that_was_never_seen_is_a_404() {
    let stand = Stand::new();
    let problem = stand.get("/v1/models/m/predictions/nobody").problem(404, "unknown-key");
    assert_eq!(problem["value"], "nobody");
    assert_eq!(problem.get("last_seen"), None);
}

#[test]
fn an_answer_past_its_time_is_a_404_that_says_when_the_key_was_last_seen() {
    let stand =
        Stand::with(Plan { cache: CacheConfig { ttl_ms: 1, ..CacheConfig::default() }, ..Plan::default() });
    stand.post(PREDICT, r#"{"features": {}, "key": "k"}"#);
    std::thread::sleep(Duration::from_millis(20));
    let problem = stand.get("/v1/models/m/predictions/k").problem(404, "unknown-key");
    assert!(problem["last_seen"].as_str().unwrap().ends_with('Z'), "{problem}");
}

#[test]
fn before_the_first_revision_it_says_when_to_try_again() {
    let stand = Stand::unpublished(Plan::default());
    for reply in [stand.post(PREDICT, r#"{"features": {}}"#), stand.get("/v1/models/m/predictions/k")] {
        reply.problem(503, "not-ready");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
}

#[test]
fn an_answer_says_when_the_model_is_stale() {
    let stand = Stand::new();
    stand.serving.set_stale(true);
    assert_eq!(stand.post(PREDICT, r#"{"features": {}}"#).json()["stale"], true);
}

#[test]
fn a_model_that_panics_costs_one_answer_and_not_the_connection() {
    let stand = Stand::new();
    let mut client = stand.client();
    client.post(PREDICT, r#"{"features": {"a": -666}}"#).problem(500, "internal");
    assert_eq!(client.post(PREDICT, r#"{"features": {"a": 1}}"#).status, 200);
}
