use crate::state::{StateError, TensorMap, at_least, mismatch, sized};

/// Examples with fewer of which nothing is decided.
const EXAMPLES_MIN: f64 = 32.0;

/// Losses of the champion less those of a challenger, on the examples that both predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Duel {
    count: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    /// The challenger is better.
    Better,
    Worse,
}

impl Duel {
    pub fn update(&mut self, by: f64) {
        self.count += 1.0;
        let gap = by - self.mean;
        self.mean += gap / self.count;
        self.squares += gap * (by - self.mean);
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// By how much the mean may be off: an empirical Bernstein bound (Audibert, Munos and Szepesvári, 2009) for all
    /// numbers of examples at once, without its term for the range, since losses have none. ChaCha bounds both losses
    /// alone; the difference on the same examples varies far less.
    fn bound(&self, delta: f64) -> f64 {
        let confidence = libm::log(3.0 * self.count * (self.count + 1.0) / delta);
        let variance = self.squares / self.count;
        (2.0 * variance * confidence / self.count).sqrt()
    }

    /// What the examples so far say, wrong with a probability of `delta`.
    pub fn verdict(&self, delta: f64) -> Verdict {
        if self.count < EXAMPLES_MIN {
            return Verdict::Open;
        }
        let bound = self.bound(delta);
        if self.mean > bound {
            Verdict::Better
        } else if self.mean < -bound {
            Verdict::Worse
        } else {
            Verdict::Open
        }
    }

    /// `duel`: count, mean, sum of squared deviations.
    pub fn save(&self, map: &mut TensorMap) {
        map.put_f64("duel", &[self.count, self.mean, self.squares]);
    }

    pub fn load(state: &TensorMap) -> Result<Self, StateError> {
        let numbers = at_least(sized(state.f64s("duel")?, 3, "duel")?, f64::MIN, "duel")?;
        if numbers[0] < 0.0 || numbers[2] < 0.0 {
            let found = format_args!("{numbers:?}");
            return Err(mismatch("duel", found, "a count, a mean and a sum of squares"));
        }
        Ok(Self { count: numbers[0], mean: numbers[1], squares: numbers[2] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SplitMix;

    fn after(count: u32, mut by: impl FnMut() -> f64) -> Verdict {
        let mut duel = Duel::default();
        for _ in 0..count {
            duel.update(by());
            if duel.verdict(0.05) != Verdict::Open {
                break;
            }
        }
        duel.verdict(0.05)
    }

    #[test]
    fn what_is_better_is_found_and_what_is_equal_hardly_ever_decided() {
        let mut random = SplitMix(3);
        assert_eq!(after(5_000, || random.unit() - 0.4), Verdict::Better);
        assert_eq!(after(5_000, || random.unit() - 0.6), Verdict::Worse);
        assert_eq!(after(20, || 1.0), Verdict::Open);
        let wrong = (0..200).filter(|_| after(2_000, || random.unit() - 0.5) != Verdict::Open).count();
        assert!(wrong <= 10, "{wrong} of 200");
    }
}
