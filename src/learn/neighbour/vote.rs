use super::scan::Nearest;
use super::window::Window;
use crate::config::Vote;
use crate::learn::Objective;

/// A vote is spread over all classes beside those of the neighbours: no class is ruled out by a few rows.
const SPREAD: f64 = 1.0;

/// What is added to a distance: two rows that are nearer are the same.
const NEAR: f64 = 1e-6;

/// The prediction of the nearest rows, into `out`; of none: all classes alike, or 0.
pub(super) fn vote(window: &Window, nearest: &Nearest, vote: Vote, objective: Objective, out: &mut [f32]) {
    let closest = nearest.found().first().map_or(0.0, |(square, _)| f64::from(*square).sqrt()) + NEAR;
    let votes = nearest.found().iter().map(|(square, place)| {
        let share = match vote {
            Vote::Uniform => 1.0,
            Vote::Distance => closest / (f64::from(*square).sqrt() + NEAR),
        };
        (window.target(*place), share * f64::from(window.weight(*place)))
    });
    match objective {
        Objective::Classify { classes } => {
            let total: f64 = votes.clone().map(|(_, weight)| weight).sum();
            let mean = if nearest.found().is_empty() { 1.0 } else { total / nearest.found().len() as f64 };
            // As heavy as the neighbours are.
            let spread = SPREAD * mean;
            out.fill((spread / classes as f64 / (total + spread)) as f32);
            for (target, weight) in votes {
                out[target as usize] += (weight / (total + spread)) as f32;
            }
            // Rounding only.
            let sum: f32 = out.iter().sum();
            out.iter_mut().for_each(|probability| *probability /= sum);
        }
        Objective::Regress => {
            let (sum, total) = votes.fold((0.0, 0.0), |(sum, total), (target, weight)| {
                (sum + weight * f64::from(target), total + weight)
            });
            let mean = if total > 0.0 { sum / total } else { 0.0 };
            out[0] = mean.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        }
    }
}
