use crate::journal::JournalError;
use crate::pipeline::machine::MachineError;
use crate::pipeline::recover::RecoverError;
use crate::registry::RegistryError;
use crate::schema::SchemaError;
use crate::stream::StreamError;

/// Why a pipeline ended.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Keys that the state was made for have changed (exit code 2).
    #[error(
        "pipeline {pipeline}: {} changed since the state was made; undo it, or start with `--reset model` to begin untrained",
        keys.join(", ")
    )]
    NeedsReset { pipeline: String, keys: Vec<String> },
    #[error("pipeline {pipeline}: stage {stage} failed {times} times in a row, last with: {message}")]
    GaveUp { pipeline: String, stage: &'static str, times: u32, message: String },
    #[error("pipeline {0}: its thread panicked")]
    Panicked(String),
}
