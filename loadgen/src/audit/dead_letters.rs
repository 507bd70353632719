use std::collections::HashMap;

use super::record::{digest, place};
use super::{Check, Record};

/// What does not fit the broker's limit is cut to its first 64 KiB.
const CUT_BYTES: usize = 64 << 10;
const HEADERS: [&str; 6] = ["stage", "reason", "topic", "partition", "offset", "timestamp"];

/// The dead-letter topic: each record once, as it came, with the reason and where it came from.
pub(super) struct DeadLetters {
    pub records: u64,
    /// By the original's place.
    seen: HashMap<u128, Seen>,
    described: Check,
    repeated: Check,
    original: Check,
}

struct Seen {
    content: u128,
    value_len: usize,
    value: u128,
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self {
            records: 0,
            seen: HashMap::new(),
            described: Check::new("dead letters: stage, reason, topic, partition, offset, timestamp"),
            repeated: Check::new("dead letters: a repeated record is byte for byte the first"),
            original: Check::new("dead letters: their bytes are those of the original"),
        }
    }
}

impl DeadLetters {
    pub fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        let header = |name: &str| {
            let matches = |full: &str| full.strip_prefix("tidewheel.dlq.") == Some(name);
            let found = record.headers.iter().find(|(full, _)| matches(full));
            found.and_then(|(_, value)| std::str::from_utf8((*value)?).ok())
        };
        let missing = HEADERS.iter().find(|name| header(name).is_none_or(str::is_empty));
        let origin = (|| {
            let partition = header("partition")?.parse().ok()?;
            Some(place(header("topic")?, partition, header("offset")?.parse().ok()?))
        })();
        let described = missing.is_none() && origin.is_some();
        self.described.expect(described, || {
            missing.map_or_else(
                || format!("{record}: partition and offset are no numbers"),
                |name| format!("{record}: no header tidewheel.dlq.{name}"),
            )
        });
        let Some(origin) = origin else { return };
        let content = record.content();
        let value = record.value.unwrap_or_default();
        let fresh = Seen { content, value_len: value.len(), value: digest(value) };
        let first = self.seen.entry(origin).or_insert(fresh);
        self.repeated.expect(first.content == content, || format!("{record} is not as it was first"));
    }

    /// Lays a source record against the dead letters; says whether it is one.
    pub fn source(&mut self, record: &Record<'_>) -> bool {
        let Some(Seen { value_len, value, .. }) = self.seen.get(&record.place()) else { return false };
        let original = record.value.unwrap_or_default();
        let comparable = *value_len == original.len().min(CUT_BYTES) || *value_len == original.len();
        let same = comparable && digest(&original[..*value_len]) == *value;
        self.original.expect(same, || {
            format!("{record}: {} bytes, its dead letter has {value_len} bytes, or others", original.len())
        });
        true
    }

    /// Records that became dead letters.
    pub fn distinct(&self) -> u64 {
        self.seen.len() as u64
    }

    pub fn finish(self) -> Vec<Check> {
        vec![self.described, self.repeated, self.original]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(value: &[u8]) -> Record<'_> {
        let headers = vec![
            ("tidewheel.dlq.stage", Some(&b"schema"[..])),
            ("tidewheel.dlq.reason", Some(b"not a JSON object")),
            ("tidewheel.dlq.topic", Some(b"e")),
            ("tidewheel.dlq.partition", Some(b"2")),
            ("tidewheel.dlq.offset", Some(b"7")),
            ("tidewheel.dlq.timestamp", Some(b"1")),
        ];
        Record { topic: "d", value: Some(value), headers, ..Record::default() }
    }

    fn source(value: Option<&[u8]>) -> Record<'_> {
        Record { topic: "e", partition: 2, offset: 7, value, ..Record::default() }
    }

    fn faults(letters: DeadLetters) -> u64 {
        letters.finish().iter().map(|check| check.faults).sum()
    }

    #[test]
    fn a_dead_letter_finds_its_original_once() {
        let mut letters = DeadLetters::default();
        letters.record(&letter(b"x"));
        letters.record(&letter(b"x"));

        assert_eq!((letters.records, letters.distinct()), (2, 1));
        assert!(letters.source(&source(Some(b"x"))));
        assert!(!letters.source(&Record { offset: 8, ..source(Some(b"x")) }));
        assert_eq!(faults(letters), 0);
    }

    #[test]
    fn other_bytes_other_repeats_and_missing_headers_are_faults() {
        let mut letters = DeadLetters::default();
        letters.record(&letter(b"x"));
        letters.source(&source(Some(b"y")));
        letters.record(&letter(b"z"));
        let mut bare = letter(b"x");
        bare.headers.remove(1);
        letters.record(&bare);

        // The bare one differs from the first in its headers, too.
        assert_eq!(faults(letters), 4);
    }

    #[test]
    fn an_original_past_the_limit_is_cut_to_its_first_64_kib() {
        let long = vec![b'x'; CUT_BYTES + 1];
        let mut letters = DeadLetters::default();
        letters.record(&letter(&long[..CUT_BYTES]));
        letters.source(&source(Some(&long)));
        assert_eq!(faults(letters), 0);

        let mut letters = DeadLetters::default();
        letters.record(&letter(&long[..9]));
        letters.source(&source(Some(&long)));
        assert_eq!(faults(letters), 1);
    }
}
