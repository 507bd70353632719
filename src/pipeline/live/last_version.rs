use std::sync::Arc;

use super::error::PipelineError;
use crate::pipeline::machine::{MachineError, made_for_digest};
use crate::pipeline::setup::{Places, Setup};
use crate::registry::{Revision, Serving, VersionStore};

/// Readers get the last stored version at once, marked stale, until the journal is applied.
pub fn serve_last_version(setup: &Setup, places: &Places, serving: &Serving) -> Result<(), PipelineError> {
    let versions = VersionStore::new(&places.root);
    let Some(number) = versions.latest()? else { return Ok(()) };
    let stored = match versions.load(number) {
        Ok(stored) => stored,
        Err(error) => {
            // The journal makes the model again, so that nothing but a head start is lost.
            tracing::error!(version = number, %error, "the stored version cannot be served");
            metrics::counter!("tidewheel_versions_corrupt_total", "pipeline" => setup.name.to_string())
                .increment(1);
            return Ok(());
        }
    };
    if stored.manifest.made_for != made_for_digest(&setup.config) {
        tracing::warn!(version = number, "made for another schema or model: not serving the stored version");
        return Ok(());
    }
    let shape = setup.shape()?;
    let predictor = crate::learn::load_predictor(
        &setup.config.model,
        &shape,
        &setup.columns(),
        &stored.tensors.under("predictor"),
    )
    .map_err(MachineError::State)?;
    serving.set_stale(true);
    serving.swap(Arc::new(Revision {
        number: stored.manifest.revision,
        version: number,
        epoch: stored.manifest.epoch,
        published_ms: 0,
        objective: shape.objective,
        classes: stored.manifest.classes.iter().map(|name| name.as_str().into()).collect(),
        predictor,
    }));
    tracing::info!(version = number, "serving the last stored version until caught up");
    Ok(())
}
