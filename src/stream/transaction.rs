use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;

use super::client::{Endpoint, StreamError, let_go};
use super::delivery::{Delivery, RefusalKind};
use super::native::flush;
use super::output::Outputs;
use super::producer::OutputProducer;

/// How long one call of librdkafka's may block; it is made again until it gives an answer.
const CALL: Duration = Duration::from_secs(1);

/// A producer whose records appear together or not at all (KIP-98). One transaction at a time, one thread.
pub struct Transactions {
    producer: OutputProducer,
    /// Group of the first part of the next transaction.
    group: usize,
}

/// Why a transaction did not come about. Nothing of it is visible in any case.
#[derive(Debug)]
pub enum Aborted {
    /// It can be tried again, with the same records.
    Again(String),
    /// Record `place` of part `part` was refused, and would be again.
    Refused { part: usize, place: usize, reason: String },
    /// It was told to stop while the broker did not answer: whether the transaction came about is for the next owner to
    /// find out.
    Stopped,
    /// Another owner has taken over: nothing that is sent from here on is accepted.
    Fenced(String),
    /// This producer is broken; whether the transaction came about is for the next owner to find out.
    Broken(String),
}

impl Transactions {
    /// Most parts of one transaction.
    pub const PARTS_MAX: usize = OutputProducer::GROUPS_MAX - 1;

    /// Takes the place of whoever used this `transactional.id` before: that one's open transaction is aborted, and it
    /// cannot commit any more. Waits for the coordinator at most as long as `endpoint` allows.
    ///
    /// # Errors
    /// No broker answers in time, or it refuses the identity.
    pub fn begin_as(endpoint: &Endpoint, id: &str, timeout: Duration) -> Result<Self, StreamError> {
        let timeout_ms = timeout.as_millis().to_string();
        let settings = [("transactional.id", id), ("transaction.timeout.ms", &timeout_ms)];
        let producer = OutputProducer::with(endpoint, &settings)?;
        let deadline = Instant::now() + endpoint.timeout();
        loop {
            match producer.client().init_transactions(CALL) {
                Ok(()) => return Ok(Self { producer, group: 0 }),
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                Err(error) if is_retriable(&error) => return Err(endpoint.unreachable(error)),
                Err(error) => {
                    let message =
                        format!("this process cannot become the owner of its transactions: {error}");
                    return Err(StreamError::Topic { topic: id.to_owned(), message });
                }
            }
        }
    }

    /// Sends all records of `parts` in one transaction and commits it. Blocks; `stop` is asked while the broker is silent.
    pub fn commit(&mut self, parts: &[&Outputs], stop: &dyn Fn() -> bool) -> Result<(), Aborted> {
        assert!(parts.len() <= Self::PARTS_MAX, "{} parts", parts.len());
        let first = self.group;
        self.group += parts.len();
        let start = Instant::now();
        until_told(stop, || self.producer.client().begin_transaction())?;
        let begun = start.elapsed();
        let filled = self.fill(parts, first, stop);
        let sent = start.elapsed();
        let committed =
            filled.and_then(|()| until_told(stop, || self.producer.client().commit_transaction(CALL)));
        let records: usize = parts.iter().map(|outputs| outputs.len()).sum();
        tracing::debug!(records, ?begun, ?sent, committed = ?start.elapsed(), "transaction");
        match committed {
            Err(Aborted::Again(reason)) => Err(self.abort(reason, first..self.group, stop)),
            told => told,
        }
    }

    /// Queues everything and waits until the broker has it.
    fn fill(&mut self, parts: &[&Outputs], first: usize, stop: &dyn Fn() -> bool) -> Result<(), Aborted> {
        for (part, outputs) in parts.iter().enumerate() {
            let mut sent = 0;
            while sent < outputs.len() {
                let next = self.producer.send(first + part, outputs, sent);
                let next = next.map_err(|error| Aborted::Again(error.to_string()))?;
                if next < outputs.len() {
                    // The queue is full: it empties as the broker takes.
                    self.serve(stop)?;
                }
                sent = next;
            }
        }
        while self.producer.in_flight() > 0 {
            self.serve(stop)?;
        }
        self.look()
    }

    /// Hurries what is queued, and looks at what became of what was sent.
    fn serve(&self, stop: &dyn Fn() -> bool) -> Result<(), Aborted> {
        if stop() {
            return Err(Aborted::Stopped);
        }
        // Not by rdkafka's flush, which waits in steps of 100 ms.
        flush(self.producer.client());
        // One poll serves one broker answer.
        let mut before = usize::MAX;
        while self.producer.in_flight() < before {
            before = self.producer.in_flight();
            self.producer.poll(Duration::ZERO);
        }
        self.look()
    }

    fn look(&self) -> Result<(), Aborted> {
        if self.producer.any_refused() {
            return Err(Aborted::Again("a record was refused".into()));
        }
        Ok(())
    }

    /// Takes back what was sent, for this reason, and says what comes of it.
    fn abort(&mut self, reason: String, groups: Range<usize>, stop: &dyn Fn() -> bool) -> Aborted {
        let aborted = until_told(stop, || self.producer.client().abort_transaction(CALL));
        if let Err(worse @ (Aborted::Stopped | Aborted::Fenced(_) | Aborted::Broken(_))) = aborted {
            return worse;
        }
        // The reports of what was taken back.
        while self.producer.in_flight() > 0 && !stop() {
            self.producer.poll(Duration::from_millis(1));
        }
        self.producer.poll(Duration::ZERO);
        // All are asked: what is not asked for now would be told of the group that has the number next.
        let mut lasting = None;
        for (part, group) in groups.enumerate() {
            let Delivery::Failed(refused) = self.producer.delivery(group) else { continue };
            let found = refused.iter().find(|refusal| refusal.kind() == RefusalKind::Permanent);
            lasting = lasting.or(found.map(|found| (part, found.place, found.to_string())));
        }
        match lasting {
            Some((part, place, reason)) => Aborted::Refused { part, place, reason },
            None => Aborted::Again(reason),
        }
    }

    /// Ends it, without waiting for the broker.
    pub fn let_go(self) {
        let_go(self.producer);
    }
}

/// Calls until there is an answer: a call that timed out goes on in the background, and is to be made again.
fn until_told(
    stop: &dyn Fn() -> bool,
    mut call: impl FnMut() -> Result<(), KafkaError>,
) -> Result<(), Aborted> {
    loop {
        match call() {
            Ok(()) => return Ok(()),
            Err(error) if is_retriable(&error) => {
                if stop() {
                    return Err(Aborted::Stopped);
                }
            }
            Err(error) => return Err(judge(&error)),
        }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable(),
        KafkaError::Flush(code) => *code == RDKafkaErrorCode::OperationTimedOut,
        _ => false,
    }
}

fn judge(error: &KafkaError) -> Aborted {
    use RDKafkaErrorCode as Code;
    let text = error.to_string();
    match error {
        KafkaError::Transaction(error) => match error.code() {
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Aborted::Fenced(text),
            _ if error.is_fatal() => Aborted::Broken(text),
            _ if error.txn_requires_abort() => Aborted::Again(text),
            _ => Aborted::Broken(text),
        },
        _ => Aborted::Again(text),
    }
}
