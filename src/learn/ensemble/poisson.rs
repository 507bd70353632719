//! Weights for online bagging.

/// Outcomes told apart; the last stands for all above.
const OUTCOMES: usize = 64;

/// The Poisson distribution, as a table of its cumulative probabilities in 64-bit fractions.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Poisson {
    below: Vec<u64>,
}

impl Poisson {
    /// With a mean above 0; one too large for the table is cut at its end.
    pub fn new(mean: f64) -> Self {
        let mut below = Vec::new();
        let (mut probability, mut sum) = (libm::exp(-mean), 0.0);
        for outcome in 0..OUTCOMES - 1 {
            sum += probability;
            // The conversion saturates.
            below.push((sum * 18_446_744_073_709_551_616.0) as u64);
            probability *= mean / (outcome + 1) as f64;
        }
        Self { below }
    }

    /// The outcome for 64 random bits.
    #[inline]
    pub fn draw(&self, bits: u64) -> u32 {
        self.below.iter().take_while(|below| bits >= **below).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::counter::Counter;

    #[test]
    fn outcomes_are_as_frequent_as_they_should_be() {
        for mean in [0.5, 1.0, 6.0] {
            let (poisson, random) = (Poisson::new(mean), Counter::new(3, 1));
            let draws: Vec<f64> = (0..200_000).map(|i| f64::from(poisson.draw(random.bits(i)))).collect();
            let n = draws.len() as f64;
            let average = draws.iter().sum::<f64>() / n;
            let variance = draws.iter().map(|draw| (draw - average).powi(2)).sum::<f64>() / n;
            let zeros = draws.iter().filter(|draw| **draw == 0.0).count() as f64 / n;
            assert!((average / mean - 1.0).abs() < 0.01 && (variance / mean - 1.0).abs() < 0.02, "{mean}");
            assert!((zeros - libm::exp(-mean)).abs() < 0.003, "{mean}: {zeros}");
        }
        assert_eq!([Poisson::new(6.0).draw(0), Poisson::new(1e-9).draw(u64::MAX / 2)], [0, 0]);
        assert!(Poisson::new(100.0).draw(u64::MAX) < OUTCOMES as u32);
    }
}
