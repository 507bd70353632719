//! The state machine that ties join, learn, gate and monitors, and the actors around it.

mod accounts;
mod batch;
mod blame;
mod classes;
mod cursor;
mod decode;
mod effects;
mod live;
mod machine;
mod outputs;
mod probe;
mod rebuild;
mod recover;
mod service;
mod setup;
mod stage_costs;
#[cfg(test)]
mod tests;

pub use accounts::{Accounts, EventAccounts, LabelAccounts};
pub use classes::Classes;
pub use live::{Phase, Pipeline, PipelineError, Report, Services, Status};
pub use machine::{Machine, MachineError, config_digest, made_for_digest};
pub use probe::{Probe, Probed, Stage};
pub use rebuild::rebuild;
pub use recover::{RecoverError, Recovered, Recovery, Sink};
pub use service::{Options, Running, Service, ServiceError};
pub use setup::{Places, Setup};
pub use stage_costs::{StageCosts, StageCostsError, stage_costs};

/// Between which machines digests are comparable: build, CPU class and threads.
pub fn machine_class() -> String {
    format!("{} {} threads=1", build(), cpu_class())
}

/// Version of this build.
pub fn build() -> &'static str {
    concat!("tidewheel ", env!("CARGO_PKG_VERSION"))
}

/// Architecture and the SIMD level that run-time dispatch chooses.
pub fn cpu_class() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let level = if is_x86_feature_detected!("avx512f") {
            "avx512f"
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            "avx2+fma"
        } else {
            "sse2"
        };
        format!("x86_64/{level}")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH.to_owned()
    }
}
