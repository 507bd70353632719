use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix::{Actor, Context, Handler, Message, MessageResult};
use metrics::{Counter, Gauge, counter, gauge};

use super::core::{CacheCore, CacheCounts, Found};
use crate::config::CacheConfig;
use crate::learn::{Predictions, Shape};
use crate::registry::{Revision, Serving};
use crate::schema::{Rows, Texts};

/// Messages that wait at most; only `try_send` keeps to it, the stream has its credits.
const MAILBOX_MAX: usize = 256;

/// The cache of one pipeline: a [`CacheCore`] with a mailbox, a clock and the revision in force.
pub struct Cache {
    core: CacheCore,
    serving: Arc<Serving>,
    meters: Meters,
}

/// Predictions that were just made, with what they were made from; an owned batch.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fill {
    /// Entity key of each row of `rows`.
    pub keys: Texts,
    pub rows: Rows,
    /// The rows that were predicted.
    pub picks: Vec<u32>,
    /// One for each pick, in their order.
    pub predictions: Predictions,
    /// What made them.
    pub revision: Arc<Revision>,
    /// When they were made, milliseconds since 1970.
    pub time_ms: u64,
    /// Dropped when the batch is in the cache: the sender's credit, if it has one.
    pub permit: Box<dyn Send>,
}

/// Forgets everything: the model began anew.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Clear;

/// Asks for the answer of an entity key.
#[derive(Message)]
#[rtype(result = "Answer")]
pub struct Get {
    pub key: Box<[u8]>,
}

pub enum Answer {
    /// A prediction by the revision in force.
    Found {
        revision: Arc<Revision>,
        /// When its features came, milliseconds since 1970.
        time_ms: u64,
        prediction: Box<[f32]>,
    },
    /// Too old to be given.
    Expired { last_seen_ms: u64 },
    /// Never seen, or pushed out by newer keys.
    Unknown,
    /// There is no revision yet.
    NoRevision,
    /// The model panicked over the stored features.
    Failed,
}

struct Meters {
    hits: Counter,
    recomputed: Counter,
    misses: Counter,
    expired: Counter,
    evictions: Counter,
    resets: Counter,
    entries: Gauge,
}

impl Meters {
    fn new(pipeline: &str) -> Self {
        let reads = |outcome: &'static str| counter!("tidewheel_cache_reads_total", "pipeline" => pipeline.to_owned(), "outcome" => outcome);
        Self {
            hits: reads("hit"),
            recomputed: reads("recomputed"),
            misses: reads("miss"),
            expired: reads("expired"),
            evictions: counter!("tidewheel_cache_evictions_total", "pipeline" => pipeline.to_owned()),
            resets: counter!("tidewheel_cache_resets_total", "pipeline" => pipeline.to_owned()),
            entries: gauge!("tidewheel_cache_entries", "pipeline" => pipeline.to_owned()),
        }
    }

    fn report(&self, counts: CacheCounts, entries: usize) {
        self.hits.absolute(counts.hits);
        self.recomputed.absolute(counts.recomputed);
        self.misses.absolute(counts.misses);
        self.expired.absolute(counts.expired);
        self.evictions.absolute(counts.evictions);
        self.entries.set(entries as f64);
    }
}

impl Cache {
    /// The cache of pipeline `name`, whose rows and predictions have the shape `shape`.
    pub fn new(name: &str, config: &CacheConfig, shape: &Shape, serving: Arc<Serving>) -> Self {
        Self { core: CacheCore::new(config, shape), serving, meters: Meters::new(name) }
    }

    /// Runs `work` over the core; none when it panicked, which would otherwise end the actor in silence.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut CacheCore) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut self.core)));
        self.meters.report(self.core.counts(), self.core.len());
        done.ok()
    }
}

impl Actor for Cache {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX_MAX);
    }
}

impl Handler<Fill> for Cache {
    type Result = ();

    fn handle(&mut self, fill: Fill, _: &mut Self::Context) {
        let Fill { keys, rows, picks, predictions, revision, time_ms, permit } = fill;
        if !self.core.fits(&rows, &predictions) {
            // A recovery passes by entries from before the schema was changed.
            return;
        }
        let filled = self.guarded(|core| {
            core.fill(|row| keys.get(row), &rows, &picks, &predictions, revision.number, time_ms);
        });
        if filled.is_none() {
            // Half a batch may be in it. What was cached comes back with the stream.
            self.core.clear();
            self.meters.resets.increment(1);
            tracing::error!(rows = picks.len(), "the cache was emptied after a panic");
        }
        drop(permit);
    }
}

impl Handler<Clear> for Cache {
    type Result = ();

    fn handle(&mut self, _: Clear, _: &mut Self::Context) {
        self.core.clear();
        self.meters.report(self.core.counts(), self.core.len());
    }
}

impl Handler<Get> for Cache {
    type Result = MessageResult<Get>;

    fn handle(&mut self, get: Get, _: &mut Self::Context) -> Self::Result {
        let Some(revision) = self.serving.current().clone() else {
            return MessageResult(Answer::NoRevision);
        };
        // A model that panics leaves the cache whole: it predicts aside.
        let answer = self.guarded(|core| {
            match core.read(&get.key, now_ms(), revision.number, revision.predictor.as_ref()) {
                Found::Answer { time_ms, prediction } => {
                    Answer::Found { revision: revision.clone(), time_ms, prediction: prediction.into() }
                }
                Found::Expired { last_seen_ms } => Answer::Expired { last_seen_ms },
                Found::Unknown => Answer::Unknown,
            }
        });
        MessageResult(answer.unwrap_or(Answer::Failed))
    }
}

/// Wall-clock time, milliseconds since 1970.
pub(in crate::serve) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::learn::{Objective, Predictor};
    use crate::state::TensorMap;

    /// Says the first feature.
    struct Echo;

    impl Predictor for Echo {
        fn predict(&self, rows: &Rows, out: &mut Predictions) {
            assert_ne!(rows.numeric[0], -1.0, "told to");
            out.reset(1, rows.len());
            out.values.copy_from_slice(&rows.numeric);
        }

        fn is_finite(&self) -> bool {
            true
        }

        fn save(&self) -> TensorMap {
            TensorMap::default()
        }
    }

    fn revision(number: u64) -> Arc<Revision> {
        Arc::new(Revision {
            number,
            version: 0,
            epoch: 1,
            published_ms: 0,
            objective: Objective::Regress,
            classes: Arc::new([]),
            predictor: Arc::new(Echo),
        })
    }

    /// A credit that counts when it is given back.
    struct Credit(Arc<AtomicUsize>);

    impl Drop for Credit {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fill(feature: f32, outputs: usize, returned: &Arc<AtomicUsize>) -> Fill {
        let mut keys = Texts::default();
        keys.push(b"k");
        let mut rows = Rows::new(1, 0);
        rows.push(&[feature], &[]);
        let predictions = Predictions { outputs, values: vec![feature; outputs] };
        let permit = Box::new(Credit(Arc::clone(returned)));
        Fill { keys, rows, picks: vec![0], predictions, revision: revision(1), time_ms: now_ms(), permit }
    }

    fn cache(serving: &Arc<Serving>) -> Cache {
        let shape = Shape { numeric: 1, categorical: 0, objective: Objective::Regress };
        Cache::new("m", &CacheConfig::default(), &shape, Arc::clone(serving))
    }

    fn get() -> Get {
        Get { key: b"k"[..].into() }
    }

    #[test]
    fn a_fill_gives_its_credit_back_and_is_read_by_the_revision_in_force() {
        actix_rt::System::new().block_on(async {
            let (serving, returned) = (Arc::<Serving>::default(), Arc::<AtomicUsize>::default());
            let address = cache(&serving).start();
            address.send(fill(0.5, 1, &returned)).await.unwrap();
            assert_eq!(returned.load(Ordering::Relaxed), 1);
            assert!(matches!(address.send(get()).await.unwrap(), Answer::NoRevision));
            serving.swap(revision(2));
            let Answer::Found { revision, prediction, .. } = address.send(get()).await.unwrap() else {
                panic!("not found");
            };
            assert_eq!((revision.number, &*prediction), (2, &[0.5][..]));
        });
    }

    #[test]
    fn rows_of_another_shape_are_passed_by_and_a_model_that_begins_anew_empties_it() {
        actix_rt::System::new().block_on(async {
            let (serving, returned) = (Arc::<Serving>::default(), Arc::<AtomicUsize>::default());
            serving.swap(revision(1));
            let address = cache(&serving).start();
            address.send(fill(0.5, 1, &returned)).await.unwrap();
            address.send(fill(0.5, 2, &returned)).await.unwrap();
            assert_eq!(returned.load(Ordering::Relaxed), 2, "the credit comes back");
            assert!(matches!(address.send(get()).await.unwrap(), Answer::Found { .. }));
            address.send(Clear).await.unwrap();
            assert!(matches!(address.send(get()).await.unwrap(), Answer::Unknown));
        });
    }

    #[test]
    fn a_panic_costs_what_is_cached_and_neither_the_actor_nor_the_credit() {
        actix_rt::System::new().block_on(async {
            let (serving, returned) = (Arc::<Serving>::default(), Arc::<AtomicUsize>::default());
            serving.swap(revision(1));
            let address = cache(&serving).start();
            address.send(fill(0.5, 1, &returned)).await.unwrap();
            // A row that is not there.
            address.send(Fill { picks: vec![7], ..fill(0.5, 1, &returned) }).await.unwrap();
            assert_eq!(returned.load(Ordering::Relaxed), 2);
            assert!(matches!(address.send(get()).await.unwrap(), Answer::Unknown));

            address.send(fill(-1.0, 1, &returned)).await.unwrap();
            serving.swap(revision(2));
            assert!(matches!(address.send(get()).await.unwrap(), Answer::Failed));
            address.send(fill(0.5, 1, &returned)).await.unwrap();
            assert!(matches!(address.send(get()).await.unwrap(), Answer::Found { .. }));
        });
    }
}
