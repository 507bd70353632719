//! What the nearest rows say, at several numbers of neighbours.

use super::scores::{SURE, ln};
use crate::learn::Objective;

/// Neighbours that are looked for, and how many of them each opinion is of.
pub(super) const NEAREST: usize = 20;
pub(super) const OPINIONS: [usize; 3] = [1, 5, NEAREST];

/// A vote is spread over all classes beside those of the neighbours.
const SPREAD: f32 = 0.5;

/// Squared distance and target, nearest first.
pub(super) type Found = Vec<(f32, f32)>;

/// The opinions, `[OPINIONS, scores]`, of neighbours whose targets are classes or standardised values.
pub(super) fn vote(objective: Objective, found: &Found, out: &mut [f32]) {
    let scores = out.len() / OPINIONS.len();
    for (k, out) in OPINIONS.into_iter().zip(out.chunks_exact_mut(scores)) {
        let near = &found[..k.min(found.len())];
        // Nearer ones count more, by the distance of the farthest.
        let reach = near.last().map_or(1.0, |(square, _)| square.max(1e-12));
        let weight = |square: f32| 1.0 / (0.15 + square / reach);
        match objective {
            Objective::Classify { classes } => {
                if let [score] = out {
                    let (mut no, mut yes) = (SPREAD, SPREAD);
                    for (square, target) in near {
                        *(if *target > 0.5 { &mut yes } else { &mut no }) += weight(*square);
                    }
                    *score = (ln(yes) - ln(no)).clamp(-SURE, SURE);
                    continue;
                }
                out.fill(1.0 / classes as f32);
                for (square, target) in near {
                    out[*target as usize] += weight(*square);
                }
                out.iter_mut().for_each(|out| *out = ln(*out));
                let middle = out.iter().sum::<f32>() / classes as f32;
                out.iter_mut().for_each(|out| *out = (*out - middle).clamp(-SURE, SURE));
            }
            Objective::Regress => {
                let (mut sum, mut total) = (0.0, 1e-6);
                for (square, target) in near {
                    sum += weight(*square) * target;
                    total += weight(*square);
                }
                out[0] = sum / total;
            }
        }
    }
}
