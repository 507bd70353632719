use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::latency;

/// Open-loop pacing: event `i` is due at start + i/rate, whatever became of the events before it, so that one that is
/// late does not push the later ones back: they are caught up with.
#[derive(Debug)]
pub struct Pacer {
    start: Instant,
    /// Events a second; `None`: everything is due at once.
    rate: Option<f64>,
}

impl Pacer {
    /// A rate is finite and above 0.
    pub fn new(start: Instant, rate: Option<f64>) -> Self {
        Self { start, rate }
    }

    /// Time from the start to when event `index` (from 0) is due; `None` without a rate.
    pub fn due_after(&self, index: u64) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(index as f64 / rate))
    }

    /// When event `index` (from 0) is due; `None` without a rate.
    pub fn due_at(&self, index: u64) -> Option<Instant> {
        self.due_after(index).map(|after| self.start + after)
    }
}

/// How late events were sent, against when they were due.
#[derive(Debug)]
pub struct Lateness {
    micros: Histogram<u64>,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { micros: latency::histogram_us() }
    }
}

impl Lateness {
    /// Adds one event; an early one is not late.
    pub fn add(&mut self, due: Instant, sent: Instant) {
        latency::record(&mut self.micros, sent.saturating_duration_since(due));
    }

    /// Largest lateness, in milliseconds, to three digits.
    pub fn ms_max(&self) -> f64 {
        latency::max_ms(&self.micros)
    }

    /// Lateness that 99 of 100 events did not pass, in milliseconds, to three digits.
    pub fn ms_p99(&self) -> f64 {
        latency::quantile_ms(&self.micros, 0.99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_do_not_drift_over_a_long_run() {
        let pacer = Pacer::new(Instant::now(), Some(3.0));

        assert_eq!(pacer.due_after(0), Some(Duration::ZERO));
        assert_eq!(pacer.due_after(3), Some(Duration::from_secs(1)));
        assert_eq!(pacer.due_after(3 * 86_400 * 365), Some(Duration::from_secs(86_400 * 365)));
    }

    #[test]
    fn without_a_rate_nothing_is_waited_for() {
        assert_eq!(Pacer::new(Instant::now(), None).due_after(7), None);
    }

    #[test]
    fn lateness_is_of_the_late_ones_and_early_counts_as_none() {
        let start = Instant::now();
        let mut lateness = Lateness::default();
        for _ in 0..99 {
            lateness.add(start + Duration::from_secs(1), start);
        }
        lateness.add(start, start + Duration::from_millis(250));

        assert_eq!(lateness.ms_p99(), 0.0);
        assert!((lateness.ms_max() - 250.0).abs() < 1.0);
    }
}
