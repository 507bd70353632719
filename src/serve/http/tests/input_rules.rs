use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::client::{Reply, request};
use super::stand::{PREDICT, Plan, Stand};
use crate::config::HttpConfig;

const JSON: (&str, &str) = ("content-type", "application/json");

fn features(json: &str) -> String {
    format!(r#"{{"features": {json}}}"#)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn post(stand: &Stand, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    stand.client().request("POST", PREDICT, headers, body)
}

#[test]
fn a_bad_feature_names_its_field_its_value_and_what_was_expected() {
    let stand = Stand::new();
    let cases = [
        (r#"{"a": "1.5"}"#, "a", "\"1.5\""),
        (r#"{"a": true}"#, "a", "true"),
        (r#"{"b": [1]}"#, "b", "["),
        (r#"{"b": {"x": 1}}"#, "b", "{"),
        (r#"{"b": 1e39}"#, "b", "1e39"),
        (r#"{"a": 1, "a": 2}"#, "a", ""),
        (r#"{"c": ["x"]}"#, "c", "["),
    ];
    for (given, field, value) in cases {
        let problem = stand.post(PREDICT, &features(given)).problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{given}: {problem}");
        assert!(problem["value"].as_str().unwrap_or_default().starts_with(value), "{given}: {problem}");
        assert!(!problem["expected"].as_str().unwrap().is_empty(), "{given}: {problem}");
        assert_eq!(problem.get("row"), None);

        let many = format!(r#"{{"rows": [{{"features": {{}}}}, {}]}}"#, features(given));
        let problem = stand.post(PREDICT, &many).problem(400, "invalid-field");
        assert_eq!((&problem["field"], &problem["row"]), (&json!(field), &json!(1)), "{given}: {problem}");
    }
}

#[test]
fn a_body_of_another_form_is_refused_with_the_member_to_blame() {
    let stand = Stand::new();
    let cases = [
        ("[]", "the body"),
        ("null", "the body"),
        ("7", "the body"),
        ("{}", "features"),
        (r#"{"key": "k"}"#, "features"),
        (r#"{"features": [1]}"#, "features"),
        (r#"{"features": null}"#, "features"),
        (r#"{"features": {}, "features": {}}"#, "features"),
        (r#"{"features": {}, "key": 5}"#, "key"),
        (r#"{"features": {}, "key": ""}"#, "key"),
        (r#"{"features": {}, "kee": "k"}"#, "kee"),
        (r#"{"kee": 1}"#, "kee"),
        (r#"{"features": {}, "rows": []}"#, "rows"),
        (r#"{"rows": [{"features": {}}], "features": {}}"#, "features"),
        (r#"{"rows": [{"features": {}}], "rows": []}"#, "rows"),
        (r#"{"rows": [{"features": {}}], "key": "k"}"#, "key"),
        (r#"{"rows": [{"features": {}, "kee": 1}]}"#, "kee"),
        (r#"{"rows": [{}]}"#, "features"),
        (r#"{"rows": [7]}"#, "rows"),
        (r#"{"rows": [[]]}"#, "rows"),
        (r#"{"rows": {}}"#, "rows"),
        (r#"{"rows": "x"}"#, "rows"),
    ];
    for (body, field) in cases {
        let problem = stand.post(PREDICT, body).problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert!(problem["expected"].is_string(), "{body}: {problem}");
    }
    let key = "k".repeat(1025);
    let problem = stand
        .post(PREDICT, &format!(r#"{{"features": {{}}, "key": "{key}"}}"#))
        .problem(400, "invalid-field");
    assert!(problem["value"].as_str().unwrap().len() < 200, "a long value is cut");
}

#[test]
fn what_is_not_json_is_refused_with_the_position() {
    let stand = Stand::new();
    let cases: [&[u8]; 9] = [
        b"",
        b"{",
        b"{\"features\": {\"a\": }}",
        b"{\"features\": {\"a\": NaN}}",
        b"{\"features\": {\"a\": Infinity}}",
        b"{\"features\": {}} x",
        b"{\"features\": {}}{}",
        b"{\"features\": {\"c\": \"\xff\"}}",
        b"features=1",
    ];
    for body in cases {
        let problem = post(&stand, &[JSON], body).problem(400, "invalid-json");
        assert!(problem["line"].is_u64() && problem["column"].is_u64(), "{problem}");
    }
    let problem = stand.post(PREDICT, "{\n  \"features\": {\"a\": nan}\n}").problem(400, "invalid-json");
    assert_eq!(problem["line"], 2);
}

#[test]
fn deep_nesting_is_refused_and_a_byte_order_mark_is_passed_over() {
    let stand = Stand::new();
    let deep = format!("{{\"x\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let problem = stand.post(PREDICT, &features(&deep)).problem(400, "invalid-field");
    assert_eq!(problem["reason"], "too_deep");
    assert_eq!(stand.post(PREDICT, "\u{feff}{\"features\": {}}").status, 200);
}

#[test]
fn no_rows_and_too_many_rows_are_refused() {
    let http = HttpConfig { rows_max: 3, ..HttpConfig::default() };
    let stand = Stand::with(Plan { http, ..Plan::default() });
    let rows = |count: usize| json!({ "rows": vec![json!({ "features": {} }); count] }).to_string();
    stand.post(PREDICT, &rows(0)).problem(400, "no-rows");
    assert_eq!(stand.post(PREDICT, &rows(3)).status, 200);
    let problem = stand.post(PREDICT, &rows(4)).problem(400, "too-many-rows");
    assert_eq!(problem["rows_max"], 3);
    assert_eq!(problem.get("row"), None);
}

#[test]
fn another_content_type_is_refused() {
    let stand = Stand::new();
    let body = features("{}");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonl", ""] {
        let problem = post(&stand, &[("content-type", kind)], body.as_bytes()).problem(415, "content-type");
        assert_eq!(problem["expected"], "application/json");
    }
    post(&stand, &[], body.as_bytes()).problem(415, "content-type");
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(post(&stand, &[("content-type", kind)], body.as_bytes()).status, 200);
    }
}

#[test]
fn gzip_and_zstd_bodies_are_read_and_other_encodings_refused() {
    let stand = Stand::new();
    let body = features(r#"{"a": 1}"#);
    let zstd = zstd::encode_all(body.as_bytes(), 3).unwrap();
    for (coding, bytes) in
        [("gzip", gzip(body.as_bytes())), ("zstd", zstd.clone()), ("identity", body.clone().into())]
    {
        assert_eq!(post(&stand, &[JSON, ("content-encoding", coding)], &bytes).status, 200, "{coding}");
    }
    for coding in ["br", "deflate", "gzip, gzip"] {
        let reply = post(&stand, &[JSON, ("content-encoding", coding)], body.as_bytes());
        reply.problem(415, "content-encoding");
        assert_eq!(reply.header("accept-encoding"), Some("gzip, zstd"));
    }
    for (coding, bytes) in
        [("gzip", &zstd[..]), ("zstd", body.as_bytes()), ("gzip", &gzip(body.as_bytes())[..20])]
    {
        post(&stand, &[JSON, ("content-encoding", coding)], bytes).problem(400, "broken-body");
    }
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_has_come() {
    let stand = Stand::new();
    let mut client = stand.client();
    client.write(format!("POST {PREDICT} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n").as_bytes());
    let reply = client.reply(false);
    assert_eq!(reply.problem(413, "too-large")["bytes_max"], 64 << 10);

    // Without a length it is refused when the limit is reached.
    let mut client = stand.client();
    client.write(format!("POST {PREDICT} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes());
    for _ in 0..5 {
        client.write(format!("4000\r\n{}\r\n", " ".repeat(0x4000)).as_bytes());
    }
    client.reply(false).problem(413, "too-large");
}

#[test]
fn a_compressed_bomb_is_refused_at_the_limit() {
    let stand = Stand::new();
    let zeros = vec![b' '; 64 << 20];
    let zstd = zstd::encode_all(&zeros[..], 3).unwrap();
    for (coding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd)] {
        let bomb = if coding == "gzip" { &bomb[..60 << 10] } else { &bomb[..] };
        let problem = post(&stand, &[JSON, ("content-encoding", coding)], bomb).problem(413, "too-large");
        assert_eq!(problem["bytes_max"], 64 << 10);
    }
    // At the limit it is not too large.
    let mut body = features("{}").into_bytes();
    body.resize(64 << 10, b' ');
    assert_eq!(post(&stand, &[JSON, ("content-encoding", "gzip")], &gzip(&body)).status, 200);
    body.push(b' ');
    post(&stand, &[JSON, ("content-encoding", "gzip")], &gzip(&body)).problem(413, "too-large");
}

#[test]
fn a_slow_body_is_cut_off_while_others_are_answered() {
    let stand = Stand::new();
    let body = features("{}");
    let whole = request("POST", PREDICT, &[JSON], body.as_bytes());
    let mut slow = stand.client();
    slow.write(&whole[..whole.len() - 4]);
    assert_eq!(stand.post(PREDICT, &body).status, 200);
    let start = Instant::now();
    let reply = slow.reply(false);
    let problem: Value = reply.problem(408, "slow-body");
    assert_eq!(problem["timeout_ms"], 300);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn a_body_that_drips_is_cut_off_all_the_same() {
    let stand = Stand::new();
    let body = features(&" ".repeat(1_000));
    let whole = request("POST", PREDICT, &[JSON], body.as_bytes());
    let mut slow = stand.client();
    for byte in whole.chunks(100).take(8) {
        slow.write(byte);
        std::thread::sleep(Duration::from_millis(50));
    }
    slow.reply(false).problem(408, "slow-body");
}

#[test]
fn a_client_that_is_not_slow_is_never_told_that_it_is() {
    let http = HttpConfig { body_timeout_ms: 100, ..HttpConfig::default() };
    let stand = Stand::with(Plan { http, ..Plan::default() });
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(800) {
        assert_eq!(stand.post(PREDICT, &features("{}")).status, 200, "after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let stand = Stand::new();
    let mut slow = stand.client();
    slow.write(b"POST /v1/models/m/predict HTTP/1.1\r\nhost: t\r\nx-slow: ");
    assert_eq!(slow.reply(false).status, 408);
}
