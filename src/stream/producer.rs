use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use rdkafka::util::Timeout;

use super::client::{Endpoint, StreamError, let_go};
use super::delivery::{Deliveries, Delivery, GROUPS_MAX, Refusal, Reports, Tag};
use super::native::{Queued, TopicHandle};
use super::output::{OutputRecord, Outputs};

/// An idempotent producer for what entries cause; one thread sends and polls.
pub struct OutputProducer {
    endpoint: Endpoint,
    topics: HashMap<Arc<str>, TopicHandle<Reports>>,
    producer: Arc<BaseProducer<Reports>>,
    deliveries: Arc<Deliveries>,
    transactional: bool,
}

impl OutputProducer {
    /// Most groups that may be unacknowledged at a time; group numbers are taken modulo this.
    pub const GROUPS_MAX: usize = GROUPS_MAX;

    pub fn new(endpoint: &Endpoint) -> Result<Self, StreamError> {
        Self::with(endpoint, &[])
    }

    /// With `settings` in the place of ours; where these make it transactional, it is not renewed when it breaks.
    pub(super) fn with(endpoint: &Endpoint, settings: &[(&str, &str)]) -> Result<Self, StreamError> {
        let deliveries = Arc::new(Deliveries::new());
        let producer = client(endpoint, settings, &deliveries)?;
        let transactional = settings.iter().any(|(name, _)| *name == "transactional.id");
        Ok(Self { endpoint: endpoint.clone(), topics: HashMap::new(), producer, deliveries, transactional })
    }

    pub(super) fn client(&self) -> &BaseProducer<Reports> {
        &self.producer
    }

    /// Queues the records of `outputs` from place `start` on as part of group `group`. Returns the place where it
    /// stopped: before the end when the local queue is full (poll, then go on from there). A record that is refused here
    /// and now counts as sent: [`Self::delivery`] tells of it as of one that the broker refused.
    pub fn send(&mut self, group: usize, outputs: &Outputs, start: usize) -> Result<usize, StreamError> {
        self.renew_when_broken()?;
        self.open_topics(outputs)?;
        let mut at = start;
        while at < outputs.len() {
            let length = run_length((at..outputs.len()).map(|place| outputs.get(place)));
            let Queued { taken, queued } = self.send_run(group, outputs, at..at + length);
            // In time: reports are only served by `poll`, on this thread.
            self.deliveries.queued(group, queued);
            at += taken;
            if taken < length {
                break;
            }
        }
        Ok(at)
    }

    /// Queues records that can go in one call, of which there is one at least.
    fn send_run(&mut self, group: usize, outputs: &Outputs, places: Range<usize>) -> Queued {
        let first_place = places.start;
        let first = outputs.get(first_place);
        let topic = &outputs.topics()[first.topic];
        let deliveries = &self.deliveries;
        let refused = |place, code| deliveries.refused(group, Refusal { place, code });
        if first.headers.is_empty() {
            let records = places.map(|place| (outputs.get(place), Tag::new(group, place).0));
            let handle = self.topics.get_mut(topic).expect("opened before");
            return handle.produce(first.partition, records, |tag, code| refused(Tag(tag).place(), code));
        }
        match send_with_headers(&self.producer, topic, &first, Tag::new(group, first_place)) {
            Ok(()) => Queued { taken: 1, queued: 1 },
            Err(RDKafkaErrorCode::QueueFull) => Queued { taken: 0, queued: 0 },
            Err(code) => {
                refused(first_place, code);
                Queued { taken: 1, queued: 0 }
            }
        }
    }

    fn open_topics(&mut self, outputs: &Outputs) -> Result<(), StreamError> {
        for topic in outputs.topics() {
            if !self.topics.contains_key(topic) {
                let handle = TopicHandle::new(&self.producer, topic)?;
                self.topics.insert(topic.clone(), handle);
            }
        }
        Ok(())
    }

    /// A client that met a fatal error (the broker forgot the producer's sequence, say) refuses everything from then on:
    /// a new one takes its place. What the old one held is reported as purged, which is a temporary refusal.
    fn renew_when_broken(&mut self) -> Result<(), StreamError> {
        let Some((code, message)) = self.producer.client().fatal_error() else { return Ok(()) };
        if self.transactional {
            // Its transaction says what is to be done.
            return Ok(());
        }
        tracing::error!(%code, message, "the producer is broken; going on with a new one");
        let new = client(&self.endpoint, &[], &self.deliveries)?;
        self.topics.clear();
        let old = std::mem::replace(&mut self.producer, new);
        old.purge(PurgeConfig::default().queue().inflight());
        old.poll(Timeout::After(Duration::ZERO));
        let_go(old);
        Ok(())
    }

    /// Serves delivery reports; waits at most `timeout` for the first.
    pub fn poll(&self, timeout: Duration) {
        self.producer.poll(Timeout::After(timeout));
    }

    /// Whether a record was refused of which [`Self::delivery`] has not told yet: what comes after it had better wait.
    pub fn any_refused(&self) -> bool {
        self.deliveries.any_refused()
    }

    /// What became of a group whose records were all sent. Its refusals are told once: after that the group's number
    /// stands for the records that are sent next.
    pub fn delivery(&self, group: usize) -> Delivery {
        self.deliveries.of(group)
    }

    /// Records that the local queue holds.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }
}

fn client(
    endpoint: &Endpoint,
    settings: &[(&str, &str)],
    deliveries: &Arc<Deliveries>,
) -> Result<Arc<BaseProducer<Reports>>, StreamError> {
    let reports = Reports(deliveries.clone());
    Ok(Arc::new(endpoint.producer(settings).create_with_context(reports)?))
}

/// How many of the first records can go in one call: without headers, for one topic and one partition. With headers:
/// each alone.
fn run_length<'r>(mut records: impl Iterator<Item = OutputRecord<'r>>) -> usize {
    let Some(first) = records.next() else { return 0 };
    if !first.headers.is_empty() {
        return 1;
    }
    let same = |record: &OutputRecord<'_>| {
        record.topic == first.topic && record.partition == first.partition && record.headers.is_empty()
    };
    1 + records.take_while(same).count()
}

fn send_with_headers(
    producer: &BaseProducer<Reports>,
    topic: &str,
    record: &OutputRecord<'_>,
    tag: Tag,
) -> Result<(), RDKafkaErrorCode> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let mut message = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, tag.0).headers(headers);
    message.partition = record.partition;
    message.key = record.key;
    message.payload = record.value;
    producer.send(message).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
}

#[cfg(test)]
mod tests {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::stream::RefusalKind;
    use crate::stream::native::break_client;
    use crate::stream::trial::{Trial, await_delivery, deliver};

    fn refusals(delivery: Delivery) -> Vec<(usize, RDKafkaErrorCode, RefusalKind)> {
        match delivery {
            Delivery::Failed(refused) => refused.iter().map(|r| (r.place, r.code, r.kind())).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_around_a_refused_one_are_sent_once_and_counted() {
        let trial = Trial::new(2);
        let mut producer = trial.producer(&[]);
        assert_eq!(deliver(&mut producer, 0, &trial.outputs(0, &[b"the topic is known"])), Delivery::Done);
        let large = vec![0; 2_000_000];
        let mut outputs = Outputs::default();
        let mut push = |partition, value: &[u8], headers| {
            outputs.push(&trial.topic, Some(partition), None, Some(value), headers);
        };
        push(0, b"a", Vec::new());
        push(0, &large, Vec::new());
        push(0, b"b", Vec::new());
        push(7, b"to no partition", Vec::new());
        push(7, b"to no partition, with a header", vec![("name", b"value".to_vec())]);
        push(0, &large, vec![("name", b"value".to_vec())]);
        push(1, b"c", Vec::new());
        push(0, b"d", Vec::new());

        assert_eq!(producer.send(1, &outputs, 0).unwrap(), outputs.len());
        let (large, unknown) = (RDKafkaErrorCode::MessageSizeTooLarge, RDKafkaErrorCode::UnknownPartition);
        let expected = [1, 3, 4, 5].map(|place| {
            (place, if [1, 5].contains(&place) { large } else { unknown }, RefusalKind::Permanent)
        });
        assert_eq!(refusals(await_delivery(&producer, 1)), expected);
        assert_eq!(trial.everything(0, 4), [&b"the topic is known"[..], b"a", b"b", b"d"]);
        assert_eq!(trial.everything(1, 1), [b"c"]);
        assert_eq!(producer.in_flight(), 0);
    }

    #[test]
    fn what_the_broker_refuses_for_good_is_permanent() {
        let trial = Trial::new(1);
        let mut producer = trial.producer(&[]);
        use RDKafkaRespErr as Response;
        let answers = [
            (Response::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RDKafkaErrorCode::MessageSizeTooLarge),
            (
                Response::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RDKafkaErrorCode::TopicAuthorizationFailed,
            ),
        ];
        for (group, (answer, code)) in answers.into_iter().enumerate() {
            trial.broker.cluster().request_errors(RDKafkaApiKey::Produce, &[answer]);
            let delivery = deliver(&mut producer, group, &trial.outputs(0, &[b"value"]));
            assert_eq!(refusals(delivery), [(0, code, RefusalKind::Permanent)]);
        }
    }

    #[test]
    fn a_refusal_that_passes_is_temporary_and_the_record_can_be_sent_again() {
        let trial = Trial::new(1);
        let mut producer = trial.producer(&[("retries", "0"), ("enable.idempotence", "false")]);
        let full = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
        trial.broker.cluster().request_errors(RDKafkaApiKey::Produce, &[full]);
        let outputs = trial.outputs(0, &[b"value"]);
        let refused = refusals(deliver(&mut producer, 3, &outputs));
        assert_eq!(refused, [(0, RDKafkaErrorCode::NotEnoughReplicas, RefusalKind::Temporary)]);
        assert_eq!(deliver(&mut producer, 3, &outputs), Delivery::Done);
        assert_eq!(trial.everything(0, 1), [b"value"]);
    }

    #[test]
    fn a_broken_client_is_replaced_and_what_it_held_is_told() {
        let trial = Trial::new(1);
        let mut producer = trial.producer(&[("linger.ms", "60000")]);
        let held = trial.outputs(0, &[b"held"]);
        assert_eq!(producer.send(0, &held, 0).unwrap(), 1);
        break_client(&producer.producer);
        producer.endpoint = trial.endpoint(&[]);
        assert_eq!(deliver(&mut producer, 1, &trial.outputs(0, &[b"later"])), Delivery::Done);
        let refused = refusals(await_delivery(&producer, 0));
        assert!(matches!(refused[..], [(0, _, RefusalKind::Temporary)]), "{refused:?}");
        assert_eq!(deliver(&mut producer, 0, &held), Delivery::Done);
        assert_eq!(trial.everything(0, 2), [&b"later"[..], b"held"]);
    }
}
