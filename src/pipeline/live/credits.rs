use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use metrics::Gauge;

/// Bytes of records that may be on their way; out of credits means not polling.
pub struct Credits {
    bytes_max: usize,
    used: Mutex<usize>,
    freed: Condvar,
    gauge: Gauge,
}

/// What a batch took; given back when it is dropped, wherever that is.
pub struct Permit {
    credits: Arc<Credits>,
    bytes: usize,
}

impl Credits {
    pub fn new(pipeline: &str, bytes_max: usize) -> Arc<Self> {
        let labels = [("pipeline", pipeline.to_owned())];
        metrics::gauge!("tidewheel_credit_limit_bytes", &labels).set(bytes_max as f64);
        let gauge = metrics::gauge!("tidewheel_credit_used_bytes", &labels);
        Arc::new(Self { bytes_max, used: Mutex::new(0), freed: Condvar::new(), gauge })
    }

    /// Waits until a batch may be polled, at most `timeout`; false when there is still no credit.
    pub fn wait(&self, timeout: Duration) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if *used < self.bytes_max {
            return true;
        }
        let (used, _) = self.freed.wait_timeout(used, timeout).unwrap_or_else(PoisonError::into_inner);
        *used < self.bytes_max
    }

    /// Takes credit for a batch that is there; the last one may overdraw by its own size.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Permit {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used += bytes;
        self.gauge.set(*used as f64);
        Permit { credits: self.clone(), bytes }
    }

    #[cfg(test)]
    fn used(&self) -> usize {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut used = self.credits.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used -= self.bytes;
        self.credits.gauge.set(*used as f64);
        self.credits.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_runs_out_and_comes_back_when_the_batch_is_dropped() {
        let credits = Credits::new("test", 100);
        let first = credits.take(60);
        assert!(credits.wait(Duration::ZERO));
        let second = credits.take(60);
        assert!(!credits.wait(Duration::from_millis(1)));
        drop(first);
        assert!(credits.wait(Duration::ZERO));
        drop(second);
        assert_eq!(credits.used(), 0);
    }
}
