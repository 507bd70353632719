use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// A record of any topic, as the checks look at it.
#[derive(Debug, Clone, Default)]
pub struct Record<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; -1 where the record has none.
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    /// `None`: a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl Record<'_> {
    /// Digest of key, value and headers: two records of one digest are byte for byte the same.
    pub(super) fn content(&self) -> u128 {
        let mut digest = Digest::default();
        digest.bytes(self.key).bytes(self.value);
        for (name, value) in &self.headers {
            digest.bytes(Some(name.as_bytes())).bytes(*value);
        }
        digest.finish()
    }

    /// Digest of where the record lies.
    pub(super) fn place(&self) -> u128 {
        place(self.topic, self.partition, self.offset)
    }
}

/// Topic, partition and offset, as messages name them.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} offset {}", self.topic, self.partition, self.offset)
    }
}

/// Digest of (topic, partition, offset).
pub(super) fn place(topic: &str, partition: i32, offset: i64) -> u128 {
    let mut digest = Digest::default();
    digest.bytes(Some(topic.as_bytes()));
    digest.bytes(Some(&partition.to_le_bytes())).bytes(Some(&offset.to_le_bytes()));
    digest.finish()
}

/// Digest of one byte string.
pub(super) fn digest(bytes: &[u8]) -> u128 {
    Digest::default().bytes(Some(bytes)).finish()
}

/// Digest of texts in their order.
pub(super) fn texts(texts: &[&str]) -> u128 {
    let mut digest = Digest::default();
    for text in texts {
        digest.bytes(Some(text.as_bytes()));
    }
    digest.finish()
}

/// XXH3-128 over byte strings, each with its length before it: what the auditor keeps in place of ids and contents, so
/// that tens of millions fit. Two different ones meet by chance once in 2^128 / n^2 audits.
#[derive(Default)]
struct Digest(Xxh3);

impl Digest {
    fn bytes(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        let length = bytes.map_or(-1, |bytes| bytes.len() as i64);
        self.0.update(&length.to_le_bytes());
        self.0.update(bytes.unwrap_or_default());
        self
    }

    fn finish(&self) -> u128 {
        self.0.digest128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_null_from_empty_and_one_split_from_another() {
        let record = |key, value| Record { key, value, ..Record::default() }.content();

        assert_ne!(record(None, Some(&b""[..])), record(Some(&b""[..]), None));
        assert_ne!(record(Some(&b"ab"[..]), Some(&b"c"[..])), record(Some(&b"a"[..]), Some(&b"bc"[..])));
        assert_ne!(place("t1", 1, 1), place("t", 11, 1));
    }
}
