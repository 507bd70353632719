use super::scan::Nearest;
use super::window::Window;
use crate::config::Vote;
use crate::learn::Objective;

/// A vote is spread over all classes beside those of the neighbours: no class is ruled out by a few rows.
const SPREAD: f64 = 1.0;

/// What is added to a distance: two rows that are nearer are the same.
const NEAR: f64 = 1e-6;

/// A neighbour: its squared distance, its target and its importance.
pub(super) type Neighbour = (f32, f32, f32);

/// What was found in a window, nearest first.
pub(super) fn neighbours<'a>(
    window: &'a Window,
    nearest: &'a Nearest,
) -> impl Iterator<Item = Neighbour> + Clone + use<'a> {
    nearest.found().iter().map(|(square, place)| (*square, window.target(*place), window.weight(*place)))
}

/// Targets and what their votes weigh, of neighbours that come nearest first.
fn votes<I: Iterator<Item = Neighbour> + Clone>(
    found: I,
    vote: Vote,
) -> impl Iterator<Item = (f32, f64)> + Clone + use<I> {
    let closest = found.clone().next().map_or(0.0, |(square, ..)| f64::from(square).sqrt()) + NEAR;
    found.map(move |(square, target, weight)| {
        let share = match vote {
            Vote::Uniform => 1.0,
            Vote::Distance => closest / (f64::from(square).sqrt() + NEAR),
        };
        (target, share * f64::from(weight))
    })
}

fn mean(votes: impl Iterator<Item = (f32, f64)>) -> f32 {
    let (sum, total) = votes.fold((0.0, 0.0), |(sum, total), (target, weight)| {
        (sum + weight * f64::from(target), total + weight)
    });
    let mean = if total > 0.0 { sum / total } else { 0.0 };
    mean.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}

/// The prediction of the nearest rows, nearest first, into `out`; of none: all classes alike, or 0.
pub(super) fn vote(
    found: impl Iterator<Item = Neighbour> + Clone,
    vote: Vote,
    objective: Objective,
    out: &mut [f32],
) {
    let votes = votes(found, vote);
    match objective {
        Objective::Classify { classes } => {
            let (count, total) =
                votes.clone().fold((0, 0.0), |(n, total), (_, weight)| (n + 1, total + weight));
            let mean = if count == 0 { 1.0 } else { total / f64::from(count) };
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
        Objective::Regress => out[0] = mean(votes),
    }
}

/// The likeliest class by the nearest rows, nearest first, the lower of two; or the mean of their values. None of none.
pub(super) fn answer(
    found: impl Iterator<Item = Neighbour> + Clone,
    vote: Vote,
    objective: Objective,
) -> Option<f32> {
    found.clone().next()?;
    let votes = votes(found, vote);
    if objective == Objective::Regress {
        return Some(mean(votes));
    }
    let mut best = (f32::INFINITY, 0.0);
    for (class, _) in votes.clone() {
        let weight: f64 = votes.clone().filter(|(other, _)| *other == class).map(|(_, weight)| weight).sum();
        if weight > best.1 || weight == best.1 && class < best.0 {
            best = (class, weight);
        }
    }
    Some(best.0)
}
