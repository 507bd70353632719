use std::time::Duration;

use serde_json::json;

use crate::support::{Sent, Service, Trial, assert_accounts_add_up, audit, shared_broker};

const WITHIN: Duration = Duration::from_secs(30);

fn event(id: &str) -> Sent {
    let event = json!({ "id": id, "date": 0.1, "day": 2, "period": 0.5, "nswprice": 0.06, "nswdemand": 0.4,
        "vicprice": 0.003, "vicdemand": 0.42, "transfer": 0.41 });
    Sent::new(event.to_string())
}

#[test]
fn a_posted_label_goes_through_the_labels_topic_into_a_learned_example() {
    // Given a predicted event that waits for its label,
    let trial = Trial::new(shared_broker());
    let mut service = Service::start(&trial);
    service.wait_ready();
    trial.kafka().send(&trial.topic("events"), &[event("one"), event("two")]);
    service.wait_for_accounts(WITHIN, &[("events", "pending", 2)]);
    let cached = service.get("/v1/models/elec2/predictions/one");
    assert_eq!(cached.status, 200, "{cached:?}");

    // when its label is posted, once as it should be and once not,
    let path = "/v1/models/elec2/labels";
    let posted = service.post(path, &json!({ "id": "one", "label": "1" }));
    let wrong = service.post(path, &json!({ "id": "two", "label": "maybe" }));

    // then the broker has the one before the answer comes, and it is learned;
    assert_eq!((posted.status, posted.json()["accepted"].as_u64()), (202, Some(1)), "{posted:?}");
    assert_eq!(trial.kafka().read(&trial.topic("labels")).len(), 1);
    let expected = [("events", "learned", 1), ("events", "pending", 1), ("labels", "matched", 1)];
    assert_accounts_add_up(&service.wait_for_accounts(WITHIN, &expected));

    // the other is told what is wrong, and nothing of it reaches Kafka.
    let problem = wrong.json();
    assert_eq!(
        (wrong.status, &problem["field"], &problem["value"]),
        (400, &json!("label"), &json!("\"maybe\""))
    );
    assert_eq!(service.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.labels, counts.examples, counts.events_predicted), (1, 1, 2));
}

#[test]
fn early_late_repeated_and_contrary_labels_have_their_own_accounts() {
    // Given labels before their event, and one for no event,
    let trial = Trial::new(shared_broker());
    let mut service = Service::start(&trial);
    service.wait_ready();
    let kafka = trial.kafka();
    let label = |id: &str, label: &str| Sent::new(json!({ "id": id, "label": label }).to_string());
    kafka.send(&trial.topic("labels"), &[label("a", "1"), label("nobody", "0")]);
    service.wait_for_accounts(WITHIN, &[("labels", "pending", 2)]);

    // when the event comes twice, and its label again, the same and another,
    kafka.send(&trial.topic("events"), &[event("a"), event("a")]);
    service.wait_for_accounts(WITHIN, &[("events", "learned", 1), ("events", "duplicate", 1)]);
    kafka.send(&trial.topic("labels"), &[label("a", "1"), label("a", "0")]);

    // then it is predicted and learned once, and each record is counted where it belongs.
    let expected = [
        ("labels", "matched", 1),
        ("labels", "pending", 1),
        ("labels", "duplicate", 1),
        ("labels", "correction", 1),
        ("events", "read", 2),
    ];
    assert_accounts_add_up(&service.wait_for_accounts(WITHIN, &expected));
    assert_eq!(service.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.events_predicted, counts.events_duplicate, counts.examples), (1, 1, 1));
}
