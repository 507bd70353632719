use std::time::Duration;

use rdkafka::message::Message as _;
use serde_json::{Value, json};

use crate::support::{Sent, Service, Trial, assert_accounts_add_up, audit, header, shared_broker};

const WITHIN: Duration = Duration::from_secs(60);

/// Good for the dead-letter topic, with a word that its reason must have.
type Bad = (Sent, &'static str);

fn text(value: impl Into<Vec<u8>>, reason: &'static str) -> Bad {
    (Sent::new(value), reason)
}

/// Wrong on any of the two topics.
fn bad_anywhere() -> Vec<Bad> {
    let nested = format!("{{\"id\":\"x\",\"deep\":{}{}}}", "[".repeat(40), "]".repeat(40));
    vec![
        (Sent::default(), "null value"),
        text("", "malformed json"),
        text("hello", "malformed json"),
        text("[1,2]", "not a json object"),
        text("null", "not a json object"),
        text("{\"id\":\"x\"", "malformed json"),
        text("{\"id\":\"x\"} {}", "malformed json"),
        text(&b"{\"id\":\"\xff\"}"[..], "invalid utf-8"),
        text(&b"\x00\x00\x00\x00\x2a\x04e1"[..], "malformed json"),
        text(nested, "nested too deeply"),
        text("{\"id\":\"x\",\"id\":\"x\"}", "duplicate field"),
        text("{}", "id missing"),
        text("{\"id\":null}", "id missing"),
        text("{\"id\":\"\"}", "id empty"),
        text("{\"id\":7}", "id not a string"),
        text(format!("{{\"id\":\"{}\"}}", "x".repeat(257)), "id too long"),
        // Past what fits a dead letter; with its key it would not fit with less either.
        text(vec![b'x'; 990_000], "malformed json"),
        (Sent { key: Some(vec![b'k'; 30_000]), ..Sent::new(vec![b'x'; 980_000]) }, "malformed json"),
        (
            Sent {
                key: Some(b"\xff\0k".to_vec()),
                headers: vec![("h".into(), vec![0, 255])],
                ..Sent::new("{")
            },
            "malformed",
        ),
    ]
}

fn bad_events() -> Vec<Bad> {
    let with = |fields: &str, reason| text(format!("{{\"id\":\"bad\",{fields}}}"), reason);
    let mut bad = bad_anywhere();
    bad.extend([
        with("\"nswprice\":\"0.5\"", "number as a string"),
        with("\"nswprice\":true", "wrong type"),
        with("\"nswprice\":[1]", "wrong type"),
        with("\"nswprice\":1e39", "number out of range"),
        with("\"nswprice\":1e999", "number out of range"),
        with("\"nswprice\":NaN", "malformed json"),
        with("\"nswprice\":1,\"nswprice\":2", "duplicate field"),
    ]);
    bad
}

fn bad_labels() -> Vec<Bad> {
    let with = |fields: &str, reason| text(format!("{{\"id\":\"good-1\",{fields}}}"), reason);
    let mut bad = bad_anywhere();
    bad.extend([
        text("{\"id\":\"good-1\"}", "label missing"),
        with("\"label\":null", "label missing"),
        with("\"label\":\"sideways\"", "label not declared"),
        with("\"label\":[\"1\"]", "wrong type"),
        with("\"label\":\"1\",\"weight\":-1", "bad weight"),
        with("\"label\":\"1\",\"weight\":NaN", "malformed json"),
        with("\"label\":\"1\",\"weight\":\"1\"", "bad weight"),
    ]);
    bad
}

fn good_event(number: usize) -> Sent {
    let event = json!({ "id": format!("good-{number}"), "date": 0.1, "nswprice": 0.05, "unknown": [{}], "day": null });
    Sent::new(event.to_string())
}

fn good_label(number: usize) -> Sent {
    Sent::new(json!({ "id": format!("good-{number}"), "label": "1" }).to_string())
}

/// Each bad record with a good one after it.
fn mixed(bad: &[Bad], good: fn(usize) -> Sent) -> Vec<Sent> {
    bad.iter().enumerate().flat_map(|(number, (bad, _))| [bad.clone(), good(number)]).collect()
}

fn assert_dead_letters(trial: &Trial, source: &str, bad: &[Bad], offsets: &[i64]) {
    let letters = trial.kafka().read(&trial.topic("dead_letters"));
    let topic = trial.topic(source);
    for ((sent, reason), offset) in bad.iter().zip(offsets.iter().step_by(2)) {
        let place = Some((topic.clone(), offset.to_string()));
        let is_its = |letter: &&_| {
            header(letter, "tidewheel.dlq.topic").zip(header(letter, "tidewheel.dlq.offset")) == place
        };
        let its: Vec<_> = letters.iter().filter(is_its).collect();
        assert_eq!(its.len(), 1, "{topic} offset {offset}: {reason}");
        let letter = its[0];
        let said = header(letter, "tidewheel.dlq.reason").unwrap();
        assert!(said.contains(reason), "{topic} offset {offset}: expected {reason}, it says {said}");
        assert_eq!(header(letter, "tidewheel.dlq.stage").as_deref(), Some("schema"));
        assert_eq!(header(letter, "tidewheel.dlq.partition").as_deref(), Some("0"));
        let timestamp = header(letter, "tidewheel.dlq.timestamp").unwrap();
        assert!(timestamp.parse::<i64>().unwrap() > 1_600_000_000_000, "{timestamp}");
        assert_eq!(letter.key(), sent.key.as_deref());
        match &sent.value {
            Some(value) if letter.payload() != Some(value) => {
                assert_eq!(letter.payload(), Some(&value[..64 << 10]), "the first 64 KiB");
                let length = value.len().to_string();
                assert_eq!(header(letter, "tidewheel.dlq.length"), Some(length));
                assert_eq!(header(letter, "tidewheel.dlq.sha256").map(|hex| hex.len()), Some(64));
            }
            value => assert_eq!(letter.payload(), value.as_deref()),
        }
    }
}

#[test]
fn malformed_records_of_every_kind_become_dead_letters_and_change_no_other_account() {
    // Given each kind of malformed event with a good one after it, and the same of labels,
    let trial = Trial::new(shared_broker());
    let mut service = Service::start(&trial);
    service.wait_ready();
    let (events, labels) = (bad_events(), bad_labels());
    let kafka = trial.kafka();
    let event_offsets = kafka.send(&trial.topic("events"), &mixed(&events, good_event));
    let label_offsets = kafka.send(&trial.topic("labels"), &mixed(&labels, good_label));

    // then the good ones are learned, and the bad ones are in one account each,
    let count = |bad: &[Bad]| bad.len() as u64;
    let matched = count(&events).min(count(&labels));
    let all = [
        ("events", "read", 2 * count(&events)),
        ("events", "learned", matched),
        ("events", "dead_lettered", count(&events)),
        ("labels", "read", 2 * count(&labels)),
        ("labels", "matched", matched),
        ("labels", "dead_lettered", count(&labels)),
    ];
    let accounts = service.wait_for_accounts(WITHIN, &all);
    assert_accounts_add_up(&accounts);
    let others = ["scored_only", "expired", "duplicate", "skipped", "late", "correction"];
    for (source, account) in ["events", "labels"].iter().flat_map(|s| others.map(|account| (s, account))) {
        assert_eq!(accounts[source].get(account).and_then(Value::as_u64).unwrap_or(0), 0, "{accounts}");
    }
    assert_eq!(service.terminate().0, 0);

    // each comes back with its bytes, its place and the reason,
    assert_dead_letters(&trial, "events", &events, &event_offsets);
    assert_dead_letters(&trial, "labels", &labels, &label_offsets);
    let counts = audit(&trial).counts;
    assert_eq!(counts.dead_letters_distinct, count(&events) + count(&labels));

    // and a process that was never there makes the same of them.
    trial.rebuild(&["--from-nothing"]);
}
