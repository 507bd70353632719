//! What the labels learned last tell of the next: the last three, their shares at several rates, and the one of a period
//! ago, where labels have a period.

use super::scores::floats;
use crate::learn::Objective;
use crate::state::{StateError, TensorMap, mismatch};

/// Labels remembered: the longest period.
const MEMORY: usize = 1024;

/// The labels that are columns as they are: of lags 1 to 3, and of a period ago.
pub(super) const LAGS: usize = 4;

/// The most classes whose shares are columns. Of more the first are: where classes are discovered there is room for many,
/// and the first are those that there are.
const SHARED_MAX: usize = 12;
pub(super) const FIRST: usize = 6;

/// How fast shares forget.
const RATES: [f32; 4] = [0.25, 0.06, 0.015, 0.004];

/// How fast the score of a period follows.
const MATCH_RATE: f32 = 1.0 / 512.0;

/// Columns of shares for an objective, and the classes that they are of.
fn shared(objective: Objective) -> (usize, usize) {
    match objective {
        Objective::Classify { classes: 2 } | Objective::Regress => (RATES.len(), 1),
        Objective::Classify { classes } if classes <= SHARED_MAX => (2, classes),
        Objective::Classify { .. } => (2, FIRST),
    }
}

/// Columns that [`Labels::columns`] fills.
pub(super) fn width(objective: Objective) -> usize {
    let (rates, of) = shared(objective);
    LAGS + rates * of
}

#[derive(Debug, Clone)]
pub(super) struct Labels {
    objective: Objective,
    /// Labels learned so far.
    learned: u64,
    /// `[2, MEMORY]`: label `i` at `i % MEMORY`, and again `MEMORY` further, so that the last ones are in one piece.
    ring: Vec<f32>,
    /// `[MEMORY]`: how well the label of `MEMORY - index` labels ago foretold the last ones.
    matches: Vec<f32>,
    /// `[rates, classes]`.
    shares: Vec<f32>,
}

impl Labels {
    pub fn new(objective: Objective) -> Self {
        let (rates, of) = shared(objective);
        let even = match objective {
            Objective::Classify { classes } => 1.0 / classes as f32,
            Objective::Regress => 0.0,
        };
        Self {
            objective,
            learned: 0,
            ring: vec![0.0; 2 * MEMORY],
            matches: vec![0.0; MEMORY],
            shares: vec![even; rates * of],
        }
    }

    /// A label was learned; `scale` is one over the deviation of values, 1 for classes.
    pub fn learn(&mut self, label: f32, scale: f32) {
        let at = (self.learned % MEMORY as u64) as usize;
        let known = self.learned.min(MEMORY as u64) as usize;
        // The ring's entry at + i is MEMORY - i labels ago; of lag MEMORY the one that is overwritten below.
        let past = &self.ring[at + MEMORY - known..at + MEMORY];
        for (score, before) in self.matches[MEMORY - known..].iter_mut().zip(past) {
            let gap = (label - before).abs() * scale;
            let fits = 1.0 - if gap < 1.0 { gap } else { 1.0 };
            *score += MATCH_RATE * (fits - *score);
        }
        self.ring[at] = label;
        self.ring[at + MEMORY] = label;
        let (_, of) = shared(self.objective);
        for (index, shares) in self.shares.chunks_exact_mut(of.max(1)).enumerate() {
            let rate = RATES[if of > 1 { 2 * index + 1 } else { index }];
            for (class, share) in shares.iter_mut().enumerate() {
                let now = match self.objective {
                    Objective::Classify { classes: 2 } | Objective::Regress => label,
                    Objective::Classify { .. } => f32::from(class == label as usize),
                };
                *share = (*share + rate * (now - *share)).clamp(f32::MIN, f32::MAX);
            }
        }
        self.learned += 1;
    }

    fn lag(&self, lag: u64) -> f32 {
        if lag == 0 || lag > self.learned || lag > MEMORY as u64 {
            return f32::NAN;
        }
        self.ring[((self.learned - lag) % MEMORY as u64) as usize]
    }

    /// The columns of a row before which `observed` came.
    pub fn columns(&self, observed: u64, out: &mut [f32]) {
        let (lags, shares) = out.split_at_mut(LAGS);
        for (lag, out) in (1..).zip(&mut lags[..LAGS - 1]) {
            *out = self.lag(lag);
        }
        lags[LAGS - 1] = self.period_ago(observed);
        if self.learned == 0 {
            shares.fill(f32::NAN);
        } else {
            shares.copy_from_slice(&self.shares);
        }
    }

    /// The label of the row one period before the next row to come, for the period that has foretold best among those
    /// whose label is known.
    fn period_ago(&self, observed: u64) -> f32 {
        let late = observed.saturating_sub(self.learned);
        let shortest = (late + 1).max(2);
        // Lags that were met at least twice as often as they are long.
        let longest = (self.learned / 3).min(MEMORY as u64);
        if shortest > longest {
            return f32::NAN;
        }
        let (first, last) = (MEMORY - longest as usize, MEMORY - shortest as usize);
        let candidates = &self.matches[first..=last];
        let mut highest = f32::MIN;
        for score in candidates {
            highest = if *score > highest { *score } else { highest };
        }
        let index = candidates.iter().rposition(|score| *score == highest).unwrap_or(0);
        self.lag((MEMORY - first - index) as u64 - late)
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("learned", self.learned);
        map.put_f32("ring", &self.ring[..MEMORY]);
        map.put_f32("matches", &self.matches);
        map.put_f32("shares", &self.shares);
        map
    }

    pub fn load(objective: Objective, state: &TensorMap) -> Result<Self, StateError> {
        let new = Self::new(objective);
        let learned = state.u64_one("learned")?;
        if learned > u64::MAX / 2 {
            return Err(mismatch("learned", learned, "fewer labels"));
        }
        let mut ring = floats(state, "ring", MEMORY)?;
        let odd = |label: &&f32| **label != 0.0 && objective.importance(**label, 1.0).is_none();
        if let Some(label) = ring.iter().find(odd) {
            return Err(mismatch("ring", label, "labels of the task"));
        }
        ring.extend_from_within(..);
        let matches = floats(state, "matches", MEMORY)?;
        let shares = floats(state, "shares", new.shares.len())?;
        Ok(Self { learned, ring, matches, shares, ..new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_classes_than_have_columns_the_first_have() {
        let objective = Objective::Classify { classes: 32 };
        let mut labels = Labels::new(objective);
        (0..200).for_each(|_| labels.learn(3.0, 1.0));
        let mut out = vec![0.0; width(objective)];
        labels.columns(200, &mut out);
        assert_eq!(out.len(), LAGS + 2 * FIRST);
        assert!(out[LAGS + 3] > 0.9 && out[LAGS] < 0.1, "{out:?}");
    }

    #[test]
    fn a_count_that_cannot_be_is_refused() {
        let mut state = Labels::new(Objective::Regress).save();
        state.put_u64_one("learned", u64::MAX);
        let error = Labels::load(Objective::Regress, &state).unwrap_err().to_string();
        assert!(error.contains("learned"), "{error}");
    }
}
