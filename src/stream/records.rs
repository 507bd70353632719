use std::sync::Arc;

/// Where a slice lies in the arena of its batch.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Debug, Clone, Copy)]
struct Meta {
    /// Index in `Records::topics`.
    topic: u16,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    log_append_time: bool,
    key: Option<Span>,
    value: Option<Span>,
    headers: (u32, u32),
}

/// An owned batch of Kafka records, in the order topic, partition, offset: plain data, one allocation for all bytes.
#[derive(Debug, Clone)]
pub struct Records {
    topics: Arc<[Arc<str>]>,
    metas: Vec<Meta>,
    headers: Vec<(Span, Option<Span>)>,
    arena: Vec<u8>,
}

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    batch: &'a Records,
    meta: &'a Meta,
}

impl Records {
    pub fn len(&self) -> usize {
        self.metas.len()
    }

    pub fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }

    /// Bytes that the batch holds: what its credit is counted in.
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.metas.len() * size_of::<Meta>()
    }

    pub fn get(&self, row: usize) -> RecordView<'_> {
        RecordView { batch: self, meta: &self.metas[row] }
    }

    pub fn iter(&self) -> impl Iterator<Item = RecordView<'_>> {
        self.metas.iter().map(|meta| RecordView { batch: self, meta })
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.arena[span.start as usize..(span.start + span.len) as usize]
    }
}

impl<'a> RecordView<'a> {
    pub fn topic(&self) -> &'a str {
        &self.batch.topics[usize::from(self.meta.topic)]
    }

    /// Index of the topic among the topics that the batch was made with.
    pub fn topic_index(&self) -> usize {
        usize::from(self.meta.topic)
    }

    pub fn partition(&self) -> i32 {
        self.meta.partition
    }

    pub fn offset(&self) -> i64 {
        self.meta.offset
    }

    /// Milliseconds since 1970; -1 where the record has none.
    pub fn timestamp_ms(&self) -> i64 {
        self.meta.timestamp_ms
    }

    /// Whether the timestamp is the broker's (LogAppendTime) and not the producer's.
    pub fn log_append_time(&self) -> bool {
        self.meta.log_append_time
    }

    pub fn key(&self) -> Option<&'a [u8]> {
        self.meta.key.map(|span| self.batch.slice(span))
    }

    pub fn value(&self) -> Option<&'a [u8]> {
        self.meta.value.map(|span| self.batch.slice(span))
    }

    /// Name and value of each header, in their order.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let (start, len) = self.meta.headers;
        let batch = self.batch;
        batch.headers[start as usize..(start + len) as usize]
            .iter()
            .map(move |(name, value)| (batch.slice(*name), value.map(|span| batch.slice(span))))
    }
}

/// Collects records into a [`Records`].
#[derive(Debug)]
pub struct RecordsBuilder {
    records: Records,
}

impl RecordsBuilder {
    /// For records of `topics`, which are in the order of their names.
    pub fn new(topics: Arc<[Arc<str>]>) -> Self {
        debug_assert!(topics.is_sorted());
        let records = Records { topics, metas: Vec::new(), headers: Vec::new(), arena: Vec::new() };
        Self { records }
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.records.bytes()
    }

    /// Offset of the record that was added last.
    pub fn last_offset(&self) -> Option<i64> {
        self.records.metas.last().map(|meta| meta.offset)
    }

    /// Copies one record in.
    #[allow(clippy::too_many_arguments)] // a record has that many parts
    pub fn push<'h>(
        &mut self,
        topic: usize,
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
        log_append_time: bool,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)>,
    ) {
        let key = key.map(|bytes| self.keep(bytes));
        let value = value.map(|bytes| self.keep(bytes));
        let start = self.records.headers.len() as u32;
        for (name, bytes) in headers {
            let name = self.keep(name);
            let bytes = bytes.map(|bytes| self.keep(bytes));
            self.records.headers.push((name, bytes));
        }
        let headers = (start, self.records.headers.len() as u32 - start);
        let topic = u16::try_from(topic).expect("a pipeline reads a handful of topics");
        self.records.metas.push(Meta {
            topic,
            partition,
            offset,
            timestamp_ms,
            log_append_time,
            key,
            value,
            headers,
        });
    }

    /// Copies all records of a batch of the same topics in.
    pub fn append(&mut self, batch: &Records) {
        for record in batch.iter() {
            self.push(
                record.topic_index(),
                record.partition(),
                record.offset(),
                record.timestamp_ms(),
                record.log_append_time(),
                record.key(),
                record.value(),
                record.headers(),
            );
        }
    }

    /// The batch so far, in order; the builder is empty afterwards.
    pub fn take(&mut self) -> Records {
        // The next batch is about as large: then nothing is copied while it grows.
        let empty = Records {
            topics: self.records.topics.clone(),
            metas: Vec::with_capacity(self.records.metas.len()),
            headers: Vec::new(),
            arena: Vec::with_capacity(self.records.arena.len() + self.records.arena.len() / 8),
        };
        let mut records = std::mem::replace(&mut self.records, empty);
        records.metas.sort_by_key(|meta| (meta.topic, meta.partition, meta.offset));
        records
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        // A batch is bounded by rows and by the broker's fetch size, far below 4 GiB.
        let start = u32::try_from(self.records.arena.len()).expect("a batch is under 4 GiB");
        self.records.arena.extend_from_slice(bytes);
        Span { start, len: bytes.len() as u32 }
    }
}
