use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;

use serde::Deserialize;

use super::Check;
use super::record::place;

/// What a batch took from one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The batch's number.
    pub entry: u64,
    pub first: i64,
    pub last: i64,
    pub count: u64,
    pub hash: String,
}

/// The journal as `tidewheel journal` prints it: one JSON entry a line.
#[derive(Debug)]
pub(super) struct Journal {
    pub entries: u64,
    pub batches: u64,
    pub epochs: u64,
    /// By topic and partition, in the order of the entries.
    pub parts: BTreeMap<(String, i32), Vec<Part>>,
    /// Places of the rows that are left out.
    pub skipped: HashSet<u128>,
    readable: Check,
    numbered: Check,
    timed: Check,
    epoch_order: Check,
    overlap: Check,
}

#[derive(Deserialize)]
struct Line {
    n: u64,
    time_ms: u64,
    #[serde(flatten)]
    body: Body,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Body {
    Batch {
        parts: Vec<LinePart>,
    },
    Epoch {
        epoch: u64,
    },
    Skip {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct LinePart {
    topic: String,
    partition: i32,
    first: i64,
    last: i64,
    count: u64,
    hash: String,
}

impl Journal {
    /// Reads entries, one a line; empty lines are passed over.
    pub fn read(lines: impl BufRead) -> std::io::Result<Self> {
        let mut journal = Self {
            entries: 0,
            batches: 0,
            epochs: 0,
            parts: BTreeMap::new(),
            skipped: HashSet::new(),
            readable: Check::new("journal: each line is an entry"),
            numbered: Check::new("journal: entries are numbered without gaps"),
            timed: Check::new("journal: time never goes back"),
            epoch_order: Check::new("journal: epochs rise by one"),
            overlap: Check::new("journal: no two batches overlap, none is empty or reversed"),
        };
        let (mut before, mut epoch): (Option<(u64, u64)>, Option<u64>) = (None, None);
        for (index, line) in lines.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let entry = serde_json::from_str::<Line>(&line);
            let fault = |cause: &serde_json::Error| format!("line {}: {cause}", index + 1);
            let error = entry.as_ref().err();
            journal.readable.expect(error.is_none(), || error.map_or_else(String::new, fault));
            let Ok(Line { n, time_ms, body }) = entry else { continue };
            journal.entries += 1;
            if let Some((last_n, last_ms)) = before {
                journal.numbered.expect(n == last_n + 1, || format!("{n} after {last_n}"));
                let fault = || format!("entry {n}: {time_ms} ms after {last_ms} ms");
                journal.timed.expect(time_ms >= last_ms, fault);
            }
            before = Some((n, time_ms));
            match body {
                Body::Batch { parts } => journal.batch(n, parts),
                Body::Epoch { epoch: now } => {
                    journal.epochs += 1;
                    if let Some(last) = epoch.replace(now) {
                        let fault = || format!("entry {n}: epoch {now} after {last}");
                        journal.epoch_order.expect(now == last + 1, fault);
                    }
                }
                Body::Skip { topic, partition, offset } => {
                    journal.skipped.insert(place(&topic, partition, offset));
                }
                Body::Other => {}
            }
        }
        Ok(journal)
    }

    fn batch(&mut self, n: u64, parts: Vec<LinePart>) {
        self.batches += 1;
        for LinePart { topic, partition, first, last, count, hash } in parts {
            let name = format!("{topic}-{partition}");
            let of_partition = self.parts.entry((topic, partition)).or_default();
            let free_from = of_partition.last().map_or(0, |before| before.last + 1);
            let span = i128::from(last) - i128::from(first) + 1;
            let sound = first >= free_from && count > 0 && i128::from(count) <= span;
            let fault = || {
                format!("entry {n}: {count} records of {name} from {first} to {last}, free from {free_from}")
            };
            // What overlaps is left out, so that what follows is measured against what came first.
            if self.overlap.expect(sound, fault) {
                of_partition.push(Part { entry: n, first, last, count, hash });
            }
        }
    }

    pub fn checks(&self) -> Vec<Check> {
        vec![
            self.readable.clone(),
            self.numbered.clone(),
            self.timed.clone(),
            self.epoch_order.clone(),
            self.overlap.clone(),
        ]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn batch(n: u64, topic: &str, first: i64, last: i64, count: u64, hash: &str) -> String {
        format!(
            r#"{{"n":{n},"time_ms":{n},"kind":"batch","parts":[{{"topic":"{topic}","partition":0,"first":{first},"last":{last},"count":{count},"hash":"{hash}"}}]}}"#
        )
    }

    fn failed(lines: &[String]) -> Vec<&'static str> {
        let journal = Journal::read(lines.join("\n").as_bytes()).unwrap();
        journal.checks().iter().filter(|check| !check.passed()).map(|check| check.name).collect()
    }

    #[test]
    fn a_sound_journal_passes_and_every_kind_of_entry_is_read() {
        let lines = [
            r#"{"n":1,"time_ms":5,"kind":"epoch","epoch":1,"build":"x","cpu":"y","threads":1,"config":{}}"#.into(),
            r#"{"n":2,"time_ms":5,"kind":"tick"}"#.into(),
            batch(3, "e", 0, 9, 10, "h").replace(r#""time_ms":3"#, r#""time_ms":5"#),
            r#"{"n":4,"time_ms":6,"kind":"skip","entry":3,"topic":"e","partition":0,"offset":4,"reason":"r"}"#.into(),
            r#"{"n":5,"time_ms":7,"kind":"control","action":"store","by":"b","why":"w"}"#.into(),
            r#"{"n":6,"time_ms":8,"kind":"epoch","epoch":2,"build":"x","cpu":"y","threads":1,"config":{}}"#.into(),
        ];
        let journal = Journal::read(lines.join("\n").as_bytes()).unwrap();

        assert!(journal.checks().iter().all(Check::passed), "{:?}", journal.checks());
        assert_eq!((journal.entries, journal.batches, journal.epochs), (6, 1, 2));
        assert!(journal.skipped.contains(&place("e", 0, 4)));
        assert_eq!(journal.parts[&("e".to_owned(), 0)][0].last, 9);
    }

    #[test]
    fn each_fault_of_the_order_fails_its_own_check() {
        let numbered = [batch(1, "e", 0, 1, 2, ""), batch(3, "e", 2, 3, 2, "")];
        assert_eq!(failed(&numbered), ["journal: entries are numbered without gaps"]);

        let back = batch(2, "e", 2, 3, 2, "").replace(r#""time_ms":2"#, r#""time_ms":0"#);
        assert_eq!(failed(&[batch(1, "e", 0, 1, 2, ""), back]), ["journal: time never goes back"]);

        let overlap = [batch(1, "e", 0, 5, 6, ""), batch(2, "e", 5, 8, 4, "")];
        assert_eq!(failed(&overlap), ["journal: no two batches overlap, none is empty or reversed"]);
        assert_eq!(failed(&[batch(1, "e", 0, 5, 7, "")]).len(), 1);
        assert_eq!(failed(&[batch(1, "e", 5, 4, 0, "")]).len(), 1);

        assert_eq!(failed(&["{\"n\":1".into()]), ["journal: each line is an entry"]);
        let epoch = |n, epoch| format!(r#"{{"n":{n},"time_ms":1,"kind":"epoch","epoch":{epoch}}}"#);
        assert_eq!(failed(&[epoch(1, 1), epoch(2, 1)]), ["journal: epochs rise by one"]);
    }
}
