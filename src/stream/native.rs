//! All that touches librdkafka's C interface: reading batches, producing to a topic's handle, what a fetch told. The only
//! file of the library with `unsafe`; `tests/sanitiser/run` runs its tests under AddressSanitizer, librdkafka's C included.
//!
//! Everything here copies bytes into or out of plain Rust data before it returns, so no pointer of librdkafka's leaves
//! this file.

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;

use super::output::OutputRecord;
use super::records::RecordsBuilder;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::break_client;

/// A queue of a consumer, read in batches: half the CPU of a poll per message.
pub(super) struct ConsumerQueue {
    queue: NonNull<c::rd_kafka_queue_t>,
    /// Room for what one call hands over; empty between calls.
    messages: Vec<Message>,
    /// Last: the queue must be let go before its client.
    _consumer: Arc<BaseConsumer>,
}

// SAFETY: librdkafka's queue and message functions may be called from any thread, and `ConsumerQueue` is not shared
// between threads (`read` takes `&mut self`); what the pointers point to is owned by this value alone.
unsafe impl Send for ConsumerQueue {}

/// An error that a queue handed over in the place of a record.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) code: RDKafkaErrorCode,
    pub(super) message: String,
    /// What it concerns; None: the client as a whole.
    pub(super) place: Option<Place>,
}

/// A partition, and the offset that could not be read; negative where it is none.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl ConsumerQueue {
    /// The queue that all assigned partitions are forwarded to.
    pub(super) fn all(consumer: Arc<BaseConsumer>) -> Self {
        // SAFETY: the client pointer is live as long as `consumer`, which this value keeps.
        let queue = unsafe { c::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self::own(queue, consumer).expect("a consumer with a group has a queue")
    }

    /// The queue of one partition alone, taken out of the common one. The partition need not be assigned yet.
    pub(super) fn partition(
        consumer: Arc<BaseConsumer>,
        topic: &str,
        partition: i32,
    ) -> Result<Self, KafkaError> {
        let name = CString::new(topic)?;
        // SAFETY: as above; `name` outlives the call, which copies it.
        let queue = unsafe {
            c::rd_kafka_queue_get_partition(consumer.client().native_ptr(), name.as_ptr(), partition)
        };
        let unknown = RDKafkaErrorCode::UnknownPartition;
        let queue = Self::own(queue, consumer).ok_or(KafkaError::MetadataFetch(unknown))?;
        // SAFETY: the queue is live; forwarding to null only unlinks it.
        unsafe { c::rd_kafka_queue_forward(queue.queue.as_ptr(), std::ptr::null_mut()) };
        Ok(queue)
    }

    fn own(queue: *mut c::rd_kafka_queue_t, consumer: Arc<BaseConsumer>) -> Option<Self> {
        NonNull::new(queue).map(|queue| Self { queue, messages: Vec::new(), _consumer: consumer })
    }

    /// Copies up to `rows_max` records into `sink` and returns how many; waits at most `timeout` for them to fill up.
    /// `topics` are the names that the sink's indexes stand for. The first error met is returned, with all records
    /// around it copied.
    pub(super) fn read(
        &mut self,
        timeout: Duration,
        rows_max: usize,
        topics: &[Arc<str>],
        sink: &mut RecordsBuilder,
    ) -> (usize, Option<ReadError>) {
        self.messages.reserve(rows_max);
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the vector is empty and has room for `rows_max` pointers, which is what a `Message` is; librdkafka
        // writes at most that many, none of them null, and returns how many, or -1. Each is ours from then on.
        unsafe {
            let room = self.messages.as_mut_ptr().cast();
            let count = c::rd_kafka_consume_batch_queue(self.queue.as_ptr(), timeout_ms, room, rows_max);
            self.messages.set_len(usize::try_from(count).unwrap_or(0));
        }
        let (mut copied, mut error) = (0, None);
        let mut last_topic = (std::ptr::null(), 0);
        // Draining gives the messages back even when the sink panics.
        for message in self.messages.drain(..) {
            if let Some(code) = message.error() {
                error.get_or_insert_with(|| read_error(code, &message));
                continue;
            }
            if message.topic_handle() != last_topic.0 {
                last_topic = (message.topic_handle(), topic_index(&message, topics));
            }
            let (timestamp_ms, log_append) = message.timestamp_ms();
            sink.push(
                last_topic.1,
                message.partition(),
                message.offset(),
                timestamp_ms,
                log_append,
                message.key(),
                message.value(),
                message.headers(),
            );
            copied += 1;
        }
        (copied, error)
    }

    #[cfg(test)]
    fn messages_held(&self) -> usize {
        self.messages.len()
    }
}

impl Drop for ConsumerQueue {
    fn drop(&mut self) {
        // SAFETY: the queue reference is ours and not used again; the client is still alive.
        unsafe { c::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

fn read_error(code: RDKafkaErrorCode, message: &Message) -> ReadError {
    let place = message.topic().map(|topic| Place {
        topic: topic.to_string_lossy().into_owned(),
        partition: message.partition(),
        offset: message.offset(),
    });
    let text = message.value().map(|text| String::from_utf8_lossy(text).into_owned());
    ReadError { code, message: text.unwrap_or_default(), place }
}

fn topic_index(message: &Message, topics: &[Arc<str>]) -> usize {
    let name = message.topic().expect("a record has a topic").to_bytes();
    topics.iter().position(|topic| topic.as_bytes() == name).expect("only the assigned topics are delivered")
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

/// One message of librdkafka's, or an error that it hands over like one; given back when dropped.
#[repr(transparent)]
struct Message(NonNull<c::rd_kafka_message_t>);

impl Message {
    fn error(&self) -> Option<RDKafkaErrorCode> {
        let err = self.view().err;
        (err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| err.into())
    }

    /// The topic's handle, null where an error concerns none: to be compared only.
    fn topic_handle(&self) -> *const c::rd_kafka_topic_t {
        self.view().rkt
    }

    /// The topic's name; None where an error concerns none.
    fn topic(&self) -> Option<&CStr> {
        let topic = self.view().rkt;
        // SAFETY: the message holds a reference to its topic, whose name is NUL-terminated and never changes.
        (!topic.is_null()).then(|| unsafe { CStr::from_ptr(c::rd_kafka_topic_name(topic)) })
    }

    fn partition(&self) -> i32 {
        self.view().partition
    }

    fn offset(&self) -> i64 {
        self.view().offset
    }

    /// Milliseconds since 1970, -1 where there is none, and whether it is the broker's (LogAppendTime).
    fn timestamp_ms(&self) -> (i64, bool) {
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is live and the out-parameter valid.
        let timestamp_ms = unsafe { c::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        (timestamp_ms, kind == c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
    }

    fn key(&self) -> Option<&[u8]> {
        let view = self.view();
        // SAFETY: key and length belong together and live as long as the message.
        unsafe { bytes(view.key, view.key_len) }
    }

    /// The value, or what an error says.
    fn value(&self) -> Option<&[u8]> {
        let view = self.view();
        // SAFETY: value and length belong together and live as long as the message.
        unsafe { bytes(view.payload, view.len) }
    }

    fn headers(&self) -> Headers<'_> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the message is live and the out-parameter valid; the list belongs to the message. It stays null where
        // there are none.
        let code = unsafe { c::rd_kafka_message_headers(self.0.as_ptr(), &mut list) };
        let found = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        Headers { list: if found { list } else { std::ptr::null_mut() }, next: 0, message: PhantomData }
    }

    fn view(&self) -> &c::rd_kafka_message_t {
        // SAFETY: live until `drop`; librdkafka changes nothing in what it hands over.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: handed over to us, and given back once.
        unsafe { c::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// Name and value of each header of a message, which they belong to.
struct Headers<'m> {
    /// Null: there are none.
    list: *const c::rd_kafka_headers_t,
    next: usize,
    message: PhantomData<&'m Message>,
}

impl<'m> Iterator for Headers<'m> {
    type Item = (&'m [u8], Option<&'m [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut len) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: the list is live for `'m`; an index past its end gives an error, not a read. Name (NUL-terminated) and
        // value belong to the list.
        unsafe {
            let code = c::rd_kafka_header_get_all(self.list, self.next, &mut name, &mut value, &mut len);
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            self.next += 1;
            Some((CStr::from_ptr(name).to_bytes(), bytes(value, len)))
        }
    }
}

/// Sends what is queued without waiting for more to come (`linger.ms`), for at most a millisecond. What became of it is
/// told by the client's poll.
pub(super) fn flush<C: ProducerContext>(producer: &BaseProducer<C>) {
    // SAFETY: the client is live; the call changes nothing of ours.
    unsafe { c::rd_kafka_flush(producer.client().native_ptr(), 1) };
}

/// # Safety
/// `start` is null or points to `len` bytes that can be read, and do not change, for `'a`.
unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) })
}

/// librdkafka's RD_KAFKA_PARTITION_UA, a macro that the bindings lack: the partitioner chooses.
const PARTITION_BY_KEY: i32 = -1;

/// A topic's handle for producing: saves the look-up by name for each record.
///
/// Delivery reports give the context a number back that `produce` was given, so the context's opaque type is that.
pub(super) struct TopicHandle<C: ProducerContext<DeliveryOpaque = usize>> {
    topic: NonNull<c::rd_kafka_topic_t>,
    /// Room for the messages of one call; empty between calls.
    messages: Vec<c::rd_kafka_message_t>,
    /// Last: the handle must be let go before its client.
    _producer: Arc<BaseProducer<C>>,
}

// SAFETY: librdkafka's topic handles are reference counted and may be used from any thread; the vector is empty between
// calls, so no other pointer moves along. The client is `Send` and `Sync` when its context is, which a context must be.
unsafe impl<C: ProducerContext<DeliveryOpaque = usize>> Send for TopicHandle<C> {}

/// What became of the records of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queued {
    /// How many of the first records are dealt with: they were queued, or refused for another reason than a full queue.
    /// The record after them found the queue full, and no later one was queued.
    pub(super) taken: usize,
    /// How many of them were queued: so many delivery reports will come.
    pub(super) queued: usize,
}

impl<C: ProducerContext<DeliveryOpaque = usize>> TopicHandle<C> {
    pub(super) fn new(producer: &Arc<BaseProducer<C>>, topic: &str) -> Result<Self, KafkaError> {
        let name = CString::new(topic)?;
        // SAFETY: the client is live, and this value keeps it so; a null configuration means the client's defaults; the
        // name is copied.
        let topic = unsafe {
            c::rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), std::ptr::null_mut())
        };
        let topic =
            NonNull::new(topic).ok_or(KafkaError::MessageProduction(RDKafkaErrorCode::InvalidTopic))?;
        Ok(Self { topic, messages: Vec::new(), _producer: producer.clone() })
    }

    /// Queues records of this topic, all for the same `partition` (None: by each key), copying their bytes, in one call.
    /// Their own partitions are not looked at. Each comes with the number that its delivery report is to carry; `refused`
    /// is called for those that will have no report, with that number and the reason.
    pub(super) fn produce<'r>(
        &mut self,
        partition: Option<i32>,
        records: impl Iterator<Item = (OutputRecord<'r>, usize)>,
        mut refused: impl FnMut(usize, RDKafkaErrorCode),
    ) -> Queued {
        self.messages.clear();
        self.messages.extend(records.map(|(record, tag)| message(&record, tag)));
        let count =
            i32::try_from(self.messages.len()).expect("fewer records than librdkafka's queue can hold");
        // The partition is the call's and not each message's (no F_PARTITION): librdkafka 2.12.1 leaks a message, and the
        // queue's room for it, when the message names a partition that is not there (`rd_kafka_produce_batch`: `continue`
        // without `rd_kafka_msg_destroy`), but looks the call's partition up before it makes any.
        let flags = c::RD_KAFKA_MSG_F_COPY;
        // SAFETY: the handle is live; the array holds `count` messages whose keys and values outlive the call, because
        // the records borrow them for `'r`; F_COPY makes librdkafka copy both before it returns. The tag is not a
        // pointer and is given back as it is.
        let queued = unsafe {
            let partition = partition.unwrap_or(PARTITION_BY_KEY);
            c::rd_kafka_produce_batch(
                self.topic.as_ptr(),
                partition,
                flags,
                self.messages.as_mut_ptr(),
                count,
            )
        };
        let mut taken = 0;
        for message in self.messages.drain(..) {
            match message.err {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
                // Once full, the queue is not tried again within a call: this is the end of what was taken.
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL => break,
                reason => refused(message._private.addr(), reason.into()),
            }
            taken += 1;
        }
        Queued { taken, queued: usize::try_from(queued).unwrap_or(0) }
    }
}

fn message(record: &OutputRecord<'_>, tag: usize) -> c::rd_kafka_message_t {
    let (value, len) = record.value.map_or((std::ptr::null(), 0), |v| (v.as_ptr(), v.len()));
    let (key, key_len) = record.key.map_or((std::ptr::null(), 0), |k| (k.as_ptr(), k.len()));
    c::rd_kafka_message_t {
        err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: std::ptr::null_mut(),
        partition: PARTITION_BY_KEY,
        payload: value.cast_mut().cast(),
        len,
        key: key.cast_mut().cast(),
        key_len,
        offset: 0,
        _private: std::ptr::without_provenance_mut(tag),
    }
}

impl<C: ProducerContext<DeliveryOpaque = usize>> Drop for TopicHandle<C> {
    fn drop(&mut self) {
        // SAFETY: our reference, given back once, while the client is alive.
        unsafe { c::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}
