//! All that touches librdkafka's C interface: reading batches, producing to a topic's handle, what a fetch told.
//!
//! Everything here copies bytes into or out of plain Rust data before it returns, so no pointer of librdkafka's leaves
//! this file.

use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;

use super::output::OutputRecord;
use super::records::RecordsBuilder;

/// librdkafka's RD_KAFKA_PARTITION_UA, a macro that the bindings lack: the partitioner chooses.
const PARTITION_BY_KEY: i32 = -1;

/// A queue of a consumer, read in batches: half the CPU of a poll per message.
pub(super) struct ConsumerQueue {
    queue: *mut c::rd_kafka_queue_t,
    messages: Vec<*mut c::rd_kafka_message_t>,
    /// Last: the queue must be let go before its client.
    _consumer: Arc<BaseConsumer>,
}

// SAFETY: librdkafka's queue and message functions may be called from any thread, and `ConsumerQueue` is not shared
// between threads (`read` takes `&mut self`); the raw pointers are owned by this value alone.
unsafe impl Send for ConsumerQueue {}

impl ConsumerQueue {
    /// The queue that all assigned partitions are forwarded to.
    pub(super) fn all(consumer: Arc<BaseConsumer>) -> Self {
        // SAFETY: the client pointer is live as long as `consumer`, which this value keeps.
        let queue = unsafe { c::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self::own(queue, consumer)
    }

    /// The queue of one partition alone, taken out of the common one.
    pub(super) fn partition(
        consumer: Arc<BaseConsumer>,
        topic: &str,
        partition: i32,
    ) -> Result<Self, KafkaError> {
        let name = CString::new(topic)?;
        // SAFETY: as above; `name` outlives the call, which copies it. Forwarding to null only unlinks the queue.
        let queue = unsafe {
            let queue =
                c::rd_kafka_queue_get_partition(consumer.client().native_ptr(), name.as_ptr(), partition);
            if !queue.is_null() {
                c::rd_kafka_queue_forward(queue, std::ptr::null_mut());
            }
            queue
        };
        Ok(Self::own(queue, consumer))
    }

    fn own(queue: *mut c::rd_kafka_queue_t, consumer: Arc<BaseConsumer>) -> Self {
        assert!(!queue.is_null(), "a consumer with a group has a queue");
        Self { queue, messages: Vec::new(), _consumer: consumer }
    }

    /// Copies up to `rows_max` records into `sink` and returns how many; waits at most `timeout` for them to fill up.
    /// `topics` are the names that the sink's indexes stand for. The first error met is returned after the records
    /// before it were copied.
    pub(super) fn read(
        &mut self,
        timeout: Duration,
        rows_max: usize,
        topics: &[Arc<str>],
        sink: &mut RecordsBuilder,
    ) -> (usize, Option<(RDKafkaErrorCode, String)>) {
        self.messages.clear();
        self.messages.reserve(rows_max);
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the buffer has room for `rows_max` pointers; librdkafka writes at most that many and returns how
        // many, or -1.
        let count = unsafe {
            let count =
                c::rd_kafka_consume_batch_queue(self.queue, timeout_ms, self.messages.as_mut_ptr(), rows_max);
            self.messages.set_len(usize::try_from(count).unwrap_or(0));
            self.messages.len()
        };
        let mut copied = 0;
        let mut error = None;
        let mut last_topic = (std::ptr::null_mut(), 0);
        for index in 0..count {
            let message = self.messages[index];
            // SAFETY: each pointer is a live message that we own until `rd_kafka_message_destroy`, called exactly
            // once, here; all slices made from it are copied before.
            unsafe {
                let view = &*message;
                if view.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    if view.rkt != last_topic.0 {
                        last_topic = (view.rkt, topic_index(view.rkt, topics));
                    }
                    copy(message, last_topic.1, sink);
                    copied += 1;
                } else if error.is_none() {
                    let text = bytes(view.payload, view.len).map(|b| String::from_utf8_lossy(b).into_owned());
                    error = Some((view.err.into(), text.unwrap_or_default()));
                }
                c::rd_kafka_message_destroy(message);
            }
        }
        self.messages.clear();
        (copied, error)
    }
}

impl Drop for ConsumerQueue {
    fn drop(&mut self) {
        // SAFETY: the queue reference is ours and not used again; the client is still alive.
        unsafe { c::rd_kafka_queue_destroy(self.queue) }
    }
}

/// First offset of a partition and the one after its last, as the last fetch told; asks nobody. None before a fetch.
pub(super) fn known_watermarks(consumer: &BaseConsumer, topic: &str, partition: i32) -> Option<(i64, i64)> {
    let name = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is live; the name outlives the call; both out-parameters are valid.
    let code = unsafe {
        let client = consumer.client().native_ptr();
        c::rd_kafka_get_watermark_offsets(client, name.as_ptr(), partition, &mut low, &mut high)
    };
    (code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some((low, high))
}

/// SAFETY: `topic` is a live topic handle.
unsafe fn topic_index(topic: *mut c::rd_kafka_topic_t, topics: &[Arc<str>]) -> usize {
    // SAFETY: the name is a NUL-terminated string that lives as long as the handle.
    let name = unsafe { CStr::from_ptr(c::rd_kafka_topic_name(topic)) };
    topics
        .iter()
        .position(|topic| topic.as_bytes() == name.to_bytes())
        .expect("only the assigned topics are delivered")
}

/// SAFETY: `message` is a live message without an error.
unsafe fn copy(message: *mut c::rd_kafka_message_t, topic: usize, sink: &mut RecordsBuilder) {
    // SAFETY: the message is live; the out-parameters are valid; header memory belongs to the message.
    unsafe {
        let view = &*message;
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let timestamp_ms = c::rd_kafka_message_timestamp(message, &mut kind);
        let log_append = kind == c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
        let mut headers = std::ptr::null_mut();
        let found = c::rd_kafka_message_headers(message, &mut headers);
        let headers =
            if found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { headers } else { std::ptr::null_mut() };
        sink.push(
            topic,
            view.partition,
            view.offset,
            timestamp_ms,
            log_append,
            bytes(view.key, view.key_len),
            bytes(view.payload, view.len),
            Headers { headers, next: 0 },
        );
    }
}

/// SAFETY: `start` is null or points to `len` readable bytes that outlive `'a`.
unsafe fn bytes<'a>(start: *mut c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) })
}

/// The headers of one message; lives only inside `copy`, while the message does.
struct Headers {
    headers: *mut c::rd_kafka_headers_t,
    next: usize,
}

impl Iterator for Headers {
    type Item = (&'static [u8], Option<&'static [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut len) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: the list is live while its message is, and `copy` consumes this iterator before it returns; the
        // `'static` never leaves it. An index past the end gives an error, not a read.
        unsafe {
            let code = c::rd_kafka_header_get_all(self.headers, self.next, &mut name, &mut value, &mut len);
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            self.next += 1;
            Some((CStr::from_ptr(name).to_bytes(), bytes(value.cast_mut(), len)))
        }
    }
}

/// A topic's handle for producing: saves the look-up by name for each record.
pub(super) struct TopicHandle {
    topic: *mut c::rd_kafka_topic_t,
}

// SAFETY: librdkafka's topic handles are reference counted and may be used from any thread.
unsafe impl Send for TopicHandle {}

impl TopicHandle {
    /// The handle must not outlive `producer`.
    pub(super) fn new<C: ProducerContext>(
        producer: &BaseProducer<C>,
        topic: &str,
    ) -> Result<Self, KafkaError> {
        let name = CString::new(topic)?;
        // SAFETY: the client is live; a null configuration means the client's defaults; the name is copied.
        let topic = unsafe {
            c::rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), std::ptr::null_mut())
        };
        if topic.is_null() {
            return Err(KafkaError::MessageProduction(RDKafkaErrorCode::UnknownTopic));
        }
        Ok(Self { topic })
    }

    /// Queues records of this topic, copying their bytes, in one call; delivery reports carry `tag`. Returns how many
    /// were queued and the first reason for which one was not: with a full queue, none after the first refused one is
    /// queued.
    pub(super) fn produce<'r>(
        &self,
        records: impl Iterator<Item = OutputRecord<'r>>,
        batch: &mut ProduceBatch,
        tag: usize,
    ) -> (usize, Option<RDKafkaErrorCode>) {
        batch.messages.clear();
        batch.messages.extend(records.map(|record| {
            let (value, len) = record.value.map_or((std::ptr::null(), 0), |v| (v.as_ptr(), v.len()));
            let (key, key_len) = record.key.map_or((std::ptr::null(), 0), |k| (k.as_ptr(), k.len()));
            c::rd_kafka_message_t {
                err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
                rkt: self.topic,
                partition: record.partition.unwrap_or(PARTITION_BY_KEY),
                payload: value.cast_mut().cast(),
                len,
                key: key.cast_mut().cast(),
                key_len,
                offset: 0,
                _private: std::ptr::without_provenance_mut(tag),
            }
        }));
        let count = batch.messages.len();
        let flags = c::RD_KAFKA_MSG_F_COPY | c::RD_KAFKA_MSG_F_PARTITION;
        // SAFETY: the handle is live; the array holds `count` messages whose keys and values outlive the call, because
        // the records borrow them for `'r`; F_COPY makes librdkafka copy both before it returns. The tag is not a
        // pointer and is given back as it is.
        let queued = unsafe {
            c::rd_kafka_produce_batch(self.topic, 0, flags, batch.messages.as_mut_ptr(), count as i32)
        };
        let refused = batch
            .messages
            .iter()
            .find(|message| message.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
            .map(|message| message.err.into());
        batch.messages.clear();
        (usize::try_from(queued).unwrap_or(0), refused)
    }
}

/// Room for the messages of one call, used again.
#[derive(Default)]
pub(super) struct ProduceBatch {
    messages: Vec<c::rd_kafka_message_t>,
}

// SAFETY: the messages live only during `produce`, which leaves the vector empty: no pointer is ever moved along.
unsafe impl Send for ProduceBatch {}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: our reference, given back once.
        unsafe { c::rd_kafka_topic_destroy(self.topic) }
    }
}
