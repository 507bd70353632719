//! Random numbers by their place: the same (seed, stream, index) gives the same number on every machine, in any order.

/// The increment of SplitMix64: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One stream of numbers, each addressed by its index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter {
    key: u64,
}

impl Counter {
    pub fn new(seed: u64, stream: u64) -> Self {
        Self {
            key: mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(GOLDEN.wrapping_mul(stream.wrapping_add(1)))),
        }
    }

    /// The `index`-th output of SplitMix64 started at the stream's key.
    pub fn bits(self, index: u64) -> u64 {
        mix(self.key.wrapping_add(GOLDEN.wrapping_mul(index.wrapping_add(1))))
    }

    /// Uniform on `0..end`, to within `end / 2^64`.
    pub fn below(self, index: u64, end: u64) -> u64 {
        ((u128::from(self.bits(index)) * u128::from(end)) >> 64) as u64
    }

    /// Uniform on (-1, 1), symmetric, never zero; exact in an `f32`.
    pub fn symmetric(self, index: u64) -> f32 {
        let half = 1_i64 << 23;
        let odd = 2 * (self.bits(index) >> 41) as i64 + 1 - half;
        odd as f32 / half as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 1234567 of the reference implementation, <https://prng.di.unimi.it/splitmix64.c>.
    #[test]
    fn a_stream_is_splitmix64_of_its_key() {
        let stream = Counter { key: 1_234_567 };
        assert_eq!(
            [0, 1, 2].map(|index| stream.bits(index)),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn numbers_fill_the_interval_evenly() {
        let stream = Counter::new(7, 3);
        let numbers: Vec<f64> = (0..100_000).map(|index| f64::from(stream.symmetric(index))).collect();
        assert!(numbers.iter().all(|x| x.abs() < 1.0 && *x != 0.0));
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let square = numbers.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((square - 1.0 / 3.0).abs() < 0.01, "{square}");
    }

    #[test]
    fn whole_numbers_below_an_end_are_equally_likely() {
        let stream = Counter::new(7, 3);
        let mut counts = [0; 6];
        (0..60_000).for_each(|index| counts[stream.below(index, 6) as usize] += 1);
        assert!(counts.iter().all(|count| (9_700..10_300).contains(count)), "{counts:?}");
    }

    #[test]
    fn seeds_and_streams_differ() {
        let first = |seed, stream| Counter::new(seed, stream).bits(0);
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(0, 1));
    }
}
