use std::time::Duration;

use hdrhistogram::Histogram;

/// Longer times count as one hour.
const MICROS_MAX: u64 = 3_600_000_000;

/// Times in microseconds, to three significant digits, up to one hour.
pub(crate) fn histogram_us() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds and the digits are allowed")
}

/// Adds a time.
pub(crate) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    // Beyond the bound it counts as the bound, which is why this cannot fail.
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

/// A quantile (0 to 1) in milliseconds.
pub(crate) fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

/// The largest in milliseconds.
pub(crate) fn max_ms(histogram: &Histogram<u64>) -> f64 {
    histogram.max() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_from_microseconds_to_an_hour_are_kept_to_three_digits() {
        let mut histogram = histogram_us();
        for micros in [3, 5_000, 250_000, 3_000_000_000, u64::MAX] {
            record(&mut histogram, Duration::from_micros(micros));
        }

        let near = |quantile, ms: f64| (quantile_ms(&histogram, quantile) / ms - 1.0).abs() < 1e-3;
        assert!(near(0.2, 0.003) && near(0.4, 5.0) && near(0.6, 250.0) && near(0.8, 3e6));
        assert!((max_ms(&histogram) / 3.6e6 - 1.0).abs() < 1e-3);
    }
}
