use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use super::BrokerError;

/// Below the ports that Linux gives to outgoing connections (32768 and up), so that no client takes a broker's port while it is down.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port of 127.0.0.1 that nothing listens on, and that no other call in this process has been given.
pub(super) fn free_port() -> Result<u16, BrokerError> {
    // Each process starts elsewhere: test binaries that run side by side rarely try the same port at the same moment.
    static START: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = *START.get_or_init(|| {
        let random = RandomState::new().build_hasher().finish() % u64::from(COUNT);
        u16::try_from(random).expect("a remainder of 10,000 fits")
    });
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(BrokerError::NoFreePort { first: FIRST, last: FIRST + COUNT - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_and_given_once() {
        let mut given = Vec::new();
        for _ in 0..50 {
            let port = free_port().unwrap();
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
            assert!(!given.contains(&port), "{port} was given twice");
            given.push(port);
        }
    }
}
