use crate::state::{StateError, TensorMap, mismatch};

/// Delays below this have a counter each.
const EXACT: u64 = 4_096;
/// Above it, each factor of two has so many buckets: the reading is the bucket's middle, within 0.8 % of the truth.
const PER_OCTAVE: u64 = 64;
const OCTAVES: u64 = (u64::BITS - EXACT.ilog2()) as u64;
const BUCKETS: usize = (EXACT + OCTAVES * PER_OCTAVE) as usize;

/// A histogram of label delays: how many events were predicted after an event, up to and including the entry that
/// learns it. Medians are exact below 4,096 and within 0.8 % above.
#[derive(Debug, Clone, PartialEq)]
pub struct DelayHistogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for DelayHistogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

fn bucket(delay: u64) -> usize {
    if delay < EXACT {
        return delay as usize;
    }
    let power = delay.ilog2();
    let within = (delay >> (power - PER_OCTAVE.ilog2())) - PER_OCTAVE;
    (EXACT + u64::from(power - EXACT.ilog2()) * PER_OCTAVE + within) as usize
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (octave, within) = ((bucket - EXACT) / PER_OCTAVE, (bucket - EXACT) % PER_OCTAVE);
    let width = (EXACT << octave) / PER_OCTAVE;
    (EXACT << octave) + within * width + width / 2
}

impl DelayHistogram {
    pub fn update(&mut self, delay: u64) {
        self.update_many(delay, 1);
    }

    /// The same delay `count` times.
    pub fn update_many(&mut self, delay: u64, count: u64) {
        self.counts[bucket(delay)] += count;
        self.total += count;
    }

    /// The lower median; none before the first delay.
    pub fn median(&self) -> Option<u64> {
        self.quantile(0.5)
    }

    /// The delay that a share `q` (0 to 1) of all does not exceed; none before the first.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let mut left = ((self.total as f64 * q).ceil() as u64).clamp(self.total.min(1), self.total);
        let found = self.counts.iter().position(|count| {
            let here = left > 0 && *count >= left;
            left = left.saturating_sub(*count);
            here
        });
        found.map(middle)
    }

    pub fn save(&self) -> TensorMap {
        let filled = || self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let mut map = TensorMap::new();
        map.put_u32("buckets", &filled().map(|(bucket, _)| bucket as u32).collect::<Vec<_>>());
        map.put_u64("counts", &filled().map(|(_, count)| *count).collect::<Vec<_>>());
        map
    }

    /// Takes a saved state over; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let (buckets, counts) = (state.u32s("buckets")?, state.u64s("counts")?);
        if buckets.len() != counts.len() {
            let expected = format!("{} elements", buckets.len());
            return Err(mismatch("counts", format!("{} elements", counts.len()), expected));
        }
        let mut loaded = Self::default();
        for (bucket, count) in buckets.into_iter().zip(counts) {
            let Some(slot) = loaded.counts.get_mut(bucket as usize) else {
                let expected = format!("buckets below {BUCKETS}");
                return Err(mismatch("buckets", format!("bucket {bucket}"), expected));
            };
            *slot = count;
            loaded.total += count;
        }
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_delay_there_is_no_median() {
        assert_eq!(DelayHistogram::default().median(), None);
    }

    #[test]
    fn the_greatest_delay_has_a_bucket() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn the_median_is_exact_below_4096_and_within_a_hundredth_above(
            delays in proptest::collection::vec(
                prop_oneof![0..40_u64, 0..EXACT, 0..u64::MAX / 2], 1..60
            )
        ) {
            let mut histogram = DelayHistogram::default();
            delays.iter().for_each(|delay| histogram.update(*delay));
            let mut sorted = delays.clone();
            sorted.sort_unstable();
            let truth = sorted[(sorted.len() - 1) / 2];
            let read = histogram.median().unwrap();
            let allowed = if truth < EXACT { 0.0 } else { 0.008 * truth as f64 };
            prop_assert!((read as f64 - truth as f64).abs() <= allowed, "{} for {}", read, truth);

            let mut back = DelayHistogram::default();
            back.load(&histogram.save()).unwrap();
            prop_assert_eq!(back, histogram);
        }
    }
}
