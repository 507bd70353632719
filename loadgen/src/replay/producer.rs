use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::{Progress, ReplayError};

/// How long the first contact with the brokers may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to wait for the producer id; without it the first records would wait in the client instead.
const PRODUCER_ID_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to serve delivery reports for before a full queue is tried again.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(1);

/// A producer that is idempotent, and that checks each delivery report.
pub(super) struct Producer {
    inner: BaseProducer<Reports>,
    sent: u64,
}

/// Counts delivery reports, its own and in the progress that replays may share; keeps the first failure.
struct Reports {
    progress: Arc<Progress>,
    delivered: AtomicU64,
    failed: AtomicU64,
    failure: Mutex<Option<String>>,
    /// The idempotent producer has its id.
    identified: AtomicBool,
}

impl ClientContext for Reports {
    /// librdkafka says nowhere else whether it has the producer id.
    fn stats_raw(&self, statistics: &[u8]) {
        #[derive(serde::Deserialize)]
        struct Statistics {
            eos: Option<Eos>,
        }
        #[derive(serde::Deserialize)]
        struct Eos {
            idemp_state: String,
        }
        if !self.identified.load(Relaxed)
            && let Ok(Statistics { eos: Some(eos) }) = serde_json::from_slice(statistics)
        {
            self.identified.store(eos.idemp_state == "Assigned", Relaxed);
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Relaxed);
                self.progress.delivered.fetch_add(1, Relaxed)
            }
            Err((error, _)) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| error.to_string());
                drop(failure);
                self.failed.fetch_add(1, Relaxed);
                self.progress.failed.fetch_add(1, Relaxed)
            }
        };
    }
}

impl Producer {
    /// Connects, and makes sure that the topics are there: a topic that appears on first use hides a typing error.
    ///
    /// `paced`: every record is sent at once; otherwise records gather for 5 ms and are compressed.
    pub fn connect(
        brokers: &str,
        properties: &[(String, String)],
        topics: &[&str],
        paced: bool,
        progress: Arc<Progress>,
    ) -> Result<Self, ReplayError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("client.id", "loadgen")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("batch.num.messages", "10000")
            .set("batch.size", "1000000")
            .set("statistics.interval.ms", "100")
            .set("linger.ms", if paced { "2" } else { "5" });
        for (key, value) in properties {
            config.set(key, value);
        }
        let context = Reports {
            progress,
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failure: Mutex::new(None),
            identified: AtomicBool::new(false),
        };
        let inner: BaseProducer<Reports> =
            config.create_with_context(context).map_err(ReplayError::Config)?;
        let metadata = inner.client().fetch_metadata(None, CONNECT_TIMEOUT).map_err(|cause| {
            ReplayError::Unreachable { brokers: brokers.into(), seconds: CONNECT_TIMEOUT.as_secs(), cause }
        })?;
        for &topic in topics {
            if !metadata.topics().iter().any(|known| known.name() == topic) {
                return Err(ReplayError::NoTopic { topic: topic.into(), brokers: brokers.into() });
            }
        }
        let producer = Self { inner, sent: 0 };
        if config.get("enable.idempotence") == Some("true") {
            producer.wait_for_id();
        }
        Ok(producer)
    }

    /// Getting the producer id takes librdkafka up to a second, which would count as delay of the first records. Where it
    /// takes longer, they wait in the client.
    fn wait_for_id(&self) {
        let deadline = Instant::now() + PRODUCER_ID_TIMEOUT;
        while !self.inner.context().identified.load(Relaxed) && Instant::now() < deadline {
            self.poll(QUEUE_FULL_WAIT);
        }
    }

    /// Records handed to the client so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Hands over one record. A full queue is waited for, serving delivery reports; a failed delivery of an earlier
    /// record is an error.
    pub fn send(&mut self, topic: &str, key: Option<&[u8]>, value: &[u8]) -> Result<(), ReplayError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(value);
        record.key = key;
        while let Err((error, back)) = self.inner.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(ReplayError::Send { topic: topic.into(), cause: error });
            }
            self.poll(QUEUE_FULL_WAIT);
            self.check()?;
            record = back;
        }
        self.sent += 1;
        Ok(())
    }

    /// Serves delivery reports for `time`, and at least once.
    pub fn poll(&self, time: Duration) {
        self.inner.poll(time);
    }

    /// Fails once a delivery has failed.
    pub fn check(&self) -> Result<(), ReplayError> {
        let reports = self.inner.context();
        let failed = reports.failed.load(Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let failure = reports.failure.lock().unwrap_or_else(PoisonError::into_inner);
        Err(ReplayError::Undelivered { records: failed, first: failure.clone().unwrap_or_default() })
    }

    /// Waits until each record has its delivery report, at most `time`; says how many have none.
    pub fn finish(&self, time: Duration) -> Result<u64, ReplayError> {
        let deadline = Instant::now() + time;
        loop {
            self.check()?;
            let delivered = self.inner.context().delivered.load(Relaxed);
            if delivered == self.sent || Instant::now() >= deadline {
                return Ok(self.sent - delivered);
            }
            self.poll(QUEUE_FULL_WAIT);
        }
    }
}
