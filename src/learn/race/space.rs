use crate::learn::counter::Counter;

/// Stream of random numbers of proposals.
const PROPOSALS: u64 = 0x0072_6163_6500;

/// Longest and shortest step from the champion, of the whole range.
const STEP_MAX: f64 = 0.25;
const STEP_MIN: f64 = 1.0 / 64.0;

/// Proposes settings, as places of 0 to 1 in the range of each key.
///
/// The first ones are spread over the space. Then, of each three, two are the champion's with a step in a random
/// direction and with the opposite one, as in ChaCha and FLOW2 (Wu, Wang and Huang, 2021), at a random scale; the third
/// is anywhere, since the best settings may be far from the champion's, and may move.
#[derive(Debug, Clone)]
pub(super) struct Space {
    random: Counter,
    keys: usize,
    /// Proposals at the start that are spread.
    spread: u64,
}

impl Space {
    pub fn new(seed: u64, keys: usize, spread: usize) -> Self {
        Self { random: Counter::new(seed, PROPOSALS), keys, spread: spread as u64 }
    }

    /// Proposal `number`, around the champion's places where it is to be.
    pub fn propose(&self, number: u64, champion: &[f64]) -> Vec<f64> {
        if number < self.spread {
            return self.anywhere(number);
        }
        let (round, turn) = ((number - self.spread) / 3, (number - self.spread) % 3);
        if turn == 2 {
            return self.anywhere(self.spread + round);
        }
        let base = round * (self.keys as u64 + 1);
        let unit = |index: u64| f64::from(self.random.symmetric(base + index));
        let scale = STEP_MIN * libm::pow(STEP_MAX / STEP_MIN, 0.5 * (unit(0) + 1.0));
        let direction: Vec<f64> = (1..=self.keys as u64).map(unit).collect();
        let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        let sign = if turn == 0 { scale } else { -scale };
        champion.iter().zip(direction).map(|(at, along)| reflect(at + sign * along / length)).collect()
    }

    /// Evenly spread, however many (Roberts, 2018): multiples of powers of the root of `x^(keys + 1) = x + 1`.
    fn anywhere(&self, index: u64) -> Vec<f64> {
        let mut root = 2.0;
        for _ in 0..64 {
            root = libm::pow(1.0 + root, 1.0 / (self.keys as f64 + 1.0));
        }
        let place = |key: usize| (0.5 + (index + 1) as f64 * libm::pow(root, -(key as f64))).fract();
        (1..=self.keys).map(place).collect()
    }
}

/// Back into 0 to 1 from the border.
fn reflect(at: f64) -> f64 {
    let at = at.abs();
    if at > 1.0 { (2.0 - at).max(0.0) } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_spread_at_first_and_then_also_surround_the_champion() {
        let space = Space::new(1, 2, 50);
        let mut cells = [0; 16];
        for number in 0..50 {
            let places = space.propose(number, &[0.1, 0.1]);
            cells[(places[0] * 4.0) as usize * 4 + (places[1] * 4.0) as usize] += 1;
        }
        assert!(cells.iter().all(|count| (1..=6).contains(count)), "{cells:?}");
        for round in 0..50 {
            let [up, down] = [0, 1].map(|turn| space.propose(50 + 3 * round + turn, &[0.5, 0.5]));
            let middle: Vec<f64> = up.iter().zip(&down).map(|(a, b)| 0.5 * (a + b)).collect();
            assert!(middle.iter().all(|at| (at - 0.5).abs() < 1e-12), "{up:?} {down:?}");
            let far = up.iter().map(|at| (at - 0.5) * (at - 0.5)).sum::<f64>().sqrt();
            assert!((STEP_MIN..=STEP_MAX).contains(&far), "{far}");
        }
        for number in 0..500 {
            assert!(space.propose(number, &[0.01, 0.99]).iter().all(|at| (0.0..=1.0).contains(at)));
        }
    }
}
