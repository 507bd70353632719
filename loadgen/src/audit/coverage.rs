use std::collections::BTreeMap;

use super::batch_hash::BatchHash;
use super::journal::{Journal, Part};
use super::{Check, Record};

/// Lays the records of the source topics against the batches of the journal: every offset that a topic has is in exactly
/// one batch, with the count and the hash that the batch names.
pub(super) struct Coverage {
    /// By topic, then partition.
    partitions: BTreeMap<String, BTreeMap<i32, Partition>>,
    findings: Findings,
}

/// What was found in all partitions.
struct Findings {
    /// Records after the last batch are a fault, too.
    complete: bool,
    covered: Check,
    counted: Check,
    hashed: Check,
    tail_records: u64,
    expired_batches: u64,
}

/// A partition's batches, and how far the records have gone through them.
#[derive(Default)]
struct Partition {
    parts: Vec<Part>,
    /// Index of the part that the next record may be in.
    at: usize,
    /// First offset that the topic still has; `None` while the partition was not read.
    begin: Option<i64>,
    /// Of the records in the part `at`: their number, first and last offset, and hash.
    count: u64,
    bounds: Option<(i64, i64)>,
    hash: BatchHash,
}

impl Coverage {
    pub fn new(journal: &Journal, complete: bool) -> Self {
        let mut partitions: BTreeMap<String, BTreeMap<i32, Partition>> = BTreeMap::new();
        for ((topic, number), parts) in &journal.parts {
            let partition = Partition { parts: parts.clone(), ..Partition::default() };
            partitions.entry(topic.clone()).or_default().insert(*number, partition);
        }
        let findings = Findings {
            complete,
            covered: Check::new("journal: every offset of the topics is in exactly one batch"),
            counted: Check::new("journal: counts and bounds are those of the topics"),
            hashed: Check::new("journal: hashes are those of the records"),
            tail_records: 0,
            expired_batches: 0,
        };
        Self { partitions, findings }
    }

    /// Says that a partition is going to be read, and from which offset its topic still has records.
    pub fn begin(&mut self, topic: &str, partition: i32, offset: i64) {
        let of_topic = self.partitions.entry(topic.into()).or_default();
        of_topic.entry(partition).or_default().begin = Some(offset);
    }

    /// Takes the next record of its partition, which was begun; gives the number of the batch that it is in.
    pub fn record(&mut self, record: &Record<'_>) -> Option<u64> {
        let of_topic = self.partitions.get_mut(record.topic)?;
        of_topic.get_mut(&record.partition)?.record(record, &mut self.findings)
    }

    /// Closes what is open; the checks are final.
    pub fn finish(&mut self) -> Vec<Check> {
        for (topic, of_topic) in &mut self.partitions {
            for (number, partition) in of_topic.iter_mut() {
                while partition.begin.is_some() && partition.at < partition.parts.len() {
                    partition.close(topic, *number, &mut self.findings);
                }
            }
        }
        let Findings { covered, counted, hashed, .. } = &self.findings;
        vec![covered.clone(), counted.clone(), hashed.clone()]
    }

    /// Records that lie after the last batch of their partition.
    pub fn tail_records(&self) -> u64 {
        self.findings.tail_records
    }

    /// Batches whose records the topic has no longer, in part or in whole.
    pub fn expired_batches(&self) -> u64 {
        self.findings.expired_batches
    }
}

impl Partition {
    fn record(&mut self, record: &Record<'_>, findings: &mut Findings) -> Option<u64> {
        while self.parts.get(self.at).is_some_and(|part| part.last < record.offset) {
            self.close(record.topic, record.partition, findings);
        }
        let Some(part) = self.parts.get(self.at) else {
            findings.tail_records += 1;
            if findings.complete {
                findings.covered.expect(false, || format!("{record} comes after the last batch"));
            }
            return None;
        };
        let entry = part.entry;
        let inside = part.first <= record.offset;
        let fault = || format!("{record} is in no batch before entry {entry}");
        if !findings.covered.expect(inside, fault) {
            return None;
        }
        self.count += 1;
        let first = self.bounds.map_or(record.offset, |(first, _)| first);
        self.bounds = Some((first, record.offset));
        self.hash.add(record);
        Some(entry)
    }

    /// Compares the part that this is at with what the topic had of it, and goes to the next one.
    fn close(&mut self, topic: &str, number: i32, findings: &mut Findings) {
        let part = &self.parts[self.at];
        let (count, bounds) = (std::mem::take(&mut self.count), self.bounds.take());
        let hash = self.hash.take();
        self.at += 1;
        if self.begin.is_some_and(|begin| part.first < begin) {
            findings.expired_batches += 1;
            return;
        }
        let &Part { entry, first, last, .. } = part;
        let same = count == part.count && bounds == Some((first, last));
        let counted = findings.counted.expect(same, || {
            let found = bounds.map_or_else(String::new, |(first, last)| format!(", {first} to {last}"));
            let named = part.count;
            format!(
                "entry {entry}: {named} records of {topic}-{number}, {first} to {last}; the topic has {count}{found}"
            )
        });
        if counted {
            findings.hashed.expect(hash == part.hash, || {
                format!("entry {entry}: {topic}-{number} hashes to {hash}, the batch says {}", part.hash)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::batch;
    use super::*;

    fn record(offset: i64) -> Record<'static> {
        Record { topic: "e", offset, value: Some(b"v"), ..Record::default() }
    }

    fn hash(offsets: &[i64]) -> String {
        let mut hash = BatchHash::default();
        offsets.iter().for_each(|&offset| hash.add(&record(offset)));
        hash.take()
    }

    /// Names of the failed checks, and the tail.
    fn audit(lines: &[String], begin: i64, offsets: &[i64], complete: bool) -> (Vec<&'static str>, u64) {
        let journal = Journal::read(lines.join("\n").as_bytes()).unwrap();
        let mut coverage = Coverage::new(&journal, complete);
        coverage.begin("e", 0, begin);
        for &offset in offsets {
            coverage.record(&record(offset));
        }
        let checks = coverage.finish();
        let failed = checks.iter().filter(|check| !check.passed()).map(|check| check.name);
        (failed.collect(), coverage.tail_records())
    }

    const COVERED: &str = "journal: every offset of the topics is in exactly one batch";
    const COUNTED: &str = "journal: counts and bounds are those of the topics";
    const HASHED: &str = "journal: hashes are those of the records";

    #[test]
    fn gaps_that_the_topic_itself_has_are_no_fault() {
        // Offsets 3 and 4 are transaction markers.
        let lines = [batch(1, "e", 0, 2, 3, &hash(&[0, 1, 2])), batch(2, "e", 5, 6, 2, &hash(&[5, 6]))];

        assert_eq!(audit(&lines, 0, &[0, 1, 2, 5, 6], true), (vec![], 0));
    }

    #[test]
    fn a_record_between_before_or_after_batches_is_a_fault() {
        let lines = [batch(1, "e", 1, 2, 2, &hash(&[1, 2])), batch(2, "e", 4, 4, 1, &hash(&[4]))];

        assert_eq!(audit(&lines, 0, &[1, 2, 3, 4], true).0, [COVERED]);
        assert_eq!(audit(&lines, 0, &[0, 1, 2, 4], true).0, [COVERED]);
        assert_eq!(audit(&lines, 0, &[1, 2, 4, 5], true), (vec![COVERED], 1));
        assert_eq!(audit(&lines, 0, &[1, 2, 4, 5], false), (vec![], 1));
    }

    #[test]
    fn counts_bounds_and_hashes_are_those_of_the_topic() {
        let right = hash(&[0, 1, 2]);

        assert_eq!(audit(&[batch(1, "e", 0, 2, 2, &right)], 0, &[0, 1, 2], true).0, [COUNTED]);
        assert_eq!(audit(&[batch(1, "e", 0, 3, 3, &right)], 0, &[0, 1, 2], true).0, [COUNTED]);
        assert_eq!(audit(&[batch(1, "e", 0, 2, 3, "0")], 0, &[0, 1, 2], true).0, [HASHED]);
        assert_eq!(audit(&[batch(1, "e", 0, 2, 3, &right)], 0, &[], true).0, [COUNTED]);
    }

    #[test]
    fn batches_that_retention_took_are_not_held_against_the_journal() {
        let lines = [batch(1, "e", 0, 2, 3, "gone"), batch(2, "e", 3, 4, 2, &hash(&[3, 4]))];

        assert_eq!(audit(&lines, 2, &[2, 3, 4], true), (vec![], 0));
    }

    #[test]
    fn each_record_is_given_its_entry() {
        let lines = [batch(7, "e", 0, 1, 2, ""), batch(8, "e", 3, 3, 1, "")];
        let mut coverage = Coverage::new(&Journal::read(lines.join("\n").as_bytes()).unwrap(), true);
        coverage.begin("e", 0, 0);

        let entries: Vec<_> = (0..5).map(|offset| coverage.record(&record(offset))).collect();
        assert_eq!(entries, [Some(7), Some(7), None, Some(8), None]);
    }
}
