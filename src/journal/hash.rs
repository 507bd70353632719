use xxhash_rust::xxh3::Xxh3;

use super::entry::Part;
use crate::stream::{RecordView, Records};

/// XXH3-128 over records of one partition: for each, offset and timestamp (i64), key, value, headers, all integers
/// little-endian; a text is its length (i32, -1 for null) and its bytes; headers are their count (i32), then name and
/// value of each.
pub fn hash_records<'a>(records: impl Iterator<Item = RecordView<'a>>) -> String {
    let mut hasher = Xxh3::new();
    let mut scratch = Vec::with_capacity(512);
    for record in records {
        scratch.clear();
        scratch.extend_from_slice(&record.offset().to_le_bytes());
        scratch.extend_from_slice(&record.timestamp_ms().to_le_bytes());
        text(&mut scratch, record.key());
        text(&mut scratch, record.value());
        let headers = record.headers();
        scratch.extend_from_slice(&(headers.len() as i32).to_le_bytes());
        for (name, value) in headers {
            text(&mut scratch, Some(name));
            text(&mut scratch, value);
        }
        hasher.update(&scratch);
    }
    format!("{:032x}", hasher.digest128())
}

fn text(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => out.extend_from_slice(&(-1_i32).to_le_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&(bytes.len() as i32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// What the `batch` entry of `records` says of each partition.
pub fn describe(records: &Records) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < records.len() {
        let first = records.get(start);
        let place = (first.topic_index(), first.partition());
        let same = |row: &usize| {
            let record = records.get(*row);
            (record.topic_index(), record.partition()) == place
        };
        let end = (start..records.len()).take_while(same).last().map_or(start, |row| row + 1);
        parts.push(Part {
            topic: first.topic().to_owned(),
            partition: first.partition(),
            first: first.offset(),
            last: records.get(end - 1).offset(),
            count: (end - start) as u64,
            hash: hash_records((start..end).map(|row| records.get(row))),
        });
        start = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::RecordsBuilder;

    fn records(value: &[u8]) -> Records {
        let mut builder = RecordsBuilder::new(["events".into(), "labels".into()].into());
        builder.push(1, 0, 4, 9, false, None, Some(b"later topic"), std::iter::empty());
        builder.push(0, 1, 7, 9, false, Some(b"k"), Some(value), std::iter::empty());
        builder.push(0, 0, 3, 9, false, None, None, [(&b"h"[..], None)].into_iter());
        builder.push(0, 0, 2, 9, false, None, Some(b""), std::iter::empty());
        builder.take()
    }

    #[test]
    fn rows_are_described_in_the_order_topic_partition_offset() {
        let parts = describe(&records(b"v"));
        let places: Vec<_> =
            parts.iter().map(|p| (p.topic.as_str(), p.partition, p.first, p.last, p.count)).collect();
        assert_eq!(places, [("events", 0, 2, 3, 2), ("events", 1, 7, 7, 1), ("labels", 0, 4, 4, 1)]);
    }

    #[test]
    fn one_changed_byte_changes_the_hash_of_its_partition_only() {
        let (one, other) = (describe(&records(b"v")), describe(&records(b"w")));
        assert_eq!(one[0], other[0]);
        assert_ne!(one[1].hash, other[1].hash);
        assert_eq!(one[2], other[2]);
    }

    #[test]
    fn the_hash_covers_exactly_the_documented_bytes() {
        // One record: offset 4, timestamp 9, null key, value "later topic", no headers.
        let mut bytes = Vec::new();
        bytes.extend(4_i64.to_le_bytes());
        bytes.extend(9_i64.to_le_bytes());
        bytes.extend((-1_i32).to_le_bytes());
        bytes.extend(11_i32.to_le_bytes());
        bytes.extend(b"later topic");
        bytes.extend(0_i32.to_le_bytes());
        let expected = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes));
        assert_eq!(describe(&records(b"v"))[2].hash, expected);
    }
}
