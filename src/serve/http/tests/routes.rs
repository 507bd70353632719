use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::problem::Kind;
use super::super::routes::ROUTES;
use super::stand::{PREDICT, Plan, Stand};
use crate::registry::Manifest;
use crate::state::TensorMap;

#[test]
fn the_openapi_document_describes_every_route_and_no_other() {
    let stand = Stand::new();
    let document = stand.get("/openapi.json").json();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let served: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method().to_owned(), route.path.to_owned())).collect();
    assert_eq!(described, served);

    for (method, path) in described {
        let path = path.replace("{model}", "m").replace("{key}", "k");
        let reply = stand.client().request(&method, &path, &[], b"");
        let reached = reply.status < 300 || reply.json()["type"] != "urn:tidewheel:problem:unknown-route";
        assert!(reached && reply.status != 405, "{method} {path}: {}", reply.text());
    }
}

#[test]
fn the_openapi_document_names_every_problem_and_holds_together() {
    let document: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let named =
        document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array().unwrap();
    let named: Vec<&str> = named.iter().map(|name| name.as_str().unwrap()).collect();
    let kinds: Vec<String> =
        Kind::ALL.iter().map(|kind| format!("urn:tidewheel:problem:{}", kind.name())).collect();
    assert_eq!(named, kinds);

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| match value {
                Value::String(target) if name == "$ref" => found.push(target),
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for target in found {
        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}

#[test]
fn an_unknown_model_is_a_404_that_lists_the_known_ones() {
    let stand = Stand::new();
    for reply in [
        stand.get("/v1/models/n"),
        stand.get("/v1/models/n/versions"),
        stand.get("/v1/models/n/monitor"),
        stand.get("/v1/models/n/predictions/k"),
        stand.post("/v1/models/n/predict", r#"{"features": {}}"#),
        stand.post("/v1/models/n/labels", r#"{"id": "e", "label": "yes"}"#),
    ] {
        let problem = reply.problem(404, "unknown-model");
        assert_eq!((&problem["value"], &problem["known"]), (&json!("n"), &json!(["m"])));
    }
}

#[test]
fn an_unknown_route_is_a_404_and_a_wrong_method_a_405_that_names_the_right_one() {
    let stand = Stand::new();
    for path in
        ["/", "/v2", "/v1/models/m/promote", "/v1/models/m/predictions/a/b", "/v1/models/m/predictions/"]
    {
        stand.get(path).problem(404, "unknown-route");
    }
    let reply = stand.get(PREDICT);
    reply.problem(405, "method-not-allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = stand.client().request("DELETE", "/v1/models/m", &[], b"");
    reply.problem(405, "method-not-allowed");
    assert_eq!(reply.header("allow"), Some("GET, HEAD"));
}

#[test]
fn get_routes_answer_head_without_a_body() {
    let stand = Stand::new();
    let mut client = stand.client();
    let reply = client.request("HEAD", "/v1/models", &[], b"");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(client.get("/livez").text(), "ok\n");
}

#[test]
fn it_lives_even_when_it_is_not_ready_and_says_why_it_is_not() {
    let stand = Stand::unpublished(Plan::default());
    assert_eq!(stand.get("/readyz").json(), json!({ "ready": true, "reasons": [] }));
    *stand.told.reason.lock().unwrap() = Some("recovering: entry 5 of 9".into());
    let reply = stand.get("/readyz");
    assert_eq!(reply.status, 503);
    let expected =
        json!({ "ready": false, "reasons": [{ "model": "m", "reason": "recovering: entry 5 of 9" }] });
    assert_eq!(reply.json(), expected);
    assert_eq!(stand.get("/livez").status, 200);
}

#[test]
fn models_are_listed_with_their_revision_once_they_have_one() {
    let stand = Stand::unpublished(Plan::default());
    let model = &stand.get("/v1/models").json()["models"][0];
    assert_eq!(
        (&model["name"], &model["revision"], &model["ready"]),
        (&json!("m"), &Value::Null, &json!(true))
    );
    stand.publish(42);
    let model = stand.get("/v1/models/m").json();
    assert_eq!((&model["version"], &model["revision"], &model["swaps"]), (&json!(4), &json!(42), &json!(1)));
    assert_eq!((&model["task"], &model["classes"]), (&json!("classification"), &json!(["no", "yes"])));
    assert_eq!(model["features"][2], json!({ "name": "c", "kind": "categorical" }));
    assert_eq!(model["published_at"], "2023-11-14T22:13:20Z");
}

#[test]
fn versions_are_the_stored_manifests() {
    let stand = Stand::new();
    assert_eq!(stand.get("/v1/models/m/versions").json(), json!({ "model": "m", "versions": [] }));
    let manifest = |version: u64| -> Manifest {
        let manifest = json!({
            "version": version, "revision": 10 * version, "entry": 10 * version, "epoch": 1, "parent": version - 1,
            "examples": 100, "offsets": [["events", 0, 100]], "metrics": { "accuracy": 0.5 }, "config": "00", "made_for": "01",
            "classes": ["no", "yes"], "at": "2026-01-01T00:00:00Z", "why": "examples", "machine": "test",
            "digests": { "model": "01", "monitors": "02", "join": "03", "state": "04" },
        });
        serde_json::from_value(manifest).unwrap()
    };
    for version in [1, 2] {
        stand.versions.store(&manifest(version), &TensorMap::default()).unwrap();
    }
    let versions = stand.get("/v1/models/m/versions").json()["versions"].take();
    assert_eq!(versions, json!([manifest(1), manifest(2)]));
}

#[test]
fn the_monitor_and_the_alerts_are_passed_on() {
    let stand = Stand::new();
    assert_eq!(stand.get("/v1/models/m/monitor").json(), json!({ "served": { "accuracy": 0.75 } }));
    assert_eq!(
        stand.get("/v1/alerts").json(),
        json!({ "alerts": [{ "fingerprint": "f", "state": "firing" }] })
    );
}

#[test]
fn requests_are_counted_by_route_and_class_of_status() {
    let stand = Stand::new();
    stand.post(PREDICT, r#"{"features": {}}"#);
    stand.post(PREDICT, r#"{"features": {}}"#);
    stand.post(PREDICT, "no");
    stand.get("/nowhere");
    let metrics = stand.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let route = r#"method="POST",route="/v1/models/{model}/predict""#;
    for line in [
        format!("tidewheel_http_requests_total{{{route},status=\"2xx\"}} 2"),
        format!("tidewheel_http_requests_total{{{route},status=\"4xx\"}} 1"),
        format!("tidewheel_http_request_seconds_count{{{route}}} 3"),
        r#"tidewheel_http_requests_total{method="any",route="unknown",status="4xx"} 1"#.to_owned(),
    ] {
        assert!(metrics.text().contains(&line), "{line} in:\n{}", metrics.text());
    }
}
