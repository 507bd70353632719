use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

/// Records that one entry causes, on any topics, in their order: plain data, one allocation for all bytes.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// Where its memory goes when it is dropped.
    spare: Option<Arc<SpareMemory>>,
    topics: Vec<Arc<str>>,
    metas: Vec<Meta>,
    /// For the few records that have some: the record's place, and its headers.
    headers: Vec<(usize, Headers)>,
    arena: Vec<u8>,
}

/// Memory of outputs that have left, to be used again: fresh memory costs a page fault for every 4 KiB.
#[derive(Debug, Default)]
pub struct SpareMemory {
    all: Mutex<Vec<(Vec<Meta>, Vec<u8>)>>,
}

impl SpareMemory {
    /// Most that is kept: as much as a slow broker holds up.
    const MAX: usize = 32;

    /// Empty outputs whose memory comes back here.
    pub fn outputs(self: &Arc<Self>) -> Outputs {
        let found = self.all.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (metas, arena) = found.unwrap_or_default();
        Outputs { spare: Some(self.clone()), topics: Vec::new(), metas, headers: Vec::new(), arena }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        let Some(spare) = self.spare.take() else { return };
        let (mut metas, mut arena) = (take(&mut self.metas), take(&mut self.arena));
        metas.clear();
        arena.clear();
        let mut all = spare.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < SpareMemory::MAX && arena.capacity() > 0 {
            all.push((metas, arena));
        }
    }
}

/// Name and value of each header.
pub type Headers = Vec<(&'static str, Vec<u8>)>;

/// The partition that is chosen by the key.
const BY_KEY: i32 = -1;
/// A key or a value that is null.
const NULL: u32 = u32::MAX;

/// Key and value follow each other in the arena.
#[derive(Debug, Clone, Copy)]
struct Meta {
    start: usize,
    key_len: u32,
    value_len: u32,
    partition: i32,
    topic: u16,
}

/// One record to be produced.
#[derive(Debug, Clone, Copy)]
pub struct OutputRecord<'a> {
    /// Index in [`Outputs::topics`].
    pub topic: usize,
    /// None: by the key's hash.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    /// None: a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'static str, Vec<u8>)],
}

impl Outputs {
    pub fn len(&self) -> usize {
        self.metas.len()
    }

    pub fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// The topics that its records are for.
    pub fn topics(&self) -> &[Arc<str>] {
        &self.topics
    }

    /// Makes room for `records` of `bytes` each, together.
    pub fn reserve(&mut self, records: usize, bytes: usize) {
        self.metas.reserve(records);
        self.arena.reserve(records * bytes);
    }

    /// Adds a record; `write` appends the value to the buffer that it gets.
    pub fn push_with(
        &mut self,
        topic: &Arc<str>,
        partition: Option<i32>,
        key: Option<&[u8]>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        debug_assert!(partition.is_none_or(|partition| partition >= 0), "partition {partition:?}");
        let topic = self.topic_index(topic);
        let start = self.arena.len();
        self.arena.extend_from_slice(key.unwrap_or_default());
        let value_start = self.arena.len();
        write(&mut self.arena);
        self.metas.push(Meta {
            start,
            key_len: key.map_or(NULL, |key| key.len() as u32),
            value_len: (self.arena.len() - value_start) as u32,
            partition: partition.unwrap_or(BY_KEY),
            topic,
        });
    }

    /// Adds a record with headers, or a tombstone.
    pub fn push(
        &mut self,
        topic: &Arc<str>,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers,
    ) {
        let place = self.metas.len();
        self.push_with(topic, partition, key, |arena| arena.extend_from_slice(value.unwrap_or_default()));
        if value.is_none() {
            self.metas[place].value_len = NULL;
        }
        if !headers.is_empty() {
            self.headers.push((place, headers));
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = OutputRecord<'_>> {
        (0..self.metas.len()).map(|place| self.get(place))
    }

    /// Record `place`; panics when there is none.
    pub fn get(&self, place: usize) -> OutputRecord<'_> {
        let meta = self.metas[place];
        let key_end = meta.start + if meta.key_len == NULL { 0 } else { meta.key_len as usize };
        let headers = self.headers.binary_search_by_key(&place, |(place, _)| *place);
        OutputRecord {
            topic: usize::from(meta.topic),
            partition: (meta.partition != BY_KEY).then_some(meta.partition),
            key: (meta.key_len != NULL).then(|| &self.arena[meta.start..key_end]),
            value: (meta.value_len != NULL).then(|| &self.arena[key_end..key_end + meta.value_len as usize]),
            headers: headers.map_or(&[], |found| &self.headers[found].1),
        }
    }

    fn topic_index(&mut self, topic: &Arc<str>) -> u16 {
        let known = self.topics.iter().rposition(|known| Arc::ptr_eq(known, topic));
        let index = known.unwrap_or_else(|| {
            self.topics.push(topic.clone());
            self.topics.len() - 1
        });
        u16::try_from(index).expect("a pipeline writes a handful of topics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_added() {
        let (predictions, alerts): (Arc<str>, Arc<str>) = ("predictions".into(), "alerts".into());
        let mut outputs = Outputs::default();
        outputs.push_with(&predictions, Some(3), Some(b"key"), |value| value.extend_from_slice(b"one"));
        outputs.push(&alerts, None, Some(b"gone"), None, Vec::new());
        outputs.push(&predictions, None, None, Some(b""), vec![("reason", b"why".to_vec())]);

        let all: Vec<OutputRecord<'_>> = outputs.iter().collect();
        assert_eq!(
            (all[0].partition, all[0].key, all[0].value),
            (Some(3), Some(&b"key"[..]), Some(&b"one"[..]))
        );
        assert_eq!((all[1].partition, all[1].key, all[1].value), (None, Some(&b"gone"[..]), None));
        assert_eq!((all[2].partition, all[2].key, all[2].value), (None, None, Some(&b""[..])));
        assert_eq!(all[2].headers, [("reason", b"why".to_vec())]);
        assert!(all[0].headers.is_empty());
        assert_eq!([all[0].topic, all[1].topic, all[2].topic], [0, 1, 0]);
    }
}
