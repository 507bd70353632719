//! What the nearest rows say, at several numbers of neighbours.

use super::scores::{SURE, ln};
use crate::learn::Objective;
use crate::learn::neighbour::Nearest;

/// Neighbours that are looked for, and how many of them each opinion is of.
pub(super) const NEAREST: usize = 20;
const NUMBERS: [usize; 3] = [1, 5, NEAREST];

/// Opinions of rows whose ages are not known, and of rows whose ages are: one more, in which old rows count less.
pub(super) const OPINIONS: usize = NUMBERS.len();
pub(super) const AGED_OPINIONS: usize = OPINIONS + 1;

/// Rows after which a neighbour counts half.
const HALF_LIFE: f32 = 100.0;

/// The importance that a neighbour counts with at most.
const WEIGHT_MAX: f32 = 8.0;

/// A vote is spread over all classes beside those of the neighbours.
const SPREAD: f32 = 0.5;

/// A neighbour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Neighbour {
    /// Squared distance.
    pub square: f32,
    pub target: f32,
    /// Rows that were learned since.
    pub age: f32,
    /// Importance.
    pub weight: f32,
}

/// Room to look for them.
#[derive(Debug, Clone)]
pub(super) struct Looking(pub Nearest);

impl Default for Looking {
    fn default() -> Self {
        Self(Nearest::new(NEAREST))
    }
}

/// Nearest first.
pub(super) type Found = Vec<Neighbour>;

/// The opinions, `[OPINIONS or AGED_OPINIONS, scores]`, of neighbours whose targets are classes or standardised values.
pub(super) fn vote(objective: Objective, found: &Found, scores: usize, out: &mut [f32]) {
    let numbers = NUMBERS.into_iter().map(|k| (k, 0.0)).chain([(NEAREST, 1.0 / HALF_LIFE)]);
    for ((k, fade), out) in numbers.zip(out.chunks_exact_mut(scores)) {
        let near = &found[..k.min(found.len())];
        // Nearer ones count more, by the distance of the farthest.
        let reach = near.last().map_or(1.0, |last| last.square.max(1e-12));
        let weight = |one: &Neighbour| {
            one.weight.min(WEIGHT_MAX) / ((0.15 + one.square / reach) * (1.0 + one.age * fade))
        };
        match objective {
            Objective::Classify { classes } => {
                if let [score] = out {
                    let (mut no, mut yes) = (SPREAD, SPREAD);
                    for one in near {
                        *(if one.target > 0.5 { &mut yes } else { &mut no }) += weight(one);
                    }
                    *score = (ln(yes) - ln(no)).clamp(-SURE, SURE);
                    continue;
                }
                out.fill(1.0 / classes as f32);
                for one in near {
                    out[one.target as usize] += weight(one);
                }
                out.iter_mut().for_each(|out| *out = ln(*out));
                let middle = out.iter().sum::<f32>() / classes as f32;
                out.iter_mut().for_each(|out| *out = (*out - middle).clamp(-SURE, SURE));
            }
            Objective::Regress => {
                let (mut sum, mut total) = (0.0, 1e-6);
                for one in near {
                    sum += weight(one) * one.target;
                    total += weight(one);
                }
                out[0] = sum / total;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_counts_by_its_importance() {
        let one = |target: f32, weight: f32| Neighbour { square: 0.0, target, age: 0.0, weight };
        let mut heavy = [0.0; OPINIONS];
        let mut light = heavy;
        vote(Objective::Classify { classes: 2 }, &vec![one(1.0, 8.0), one(0.0, 0.1)], 1, &mut heavy);
        vote(Objective::Classify { classes: 2 }, &vec![one(1.0, 0.1), one(0.0, 8.0)], 1, &mut light);
        assert!(heavy[2] > 1.0 && light[2] < -1.0, "{heavy:?} {light:?}");
        vote(Objective::Regress, &vec![one(3.0, 8.0), one(-3.0, 0.1)], 1, &mut heavy);
        assert!(heavy[2] > 2.5, "{heavy:?}");
    }
}
