use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::record::{place, texts};
use super::{Check, Record};

/// The examples topic: each id learned once, with the label that was sent for it.
pub(super) struct Examples {
    pub records: u64,
    /// By source.
    seen: HashMap<u128, Seen>,
    /// By id: where its example came from.
    ids: HashMap<u128, u128>,
    described: Check,
    once: Check,
    labelled: Check,
    origin: Check,
}

struct Seen {
    content: u128,
    id: u128,
    entry: u64,
    source_found: bool,
}

#[derive(Deserialize)]
struct Value {
    id: String,
    label: serde_json::Value,
    #[serde(rename = "revision")]
    _revision: u64,
    entry: u64,
    source: Source,
}

#[derive(Deserialize)]
struct Source {
    topic: String,
    partition: i32,
    offset: i64,
}

impl Default for Examples {
    fn default() -> Self {
        Self {
            records: 0,
            seen: HashMap::new(),
            ids: HashMap::new(),
            described: Check::new("examples: id, label, revision, entry and source"),
            once: Check::new("examples: each id is learned once; repeats are byte for byte the first"),
            labelled: Check::new("examples: their label is one that was sent for their id"),
            origin: Check::new("examples: learned in or after the batch of the event with their id"),
        }
    }
}

impl Examples {
    /// Takes an example; `labels` are the labels that were sent, where they have a topic.
    pub fn record(&mut self, record: &Record<'_>, labels: Option<&LabelSet>) {
        self.records += 1;
        let value = serde_json::from_slice::<Value>(record.value.unwrap_or_default());
        let error = value.as_ref().err();
        let fault = || format!("{record}: {}", error.map_or_else(String::new, ToString::to_string));
        self.described.expect(error.is_none(), fault);
        let Ok(Value { id, label, entry, source, .. }) = value else { return };
        let source = place(&source.topic, source.partition, source.offset);
        let known = texts(&[&id]);
        if let Some(labels) = labels {
            let sent = labels.holds(&id, &label);
            self.labelled.expect(sent, || format!("{record}: id {id} has label {label}"));
        }
        let content = record.content();
        if self.ids.get(&known).is_some_and(|first| *first != source) {
            self.once.expect(false, || format!("{record}: id {id} was learned from another source, too"));
            return;
        }
        let fresh = Seen { content, id: known, entry, source_found: false };
        let first = self.seen.entry(source).or_insert(fresh);
        let same = first.content == content;
        self.once.expect(same, || {
            format!("{record}: id {id} learned by entry {entry} and by entry {}", first.entry)
        });
        self.ids.insert(known, source);
    }

    /// Lays an event against the examples; says whether it was learned.
    pub fn event(&mut self, event: &Record<'_>, id: &str, entry: Option<u64>) -> bool {
        let Some(seen) = self.seen.get_mut(&event.place()) else { return false };
        let learned_by = seen.entry;
        let right = seen.id == texts(&[id]) && entry.is_none_or(|entry| entry <= learned_by);
        seen.source_found = true;
        self.origin.expect(right, || format!("{event}: id {id}, learned by entry {learned_by}"));
        true
    }

    /// Ids that were learned.
    pub fn distinct(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The checks, final. With the events read whole (`events_whole`), each example must have met its source.
    pub fn finish(mut self, events_whole: bool) -> Vec<Check> {
        let lost = self.seen.values().filter(|seen| events_whole && !seen.source_found);
        for Seen { entry, .. } in lost {
            self.origin
                .expect(false, || format!("an example of entry {entry} names a source that is not there"));
        }
        vec![self.described, self.once, self.labelled, self.origin]
    }
}

/// The (id, label) pairs of a labels topic.
#[derive(Default)]
pub(super) struct LabelSet {
    pairs: HashSet<u128>,
}

#[derive(Deserialize)]
struct Label {
    id: String,
    label: serde_json::Value,
}

impl LabelSet {
    /// Takes a record of the labels topic; what is no label is left to the dead letters.
    pub fn record(&mut self, record: &Record<'_>) {
        if let Ok(Label { id, label }) = serde_json::from_slice(record.value.unwrap_or_default()) {
            self.pairs.insert(texts(&[&id, &text(&label)]));
        }
    }

    fn holds(&self, id: &str, label: &serde_json::Value) -> bool {
        self.pairs.contains(&texts(&[id, &text(label)]))
    }
}

/// A label as text, so that the class `"1"` and the number `1` are the same; numbers by their value.
fn text(label: &serde_json::Value) -> String {
    let text = label.as_str().map_or_else(|| label.to_string(), str::to_owned);
    text.parse::<f64>().map_or(text, |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(id: &str, entry: u64, offset: i64) -> String {
        format!(
            r#"{{"id":"{id}","label":"1","revision":3,"entry":{entry},"source":{{"topic":"e","partition":0,"offset":{offset}}}}}"#
        )
    }

    fn failed(examples: Examples, events_whole: bool) -> Vec<&'static str> {
        let checks = examples.finish(events_whole);
        checks.iter().filter(|check| !check.passed()).map(|check| check.name).collect()
    }

    fn read(values: &[String], labels: Option<&LabelSet>) -> Examples {
        let mut examples = Examples::default();
        for value in values {
            let value = Some(value.as_bytes());
            examples.record(&Record { topic: "x", value, ..Record::default() }, labels);
        }
        examples
    }

    const ONCE: &str = "examples: each id is learned once; repeats are byte for byte the first";

    #[test]
    fn equal_repeats_pass_and_count_once() {
        let examples = read(&[value("a", 4, 0), value("b", 4, 1), value("a", 4, 0)], None);

        assert_eq!((examples.records, examples.distinct()), (3, 2));
        assert_eq!(failed(examples, false), [""; 0]);
    }

    #[test]
    fn an_id_learned_by_two_entries_or_from_two_events_is_a_fault() {
        assert_eq!(failed(read(&[value("a", 4, 0), value("a", 5, 0)], None), false), [ONCE]);
        assert_eq!(failed(read(&[value("a", 4, 0), value("a", 4, 1)], None), false), [ONCE]);
    }

    #[test]
    fn the_label_is_one_that_was_sent() {
        let sent = |json: &str| {
            let mut labels = LabelSet::default();
            labels.record(&Record { value: Some(json.as_bytes()), ..Record::default() });
            failed(read(&[value("a", 4, 0)], Some(&labels)), false)
        };

        assert_eq!(sent(r#"{"id":"a","label":"1"}"#), [""; 0]);
        assert_eq!(sent(r#"{"id":"a","label":1.0}"#), [""; 0]);
        assert_eq!(sent(r#"{"id":"a","label":"0"}"#).len(), 1);
        assert_eq!(sent(r#"{"id":"b","label":"1"}"#).len(), 1);
    }

    #[test]
    fn examples_come_from_an_event_that_came_before_them() {
        let event = Record { topic: "e", ..Record::default() };
        let laid = |id: &str, entry: u64| {
            let mut examples = read(&[value("a", 4, 0)], None);
            assert!(examples.event(&event, id, Some(entry)));
            failed(examples, true).len()
        };

        assert_eq!((laid("a", 4), laid("a", 5), laid("b", 4)), (0, 1, 1));
        assert_eq!(failed(read(&[value("a", 4, 0)], None), true).len(), 1);
    }
}
