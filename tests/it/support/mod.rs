//! What the tests stand on: a broker, a configuration with topics and a folder of its own, and the service as a process.

mod answer;
mod audit;
mod broker;
mod kafka;
mod random;
mod service;
mod trial;
mod wait;

pub use audit::{assert_accounts_add_up, audit};
pub use broker::{own_broker, shared_broker};
pub use kafka::{Sent, header};
pub use random::Random;
pub use service::Service;
pub use trial::{EVENTS, Trial};
pub use wait::{eventually, sleep_until};
