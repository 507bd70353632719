use super::super::scan::{Nearest, Query};
use super::super::vote::{Neighbour, neighbours};
use super::super::window::{Place, Window};
use crate::learn::Objective;

/// Takes out of `memory` what a row of the target `target` contradicts: of its nearest there, those that are no farther
/// than the farthest of its neighbours in the short-term memory, `near`, of the same class, and are of another class.
///
/// In a regression (in the manner of Jakob, Artelt, Hasenjäger and Hammer, 2022) the farthest of all its neighbours
/// counts, and a value is another one if it is farther from the target than any of theirs.
pub(super) fn clean(
    memory: &mut Window,
    nearest: &Nearest,
    near: impl Iterator<Item = Neighbour>,
    target: f32,
    objective: Objective,
) {
    let (mut reach, mut tolerance) = (f32::NEG_INFINITY, 0.0_f64);
    let off = |value: f32| (f64::from(value) - f64::from(target)).abs();
    for (distance, value, _) in near {
        match objective {
            Objective::Classify { .. } if value != target => continue,
            Objective::Classify { .. } => {}
            Objective::Regress => tolerance = tolerance.max(off(value)),
        }
        reach = reach.max(distance);
    }
    let mut wrong: Vec<Place> = nearest
        .found()
        .iter()
        .filter(|(distance, place)| *distance <= reach && off(memory.target(*place)) > tolerance)
        .map(|(_, place)| *place)
        .collect();
    // Newest first: the row that takes the place of one that goes is none of those that go.
    wrong.sort_unstable_by(|a, b| b.cmp(a));
    wrong.into_iter().for_each(|place| memory.remove(place));
}

/// Takes out of `gone` what any row of the short-term memory contradicts. `scales` and `mismatches` are the query's.
pub(super) fn clean_all(
    gone: &mut Window,
    short: &Window,
    (scales, mismatches): (&[f32], &[f32]),
    k: usize,
    objective: Objective,
) {
    let (mut numbers, mut codes) = (Vec::new(), Vec::new());
    for place in short.places() {
        if gone.len() == 0 {
            return;
        }
        short.block(place).row_into(place.row as usize, &mut numbers, &mut codes);
        let query = Query { numbers: &numbers, scales, codes: &codes, mismatches };
        let mut near = Nearest::of(short, &query, k + 1);
        near.leave_out(place, k);
        let nearest = Nearest::of(gone, &query, k);
        clean(gone, &nearest, neighbours(short, &near), short.target(place), objective);
    }
}
