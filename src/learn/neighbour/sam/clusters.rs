use super::super::scan::{Nearest, Query, all_distances};
use super::super::window::{Place, Window};
use crate::learn::Objective;
use crate::learn::counter::Counter;

/// What distances are measured with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metric<'a> {
    /// One over the deviation of each numeric column.
    pub scales: &'a [f32],
    /// Squared distance of two categories of each column.
    pub mismatches: &'a [f32],
    /// One over the deviation of the targets.
    pub target_scale: f32,
}

/// A window of half as many rows, or one of each class: the centres of clusters of the rows of each class, by k-means++
/// (Arthur and Vassilvitskii, 2007) and one step of Lloyd's. A category is the one that most of the cluster have, as in
/// k-modes (Huang, 1998). In a regression all rows are clustered together, with the target as one more column.
pub(super) fn halved(window: &Window, objective: Objective, metric: Metric<'_>, random: Counter) -> Window {
    let mut places: Vec<Place> = window.places().collect();
    let regress = objective == Objective::Regress;
    if !regress {
        // Stable, so that rows of a class stay in their order.
        places.sort_by(|a, b| window.target(*a).total_cmp(&window.target(*b)));
    }
    let mut scales = metric.scales.to_vec();
    if regress {
        scales.push(metric.target_scale);
    }
    let mut halved = window.empty();
    let (mut numbers, mut codes, mut draws) = (Vec::new(), Vec::new(), 0);
    for group in places.chunk_by(|a, b| regress || window.target(*a) == window.target(*b)) {
        let mut points = Window::endless(scales.len(), window.categorical());
        for place in group {
            window.block(*place).row_into(place.row as usize, &mut numbers, &mut codes);
            if regress {
                numbers.push(window.target(*place));
            }
            points.push(&numbers, &codes, window.target(*place), window.weight(*place));
        }
        let metric = (&scales[..], metric.mismatches);
        let (owners, count) = seeded(&points, (group.len() / 2).max(1), metric, random, &mut draws);
        let centres = centres(&points, &owners, count);
        let owners = owned(&points, &centres, metric);
        let centres = self::centres(&points, &owners, centres.len());
        for place in centres.places() {
            centres.block(place).row_into(place.row as usize, &mut numbers, &mut codes);
            let target = if regress { numbers.pop().unwrap_or(0.0) } else { centres.target(place) };
            halved.push(&numbers, &codes, target, centres.weight(place));
        }
    }
    halved
}

/// The nearest of at most `count` rows drawn by k-means++, for each point, and how many were drawn.
fn seeded(
    points: &Window,
    count: usize,
    (scales, mismatches): (&[f32], &[f32]),
    random: Counter,
    draws: &mut u64,
) -> (Vec<usize>, usize) {
    let places: Vec<Place> = points.places().collect();
    let (mut least, mut owners) = (vec![f32::INFINITY; places.len()], vec![0; places.len()]);
    let (mut numbers, mut codes, mut distances) = (Vec::new(), Vec::new(), Vec::new());
    let mut drawn = random.below(*draws, places.len() as u64) as usize;
    *draws += 1;
    for centre in 0..count {
        points.block(places[drawn]).row_into(places[drawn].row as usize, &mut numbers, &mut codes);
        all_distances(
            points,
            &Query { numbers: &numbers, scales, codes: &codes, mismatches },
            &mut distances,
        );
        let mut total = 0.0;
        for ((least, owner), distance) in least.iter_mut().zip(&mut owners).zip(&distances) {
            if distance < least {
                (*least, *owner) = (*distance, centre);
            }
            total += f64::from(*least);
        }
        if total <= 0.0 {
            return (owners, centre + 1);
        }
        // In proportion to the squared distance from the nearest that was drawn.
        let mut rest = (random.bits(*draws) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64) * total;
        *draws += 1;
        for (row, square) in least.iter().enumerate().filter(|(_, square)| **square > 0.0) {
            drawn = row;
            rest -= f64::from(*square);
            if rest < 0.0 {
                break;
            }
        }
    }
    (owners, count)
}

/// The nearest centre of each point.
fn owned(points: &Window, centres: &Window, (scales, mismatches): (&[f32], &[f32])) -> Vec<usize> {
    let (mut numbers, mut codes) = (Vec::new(), Vec::new());
    let indices: Vec<Place> = centres.places().collect();
    points
        .places()
        .map(|place| {
            points.block(place).row_into(place.row as usize, &mut numbers, &mut codes);
            let query = Query { numbers: &numbers, scales, codes: &codes, mismatches };
            let nearest = Nearest::of(centres, &query, 1);
            nearest.found().first().map_or(0, |(_, place)| indices.partition_point(|other| other < place))
        })
        .collect()
}

/// The middles of the points of each owner that has any: means, most frequent categories (the lowest of several), mean
/// importance.
fn centres(points: &Window, owners: &[usize], count: usize) -> Window {
    let mut members: Vec<Vec<Place>> = vec![Vec::new(); count];
    points.places().zip(owners).for_each(|(place, owner)| members[*owner].push(place));
    let mut centres = points.empty();
    let mut codes = Vec::new();
    for members in members.iter().filter(|members| !members.is_empty()) {
        let mean = |of: &dyn Fn(&Place) -> f32| {
            let sum: f64 = members.iter().map(|place| f64::from(of(place))).sum();
            (sum / members.len() as f64) as f32
        };
        let value = |place: &Place, column: usize| points.block(*place).numbers[column][place.row as usize];
        let numbers: Vec<f32> =
            (0..points.numeric()).map(|column| mean(&|place| value(place, column))).collect();
        let modes: Vec<u32> = (0..points.categorical())
            .map(|column| {
                codes.clear();
                codes.extend(members.iter().map(|p| points.block(*p).codes[column][p.row as usize]));
                codes.sort_unstable();
                let runs = codes.chunk_by(|a, b| a == b);
                runs.fold((0, 0), |most, run| if run.len() > most.1 { (run[0], run.len()) } else { most }).0
            })
            .collect();
        let weight = mean(&|place| points.weight(*place)).max(f32::from_bits(1));
        centres.push(&numbers, &modes, points.target(members[0]), weight);
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::testing::{BINARY, SplitMix};

    fn metric<'a>(scales: &'a [f32]) -> Metric<'a> {
        Metric { scales, mismatches: &[1.0], target_scale: 1.0 }
    }

    #[test]
    fn clusters_that_lie_apart_become_their_means_class_by_class() {
        // Pairs a thousandth apart, far from each other.
        let mut window = Window::endless(1, 1);
        for row in 0..16_u32 {
            let value = (row / 2 * 10) as f32 + 0.001 * (row % 2) as f32;
            window.push(&[value], &[row / 2], (row / 8) as f32, 1.0 + (row % 2) as f32);
        }
        let halved = halved(&window, BINARY, metric(&[1.0]), Counter::new(1, 0));
        let mut found: Vec<(f32, u32, f32, f32)> = halved
            .places()
            .map(|place| {
                let (block, row) = (halved.block(place), place.row as usize);
                (block.numbers[0][row], block.codes[0][row], halved.target(place), halved.weight(place))
            })
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(found.len(), 8);
        for (pair, (value, code, target, weight)) in (0_u32..).zip(found) {
            assert!((value - ((pair * 10) as f32 + 0.0005)).abs() < 1e-4, "{value}");
            assert_eq!((code, target, weight), (pair, (pair / 4) as f32, 1.5));
        }
    }

    #[test]
    fn rows_that_are_all_the_same_become_one_and_each_class_keeps_one() {
        let mut window = Window::endless(1, 0);
        (0..40).for_each(|row| window.push(&[5.0], &[], (row % 4 / 3) as f32, 1.0));
        let halved = halved(&window, BINARY, metric(&[1.0]), Counter::new(1, 0));
        assert_eq!(halved.places().map(|place| halved.target(place)).collect::<Vec<_>>(), [0.0, 1.0]);
    }

    #[test]
    fn values_of_a_regression_are_kept_apart_where_the_columns_are_not() {
        let mut window = Window::endless(1, 0);
        (0..10).for_each(|row| window.push(&[1.0], &[], if row < 5 { 0.0 } else { 100.0 }, 1.0));
        let halved = halved(&window, Objective::Regress, metric(&[1.0]), Counter::new(1, 0));
        let mut targets: Vec<f32> = halved.places().map(|place| halved.target(place)).collect();
        targets.sort_by(f32::total_cmp);
        assert_eq!(targets, [0.0, 100.0]);
    }

    #[test]
    fn numbers_of_any_size_leave_finite_centres() {
        let mut random = SplitMix(5);
        let mut window = Window::endless(2, 0);
        for _ in 0..50 {
            let sign = if random.below(2) == 0 { f32::MAX } else { f32::MIN };
            window.push(&[sign, f32::MIN_POSITIVE], &[], 0.0, f32::from_bits(1));
        }
        let halved = halved(&window, BINARY, metric(&[0.0, 1.0]), Counter::new(1, 0));
        let mut rows = halved
            .places()
            .map(|place| (halved.block(place).numbers[0][place.row as usize], halved.weight(place)));
        assert!(rows.all(|(number, weight)| number.is_finite() && weight > 0.0));
    }
}
