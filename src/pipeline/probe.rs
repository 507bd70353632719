use std::sync::Arc;

/// A part of the pipeline that can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Sequence,
    Decode,
    Predict,
    Join,
    Learn,
    Judge,
    Effect,
}

/// Told of every step inside a stage, after part of the stage's state was changed; tests make it panic there.
pub trait Probe: Send + Sync {
    fn at(&self, stage: Stage, entry: u64, offset: i64);
}

/// No probe, in everyday life.
pub type Probed = Option<Arc<dyn Probe>>;

/// Tells the probe, if there is one.
pub fn tell(probe: &Probed, stage: Stage, entry: u64, offset: i64) {
    if let Some(probe) = probe {
        probe.at(stage, entry, offset);
    }
}
