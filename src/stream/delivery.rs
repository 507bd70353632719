use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{DeliveryResult, ProducerContext};

/// Groups of records that may be on their way at a time.
pub(super) const GROUPS_MAX: usize = 4096;

/// What became of a group of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// All are acknowledged.
    Done,
    /// This many are still on their way.
    Waiting(usize),
    /// These were refused, in the order of their places; all others are acknowledged.
    Failed(Vec<Refusal>),
}

/// A record that is not on its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The record's place in its `Outputs`.
    pub place: usize,
    pub code: RDKafkaErrorCode,
}

/// Whether it helps to send a record again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The same record may be taken later, with nothing changed but the brokers' state.
    Temporary,
    /// The same record will be refused until someone changes it, the topic or the rights.
    Permanent,
}

impl Refusal {
    pub fn kind(&self) -> RefusalKind {
        use RDKafkaErrorCode as Code;
        match self.code {
            Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedCompressionType
            | Code::PolicyViolation
            | Code::InvalidTopic
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed => RefusalKind::Permanent,
            _ => RefusalKind::Temporary,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: {}", self.place, self.code)
    }
}

/// Where delivery reports are counted; shared by all clients that one producer has had.
pub(super) struct Deliveries {
    outstanding: Vec<AtomicUsize>,
    refused: Mutex<BTreeMap<usize, Vec<Refusal>>>,
    /// Groups in `refused`: read for every group that is sent.
    refused_groups: AtomicUsize,
}

impl Deliveries {
    pub(super) fn new() -> Self {
        Self {
            outstanding: (0..GROUPS_MAX).map(|_| AtomicUsize::new(0)).collect(),
            refused: Mutex::new(BTreeMap::new()),
            refused_groups: AtomicUsize::new(0),
        }
    }

    pub(super) fn queued(&self, group: usize, count: usize) {
        self.outstanding[group % GROUPS_MAX].fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, group: usize, refusal: Refusal) {
        let mut refused = self.lock();
        refused.entry(group % GROUPS_MAX).or_default().push(refusal);
        self.refused_groups.store(refused.len(), Ordering::Relaxed);
    }

    fn reported(&self, tag: Tag, result: &DeliveryResult<'_>) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            self.refused(tag.group(), Refusal { place: tag.place(), code });
        }
        // After the refusal, which whoever sees the last record arrive must find.
        self.outstanding[tag.group()].fetch_sub(1, Ordering::Release);
    }

    /// What became of a group whose records were all sent; its refusals are told once.
    pub(super) fn of(&self, group: usize) -> Delivery {
        let waiting = self.outstanding[group % GROUPS_MAX].load(Ordering::Acquire);
        if waiting > 0 {
            return Delivery::Waiting(waiting);
        }
        let mut all = self.lock();
        let Some(mut refused) = all.remove(&(group % GROUPS_MAX)) else { return Delivery::Done };
        self.refused_groups.store(all.len(), Ordering::Relaxed);
        refused.sort_by_key(|refusal| refusal.place);
        Delivery::Failed(refused)
    }

    /// Whether there are refusals that nobody was told yet.
    pub(super) fn any_refused(&self) -> bool {
        self.refused_groups.load(Ordering::Relaxed) > 0
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Refusal>>> {
        // A panic inside these short sections cannot leave the map half changed.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a delivery report carries: group and place of its record in one number, so that no record costs an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) usize);

impl Tag {
    pub(super) fn new(group: usize, place: usize) -> Self {
        assert!(place <= usize::MAX / GROUPS_MAX, "an entry has fewer outputs");
        Self(place * GROUPS_MAX + group % GROUPS_MAX)
    }

    /// Modulo `GROUPS_MAX`.
    fn group(self) -> usize {
        self.0 % GROUPS_MAX
    }

    pub(super) fn place(self) -> usize {
        self.0 / GROUPS_MAX
    }
}

/// A client's way to the deliveries.
pub(super) struct Reports(pub(super) Arc<Deliveries>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        self.0.reported(Tag(tag), result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_gives_group_and_place_back() {
        for (group, place) in [(0, 0), (1, 0), (0, 1), (4095, 99_999), (4096 + 7, 3)] {
            let tag = Tag::new(group, place);
            assert_eq!((tag.group(), tag.place()), (group % GROUPS_MAX, place));
        }
    }

    #[test]
    fn refusals_of_a_group_are_told_once_in_the_order_of_places() {
        let deliveries = Deliveries::new();
        let code = RDKafkaErrorCode::MessageSizeTooLarge;
        deliveries.refused(5, Refusal { place: 9, code });
        deliveries.refused(6, Refusal { place: 1, code });
        deliveries.refused(5, Refusal { place: 2, code });
        let places = |delivery| -> Vec<usize> {
            let Delivery::Failed(refused) = delivery else { panic!("{delivery:?}") };
            refused.iter().map(|refusal| refusal.place).collect()
        };
        assert_eq!(places(deliveries.of(5)), [2, 9]);
        assert_eq!(deliveries.of(5), Delivery::Done);
        assert_eq!(places(deliveries.of(6)), [1]);
    }

    #[test]
    fn only_what_stays_refused_is_permanent() {
        let kind = |code| Refusal { place: 0, code }.kind();
        use RDKafkaErrorCode as Code;
        for code in [Code::MessageSizeTooLarge, Code::TopicAuthorizationFailed, Code::UnknownPartition] {
            assert_eq!(kind(code), RefusalKind::Permanent, "{code}");
        }
        for code in [Code::NotEnoughReplicas, Code::MessageTimedOut, Code::PurgeQueue, Code::Fatal] {
            assert_eq!(kind(code), RefusalKind::Temporary, "{code}");
        }
    }
}
