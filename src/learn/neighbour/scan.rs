use super::vote::{Neighbour, neighbours};
use super::window::{BLOCK, Block, Place, Window};

/// Rows that go through the vector units together.
pub(super) const LANES: usize = 16;

/// Columns after which a group of rows is given up if all of it is too far already.
const LOOK: usize = 8;

/// A difference counts as at most 16 deviations: no value of any size makes a distance infinite.
pub(super) const SQUARE_MAX: f32 = 256.0;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::learn) struct Query<'a> {
    /// `[numeric]`; finite.
    pub numbers: &'a [f32],
    /// One over the standard deviation of each column, 0 for a constant one.
    pub scales: &'a [f32],
    /// `[categorical]`.
    pub codes: &'a [u32],
    /// Squared distance of two categories of each column.
    pub mismatches: &'a [f32],
}

/// The nearest rows found so far, nearest first.
#[derive(Debug, Clone)]
pub(in crate::learn) struct Nearest {
    k: usize,
    /// Rows this far and farther are of no interest.
    limit: f32,
    found: Vec<(f32, Place)>,
}

impl Nearest {
    pub fn new(k: usize) -> Self {
        Self { k, limit: f32::INFINITY, found: Vec::with_capacity(k + 1) }
    }

    /// Squared distances and rows, nearest first; of rows at one distance, those found first.
    pub fn found(&self) -> &[(f32, Place)] {
        &self.found
    }

    /// Where a row has to be nearer than to come in.
    #[inline(always)]
    pub fn bound(&self) -> f32 {
        if self.found.len() < self.k { self.limit } else { self.found[self.k - 1].0 }
    }

    #[inline]
    pub fn offer(&mut self, distance: f32, place: Place) {
        if distance >= self.bound() {
            return;
        }
        let at = self.found.partition_point(|(other, _)| *other <= distance);
        self.found.insert(at, (distance, place));
        self.found.truncate(self.k);
    }

    /// The nearest rows of a window, the newest of those at one distance.
    pub fn of(window: &Window, query: &Query<'_>, k: usize) -> Self {
        let mut nearest = Self::new(k);
        nearest.search(window, query);
        nearest
    }

    /// Forgets what was found, to search among rows nearer than `limit`.
    pub fn begin(&mut self, limit: f32) {
        self.found.clear();
        self.limit = limit;
    }

    /// Looks through a window.
    pub fn search(&mut self, window: &Window, query: &Query<'_>) {
        for (index, block, first) in window.newest_first() {
            for group in (first / LANES..block.len.div_ceil(LANES)).rev() {
                self.scan(index, block, first, group, query);
            }
        }
    }

    /// As [`Nearest::of`]; on the way `look` sees what the newest rows alone give, for each number of rows in
    /// `counts`, ascending, of those that there are.
    pub fn nested(
        window: &Window,
        query: &Query<'_>,
        k: usize,
        counts: &[usize],
        mut look: impl FnMut(usize, &Self),
    ) -> Self {
        let (mut nearest, mut seen, mut next) = (Self::new(k), 0, 0);
        let mut pass = |seen: usize, nearest: &Self| {
            while counts.get(next) == Some(&seen) {
                look(next, nearest);
                next += 1;
            }
            counts.get(next).copied().unwrap_or(usize::MAX)
        };
        let mut border = pass(0, &nearest);
        for (index, block, first) in window.newest_first() {
            for group in (first / LANES..block.len.div_ceil(LANES)).rev() {
                let (start, end) = (first.max(group * LANES), block.len.min(group * LANES + LANES));
                if seen + (end - start) < border {
                    nearest.scan(index, block, first, group, query);
                    seen += end - start;
                    continue;
                }
                let distances = distances(block, group, query, nearest.bound());
                for row in (start..end).rev() {
                    if let Some(distances) = &distances {
                        let place = Place { block: index, row: row as u32 };
                        nearest.offer(distances[row - group * LANES], place);
                    }
                    seen += 1;
                    border = pass(seen, &nearest);
                }
            }
        }
        nearest
    }

    /// The `k` nearest of these, found in `window`, and those found in another; of rows at one distance, these first.
    pub fn with(&self, window: &Window, other: &Self, others: &Window, k: usize) -> Vec<Neighbour> {
        let mut found: Vec<Neighbour> = neighbours(window, self).chain(neighbours(others, other)).collect();
        // Stable.
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(k);
        found
    }

    /// Leaves a row out, and then all but `k`.
    pub fn leave_out(&mut self, place: Place, k: usize) {
        self.found.retain(|(_, other)| *other != place);
        self.found.truncate(k);
        self.k = k;
    }

    /// Offers the rows of a group, newest first.
    #[inline]
    fn scan(&mut self, index: u32, block: &Block, first: usize, group: usize, query: &Query<'_>) {
        let bound = self.bound();
        let Some(distances) = distances(block, group, query, bound) else {
            return;
        };
        let start = group * LANES;
        for row in (first.max(start)..block.len.min(start + LANES)).rev() {
            self.offer(distances[row - start], Place { block: index, row: row as u32 });
        }
    }
}

/// Squared distances of all rows of a window out of which none has left, oldest first, in place of what the vector holds.
pub(super) fn all_distances(window: &Window, query: &Query<'_>, out: &mut Vec<f32>) {
    out.clear();
    for place in window.places().filter(|place| (place.row as usize).is_multiple_of(LANES)) {
        let (block, group) = (window.block(place), place.row as usize / LANES);
        let distances = distances(block, group, query, f32::INFINITY).unwrap_or([f32::INFINITY; LANES]);
        out.extend(&distances[..LANES.min(block.len - group * LANES)]);
    }
}

/// Squared distances of the rows of a group; none where all are `bound` or farther. Of rows that are not there, anything.
#[inline]
pub(super) fn distances(block: &Block, group: usize, query: &Query<'_>, bound: f32) -> Option<[f32; LANES]> {
    let mut sums = [0.0; LANES];
    let columns = block.numbers.iter().zip(query.numbers.iter().zip(query.scales));
    for (index, (column, (value, scale))) in columns.enumerate() {
        let column = lanes(column, group);
        for lane in 0..LANES {
            let difference = (column[lane] - value) * scale;
            let square = difference * difference;
            // The other way round than `min`, for a NaN: infinite differences times 0.
            sums[lane] += if square < SQUARE_MAX { square } else { SQUARE_MAX };
        }
        if index % LOOK == LOOK - 1 && all_beyond(&sums, bound) {
            return None;
        }
    }
    for ((column, code), mismatch) in block.codes.iter().zip(query.codes).zip(query.mismatches) {
        let column = lanes(column, group);
        for lane in 0..LANES {
            sums[lane] += if column[lane] == *code { 0.0 } else { *mismatch };
        }
    }
    if all_beyond(&sums, bound) { None } else { Some(sums) }
}

#[inline(always)]
fn lanes<T>(column: &[T; BLOCK], group: usize) -> &[T; LANES] {
    let (groups, _) = column.as_chunks::<LANES>();
    &groups[group]
}

#[inline(always)]
fn all_beyond(sums: &[f32; LANES], bound: f32) -> bool {
    let mut least = f32::INFINITY;
    for sum in sums {
        least = if *sum < least { *sum } else { least };
    }
    least >= bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::testing::SplitMix;

    #[test]
    fn it_finds_what_sorting_all_distances_finds() {
        let mut random = SplitMix(11);
        for (numeric, categorical, rows, rows_max) in
            [(1, 0, 10, 100), (3, 1, 500, 100), (20, 2, 300, 1_000), (0, 2, 200, 150), (54, 0, 130, 128)]
        {
            let mut window = Window::new(rows_max, numeric, categorical);
            for row in 0..rows {
                // Few values: many rows are at one distance.
                let numbers: Vec<f32> = (0..numeric).map(|_| random.below(4) as f32).collect();
                let codes: Vec<u32> = (0..categorical).map(|_| random.below(3) as u32).collect();
                window.push(&numbers, &codes, row as f32, 1.0);
            }
            let numbers: Vec<f32> = (0..numeric).map(|_| random.below(4) as f32).collect();
            let codes: Vec<u32> = (0..categorical).map(|_| random.below(3) as u32).collect();
            let (scales, mismatches) = (vec![0.5; numeric], vec![1.0; categorical]);
            let query = Query { numbers: &numbers, scales: &scales, codes: &codes, mismatches: &mismatches };
            let mut all: Vec<(f32, f32)> = window
                .places()
                .map(|place| {
                    let (block, row) = (window.block(place), place.row as usize);
                    let far = block.numbers.iter().zip(&numbers);
                    let far: f32 = far.map(|(column, value)| ((column[row] - value) * 0.5).powi(2)).sum();
                    let other = block.codes.iter().zip(&codes).filter(|(column, code)| column[row] != **code);
                    (far + other.count() as f32, window.target(place))
                })
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
            for k in [1, 5, 40] {
                let nearest = Nearest::of(&window, &query, k);
                let found: Vec<(f32, f32)> =
                    nearest.found().iter().map(|(far, place)| (*far, window.target(*place))).collect();
                assert_eq!(found, all[..k.min(all.len())], "{numeric} {categorical} {k}");
            }
        }
    }

    #[test]
    fn values_of_any_size_leave_distances_finite_and_other_columns_in_force() {
        let mut window = Window::new(10, 2, 0);
        window.push(&[f32::MAX, 1.0], &[], 0.0, 1.0);
        window.push(&[f32::MAX, 2.0], &[], 1.0, 1.0);
        let query = Query { numbers: &[f32::MIN, 1.1], scales: &[0.0, 1.0], codes: &[], mismatches: &[] };
        let nearest = Nearest::of(&window, &query, 2);
        assert_eq!(window.target(nearest.found()[0].1), 0.0);
        assert!(nearest.found().iter().all(|(far, _)| far.is_finite()));
    }
}
