use std::collections::HashMap;

use serde::Deserialize;

use super::record::{place, texts};
use super::{Check, Record};

/// The predictions topic: one prediction an id, with where it came from, repeated only byte for byte.
pub(super) struct Predictions {
    pub records: u64,
    seen: HashMap<u128, Seen>,
    /// The (pipeline, variant) pairs met; an id is predicted once by each.
    writers: Vec<(String, String)>,
    described: Check,
    repeated: Check,
    placed: Check,
    origin: Check,
    revision: Check,
}

struct Seen {
    content: u128,
    /// The partition it lies in and the place of its source.
    partition: i32,
    source: u128,
    revision: u64,
    source_found: bool,
}

#[derive(Deserialize)]
struct Value {
    id: String,
    pipeline: String,
    #[serde(default)]
    variant: String,
    #[serde(rename = "version")]
    _version: u64,
    revision: u64,
    #[serde(rename = "epoch")]
    _epoch: u64,
    source: Source,
}

#[derive(Deserialize)]
struct Source {
    topic: String,
    partition: i32,
    offset: i64,
}

impl Default for Predictions {
    fn default() -> Self {
        Self {
            records: 0,
            seen: HashMap::new(),
            writers: Vec::new(),
            described: Check::new("predictions: id, pipeline, version, revision, epoch and source"),
            repeated: Check::new("predictions: a repeated id is byte for byte the first"),
            placed: Check::new("predictions: in the partition that their event is in"),
            origin: Check::new("predictions: their source is the event with their id"),
            revision: Check::new("predictions: made by a revision older than the event's batch"),
        }
    }
}

impl Predictions {
    pub fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        let value = serde_json::from_slice::<Value>(record.value.unwrap_or_default());
        let error = value.as_ref().err();
        let fault = || format!("{record}: {}", error.map_or_else(String::new, ToString::to_string));
        self.described.expect(error.is_none(), fault);
        let Ok(value) = value else { return };
        let id = &value.id;
        if !self.writers.iter().any(|(p, v)| (p, v) == (&value.pipeline, &value.variant)) {
            self.writers.push((value.pipeline.clone(), value.variant.clone()));
        }
        let in_place = record.partition == value.source.partition;
        let fault = || format!("{record}: id {id} is of partition {}", value.source.partition);
        self.placed.expect(in_place, fault);

        let content = record.content();
        let known = texts(&[&value.pipeline, &value.variant, id]);
        if let Some(first) = self.seen.get(&known) {
            let same = first.content == content && first.partition == record.partition;
            self.repeated.expect(same, || format!("{record}: id {id} is not as it was first"));
            return;
        }
        let Source { topic, partition, offset } = &value.source;
        let source = place(topic, *partition, *offset);
        let (partition, revision) = (record.partition, value.revision);
        self.seen.insert(known, Seen { content, partition, source, revision, source_found: false });
    }

    /// Lays an event against its predictions; says whether `event` has a prediction of its own, and whether its id has
    /// one at all. `entry` is the batch that the journal has it in.
    pub fn event(&mut self, event: &Record<'_>, id: &str, entry: Option<u64>) -> Predicted {
        let here = event.place();
        let mut predicted = Predicted::No;
        for (pipeline, variant) in &self.writers {
            let Some(seen) = self.seen.get_mut(&texts(&[pipeline, variant, id])) else { continue };
            if seen.source != here {
                predicted = predicted.max(Predicted::OtherWithId);
                continue;
            }
            predicted = Predicted::Here;
            seen.source_found = true;
            if let Some(entry) = entry {
                let revision = seen.revision;
                let fault = || format!("{event}: id {id} of entry {entry} by revision {revision}");
                self.revision.expect(revision < entry, fault);
            }
        }
        predicted
    }

    /// Ids with a prediction, counted for each pipeline and variant.
    pub fn distinct(&self) -> u64 {
        self.seen.len() as u64
    }

    /// The checks, final. With the events read whole (`events_whole`), each prediction must have met its source.
    pub fn finish(mut self, events_whole: bool) -> Vec<Check> {
        if events_whole {
            for seen in self.seen.values() {
                let Seen { source_found, partition, .. } = seen;
                self.origin.expect(*source_found, || {
                    format!("a prediction in partition {partition} names a source that is not there or has another id")
                });
            }
        }
        vec![self.described, self.repeated, self.placed, self.origin, self.revision]
    }
}

/// Whether an event has a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Predicted {
    No,
    /// An event with the same id has one.
    OtherWithId,
    /// This one has.
    Here,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(id: &str, offset: i64, revision: u64) -> String {
        format!(
            r#"{{"id":"{id}","key":null,"pipeline":"p","variant":"champion","version":0,"revision":{revision},"epoch":1,"label":"1","source":{{"topic":"e","partition":0,"offset":{offset}}}}}"#
        )
    }

    fn record(value: &str) -> Record<'_> {
        Record { topic: "p", key: Some(b"k"), value: Some(value.as_bytes()), ..Record::default() }
    }

    fn event(offset: i64) -> Record<'static> {
        Record { topic: "e", offset, ..Record::default() }
    }

    fn failed(predictions: Predictions, events_whole: bool) -> Vec<&'static str> {
        let checks = predictions.finish(events_whole);
        checks.iter().filter(|check| !check.passed()).map(|check| check.name).collect()
    }

    #[test]
    fn ids_are_counted_once_and_equal_repeats_pass() {
        let mut predictions = Predictions::default();
        for value in [value("a", 0, 1), value("b", 1, 1), value("a", 0, 1)] {
            predictions.record(&record(&value));
        }

        assert_eq!((predictions.records, predictions.distinct()), (3, 2));
        assert_eq!(predictions.event(&event(0), "a", Some(2)), Predicted::Here);
        assert_eq!(predictions.event(&event(1), "b", Some(2)), Predicted::Here);
        assert_eq!(predictions.event(&event(2), "a", Some(2)), Predicted::OtherWithId);
        assert_eq!(predictions.event(&event(3), "c", Some(2)), Predicted::No);
        assert_eq!(failed(predictions, true), [""; 0]);
    }

    #[test]
    fn a_repeat_that_differs_in_value_or_key_is_a_fault() {
        let repeated = ["predictions: a repeated id is byte for byte the first"];
        let (first, other) = (value("a", 0, 1), value("a", 0, 2));

        let mut predictions = Predictions::default();
        predictions.record(&record(&first));
        predictions.record(&record(&other));
        assert_eq!(failed(predictions, false), repeated);

        let mut predictions = Predictions::default();
        predictions.record(&record(&first));
        predictions.record(&Record { key: None, ..record(&first) });
        assert_eq!(failed(predictions, false), repeated);
    }

    #[test]
    fn what_lacks_a_field_is_a_fault() {
        for field in ["id", "pipeline", "version", "revision", "epoch", "source"] {
            let mut predictions = Predictions::default();
            let other = value("a", 0, 1).replace(&format!("\"{field}\""), "\"other\"");
            predictions.record(&record(&other));
            assert_eq!(failed(predictions, false).len(), 1, "{field}");
        }
    }

    #[test]
    fn sources_partitions_and_revisions_are_held_against_the_events() {
        let mut predictions = Predictions::default();
        let value = value("a", 5, 9);
        predictions.record(&Record { partition: 1, ..record(&value) });
        predictions.event(&event(5), "a", Some(9));
        predictions.event(&event(6), "b", Some(9));

        let expected = [
            "predictions: in the partition that their event is in",
            "predictions: made by a revision older than the event's batch",
        ];
        assert_eq!(failed(predictions, true), expected);

        let mut predictions = Predictions::default();
        predictions.record(&record(&value));
        predictions.event(&event(5), "not a", Some(10));
        assert_eq!(failed(predictions, true), ["predictions: their source is the event with their id"]);
    }
}
