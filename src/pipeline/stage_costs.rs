use std::sync::Arc;

use super::decode::{Decoded, Decoder, Skips};
use super::machine::{Machine, MachineError};
use super::setup::Setup;
use crate::journal::{Body, Entry, describe};
use crate::schema::SchemaError;
use crate::stream::Records;

/// What the pure stages take for some batches, in nanoseconds of the clock that was handed in.
#[derive(Debug, Clone, Copy, Default)]
pub struct StageCosts {
    pub events: u64,
    /// What the sequencer says of a batch, its hash among it.
    pub describe_ns: u64,
    pub decode_ns: u64,
    /// Predict, join, learn, judge, publish; the predictions' bytes too.
    pub apply_ns: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum StageCostsError {
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// Takes the batches through the stages, one after the other on this thread: what a pipeline computes, without Kafka,
/// disk and actors.
pub fn stage_costs(
    setup: &Arc<Setup>,
    batches: &[Records],
    now_ns: impl Fn() -> u64,
) -> Result<StageCosts, StageCostsError> {
    let decoder = Decoder::new(setup, None)?;
    let mut machine = Machine::new(setup.clone(), None, None)?;
    let skips = Skips::new();
    let (build, cpu, config) = (super::build().into(), super::cpu_class(), setup.config.effective_json());
    let epoch = Body::Epoch { epoch: 1, build, cpu, threads: 1, config };
    machine.apply(&Entry { n: 1, time_ms: 1, body: epoch }, None, &skips)?;
    let mut costs = StageCosts::default();
    for (n, records) in (2..).zip(batches) {
        let records = records.clone();
        costs.events += records.len() as u64;
        let start = now_ns();
        let parts = describe(&records);
        let described = now_ns();
        let rows = decoder.decode(n, &records, &skips);
        let decoded = now_ns();
        let entry = Entry { n, time_ms: n, body: Body::Batch { parts } };
        let before = now_ns();
        drop(machine.apply(&entry, Some(Decoded { rows, records }), &skips)?);
        costs.apply_ns += now_ns() - before;
        costs.decode_ns += decoded - described;
        costs.describe_ns += described - start;
    }
    Ok(costs)
}
