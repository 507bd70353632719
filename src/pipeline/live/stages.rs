//! The stages of a pipeline that is live, each on a thread of its own, and how they are dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter};

use super::credits::Credits;
use super::decoding::Decoding;
use super::effecting::Effecting;
use super::error::PipelineError;
use super::poll::Poller;
use super::sequencing::Sequencer;
use super::stating::Stating;
use super::supervisor::Supervisor;
use crate::config::OnGap;
use crate::journal::Journal;
use crate::pipeline::decode::Decoder;
use crate::pipeline::machine::Machine;
use crate::pipeline::recover::Recovered;
use crate::stream::{Position, SourceConsumer, StreamError};

/// The stages of a pipeline that is live.
pub(super) struct Live {
    pub(super) poller: Poller,
    pub(super) sequencer: Addr<Sequencer>,
    pub(super) arbiters: Vec<Arbiter>,
}

impl Supervisor {
    pub(super) fn go_live(
        &self,
        recovered: Recovered,
        journal: &Arc<dyn Journal>,
        effecting: Addr<Effecting>,
    ) -> Result<Live, PipelineError> {
        let Recovered { machine, skips } = recovered;
        let (status, probe) = (&self.services.status, &self.services.probe);
        let source = self.source(&machine)?;
        status.applied(&machine);
        status.report(&machine);
        let decoder = Decoder::new(machine.setup(), probe.clone())?;
        let arbiters = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let stating = Stating {
            machine,
            journal: journal.clone(),
            next: effecting,
            status: status.clone(),
            failures: self.failures.clone(),
            failed: false,
        };
        let stating = Stating::start_in_arbiter(&arbiters[0].handle(), |_| stating);
        let decoding = Decoding {
            decoder,
            skips,
            journal: journal.clone(),
            next: stating,
            failures: self.failures.clone(),
            failed: false,
        };
        let decoding = Decoding::start_in_arbiter(&arbiters[1].handle(), |_| decoding);
        let config = &self.setup.config;
        let sequencer = Sequencer {
            journal: journal.clone(),
            next: decoding,
            status: status.clone(),
            tick: Duration::from_millis(config.journal.tick_ms),
            probe: probe.clone(),
            failures: self.failures.clone(),
            last_entry: Instant::now(),
            failed: false,
        };
        let sequencer = Sequencer::start_in_arbiter(&arbiters[2].handle(), |_| sequencer);
        let credits = Credits::new(&self.setup.name, config.credit.bytes_max);
        let poller = Poller::start(
            source,
            config.batching,
            config.batch.clone(),
            credits,
            sequencer.clone(),
            status.clone(),
            self.failures.clone(),
        );
        Ok(Live { poller, sequencer, arbiters: arbiters.into_iter().rev().collect() })
    }

    /// The sources, from where the state stands; partitions never read begin with what they have.
    fn source(&self, machine: &Machine) -> Result<SourceConsumer, PipelineError> {
        let mut positions = Vec::new();
        for (topic, count) in &self.partitions {
            for partition in 0..*count {
                let known = machine.positions().get(&(topic.to_string(), partition)).copied();
                positions.push(Position { topic: topic.clone(), partition, next: known.unwrap_or(-1) });
            }
        }
        let endpoint = &self.services.endpoint;
        let probe = SourceConsumer::unread(endpoint, &self.group())?;
        for position in &mut positions {
            let (low, high) = probe.watermarks(&position.topic, position.partition, endpoint.timeout())?;
            if position.next < 0 {
                position.next = low;
            } else if position.next < low || position.next > high {
                let gap = StreamError::Gap {
                    topic: position.topic.to_string(),
                    partition: position.partition,
                    first: position.next,
                    last: low.max(position.next) - 1,
                    low,
                    high,
                };
                if self.setup.config.journal.on_gap == OnGap::Stop {
                    return Err(gap.into());
                }
                tracing::error!(%gap, "going on with what there is, as on_gap = \"skip\" says");
                position.next = position.next.clamp(low, high);
            }
        }
        Ok(SourceConsumer::live(endpoint, &self.group(), &positions)?)
    }
}

impl Live {
    /// With the stage that outlives the recovery.
    pub(super) fn beside(mut self, effecting: Arbiter) -> Self {
        self.arbiters.push(effecting);
        self
    }

    /// Drops all stages as they are.
    pub(super) fn abandon(self) {
        self.poller.stop(false);
        stop_arbiters(self.arbiters);
    }
}

pub(super) fn stop_arbiters(arbiters: Vec<Arbiter>) {
    for arbiter in arbiters {
        arbiter.stop();
        if arbiter.join().is_err() {
            tracing::error!("a stage's thread panicked");
        }
    }
}
