use std::process::ExitCode;

use crate::config::ConfigError;
use crate::journal::JournalError;
use crate::pipeline::{MachineError, PipelineError, RecoverError, ServiceError};
use crate::stream::StreamError;

pub const HELP: &str = "Exit codes: 0 clean, 1 a check or comparison that failed, 2 configuration or input, 3 Kafka unreachable at \
start, 4 the journal names records that Kafka no longer has, 5 fenced by another owner, 6 stored state is corrupt.";

/// Why a command ends with another code than 0.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Something that was asked for does not hold.
    #[error("{0}")]
    Check(String),
    /// The command cannot be carried out as it was given.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Check(_) => 1,
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Service(ServiceError::Pipeline(error)) => pipeline(error),
            Self::Service(ServiceError::Listen { .. } | ServiceError::Data { .. }) => 2,
            Self::Recover(error) => recover(error),
            Self::Journal(error) => journal(error),
        })
    }
}

fn pipeline(error: &PipelineError) -> u8 {
    match error {
        PipelineError::NeedsReset { .. } | PipelineError::Schema(_) => 2,
        PipelineError::Journal(error) => journal(error),
        PipelineError::Recover(error) => recover(error),
        PipelineError::Machine(error) => machine(error),
        PipelineError::Stream(error) => stream(error),
        PipelineError::Registry(_) => 6,
        PipelineError::GaveUp { .. } | PipelineError::Panicked(_) => 1,
    }
}

fn recover(error: &RecoverError) -> u8 {
    match error {
        RecoverError::Journal(error) => journal(error),
        RecoverError::Machine(error) => machine(error),
        RecoverError::Schema(_) => 2,
        RecoverError::Short { .. } | RecoverError::Cold(_) => 6,
        RecoverError::Panics { .. } | RecoverError::ReadOnly { .. } => 1,
        RecoverError::Stopped { .. } => 0,
    }
}

fn machine(error: &MachineError) -> u8 {
    match error {
        MachineError::Schema(_) => 2,
        MachineError::Config(_) | MachineError::State(_) | MachineError::Join(_) => 6,
    }
}

fn journal(error: &JournalError) -> u8 {
    match error {
        JournalError::Gap { .. } | JournalError::Begins { .. } => 4,
        JournalError::Corrupt { .. } | JournalError::Short { .. } | JournalError::Foreign { .. } => 6,
        JournalError::Stream(error) => stream(error),
        JournalError::Owned(_) | JournalError::Fenced { .. } => 5,
        JournalError::Io { .. }
        | JournalError::Refused { .. }
        | JournalError::Broken { .. }
        | JournalError::TooLarge { .. }
        | JournalError::Closed => 1,
    }
}

fn stream(error: &StreamError) -> u8 {
    match error {
        StreamError::Unreachable { .. } => 3,
        StreamError::Gap { .. } => 4,
        StreamError::Topic { .. } => 2,
        StreamError::Stopped { .. } => 0,
        StreamError::Kafka(_) => 1,
    }
}
