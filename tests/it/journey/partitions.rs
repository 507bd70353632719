use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::message::Message as _;
use serde_json::{Value, json};

use crate::support::{Sent, Service, Trial, assert_accounts_add_up, audit, shared_broker};

const WITHIN: Duration = Duration::from_secs(60);
const ROWS: usize = 60;

#[test]
fn a_label_on_another_partition_than_its_event_is_joined_and_predictions_keep_the_events_partition() {
    // Given topics that others made, with more partitions than configured, of different numbers,
    let trial = Trial::new(shared_broker());
    let kafka = trial.kafka();
    kafka.create_topic(&trial.topic("events"), 3, &[]);
    kafka.create_topic(&trial.topic("labels"), 2, &[]);
    let mut service = Service::start(&trial);
    service.wait_ready();

    // when events and labels are sent round robin,
    let sent = |row: usize, partitions: usize, value: Value| Sent {
        partition: (row % partitions) as i32,
        key: Some(format!("key-{row}").into_bytes()),
        ..Sent::new(value.to_string())
    };
    let event =
        |row| sent(row, 3, json!({ "id": format!("e{row}"), "date": 0.1, "nswprice": row as f64 / 100.0 }));
    let label = |row| sent(row, 2, json!({ "id": format!("e{row}"), "label": (row % 2).to_string() }));
    kafka.send(&trial.topic("events"), &(0..ROWS).map(event).collect::<Vec<_>>());
    kafka.send(&trial.topic("labels"), &(0..ROWS).map(label).collect::<Vec<_>>());

    // then each event is learned,
    let all = ROWS as u64;
    let expected = [("events", "learned", all), ("labels", "matched", all)];
    assert_accounts_add_up(&service.wait_for_accounts(WITHIN, &expected));
    assert_eq!(service.terminate().0, 0);
    let counts = audit(&trial).counts;
    assert_eq!((counts.events_predicted, counts.examples_distinct), (all, all));

    // and its prediction has its key and the number of its partition.
    let predictions = kafka.read(&trial.topic("predictions"));
    let mut partitions = BTreeMap::new();
    for prediction in &predictions {
        let value: Value = serde_json::from_slice(prediction.payload().unwrap()).unwrap();
        assert_eq!(value["source"]["partition"], prediction.partition(), "{value}");
        assert_eq!(value["key"].as_str().unwrap().as_bytes(), prediction.key().unwrap(), "{value}");
        *partitions.entry(prediction.partition()).or_insert(0) += 1;
    }
    assert_eq!(partitions.values().copied().collect::<Vec<_>>(), [ROWS / 3; 3]);
}
