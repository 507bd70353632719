//! Event streams with known drift, load, and checks for Tidewheel, over its public contracts only: the topics, the
//! journal as it is printed, and HTTP. It shares no code with the service, so it also tests it.

pub mod audit;
pub mod broker;
pub mod http;
mod latency;
pub mod replay;
pub mod streams;
