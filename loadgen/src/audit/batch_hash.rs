use xxhash_rust::xxh3::Xxh3;

use super::Record;

/// The hash that a `batch` entry gives for the records of a partition: XXH3-128 over, for each record, offset and
/// timestamp (i64), key, value, headers; integers are little-endian, a text is its length (i32, -1 for null) and its
/// bytes, headers are their count (i32), then name and value of each. `docs/journal.md` says so too; this is written
/// from that page, not from the service's code.
#[derive(Default)]
pub(super) struct BatchHash {
    hasher: Xxh3,
    scratch: Vec<u8>,
}

impl BatchHash {
    pub fn add(&mut self, record: &Record<'_>) {
        self.scratch.clear();
        self.scratch.extend(record.offset.to_le_bytes());
        self.scratch.extend(record.timestamp_ms.to_le_bytes());
        self.text(record.key);
        self.text(record.value);
        self.scratch.extend((record.headers.len() as i32).to_le_bytes());
        for (name, value) in &record.headers {
            self.text(Some(name.as_bytes()));
            self.text(*value);
        }
        self.hasher.update(&self.scratch);
    }

    /// 32 hex digits; the hash is empty again afterwards.
    pub fn take(&mut self) -> String {
        let hash = format!("{:032x}", self.hasher.digest128());
        self.hasher.reset();
        hash
    }

    fn text(&mut self, bytes: Option<&[u8]>) {
        let length = bytes.map_or(-1, |bytes| bytes.len() as i32);
        self.scratch.extend(length.to_le_bytes());
        self.scratch.extend_from_slice(bytes.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_exactly_the_documented_bytes() {
        let mut hash = BatchHash::default();
        let first = Record { offset: 4, timestamp_ms: 9, value: Some(b"v"), ..Record::default() };
        let second = Record {
            offset: -2,
            timestamp_ms: -1,
            key: Some(b"k"),
            headers: vec![("h", None), ("i", Some(b""))],
            ..Record::default()
        };
        hash.add(&first);
        hash.add(&second);

        let mut bytes = Vec::new();
        bytes.extend(b"\x04\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0");
        bytes.extend(b"\xff\xff\xff\xff\x01\0\0\0v\0\0\0\0");
        bytes.extend(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
        bytes.extend(b"\x01\0\0\0k\xff\xff\xff\xff\x02\0\0\0");
        bytes.extend(b"\x01\0\0\0h\xff\xff\xff\xff\x01\0\0\0i\0\0\0\0");
        assert_eq!(hash.take(), format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
        assert_eq!(hash.take(), format!("{:032x}", xxhash_rust::xxh3::xxh3_128(b"")));
    }
}
