use std::collections::VecDeque;
use std::sync::Arc;

use super::scan::{LANES, Query, distances};
use super::segment::{Flat, Segment};
use super::vote::Neighbour;
use super::window::{Block, Window};

/// Rows that the scan goes through one by one before they are sorted into boxes.
const RECENT: usize = 512;

/// A window of fewer rows is scanned as it is.
const SORTED_MIN: usize = 8 * RECENT;

/// The last rows: the newest in a window of blocks, older ones sorted into segments that a search can skip most of.
///
/// Whenever there are [`RECENT`] in the window, they become a segment, and two segments of one length become one twice
/// as long (the logarithmic method of Bentley and Saxe, 1980), so that a row is sorted once for each time that the
/// memory doubles; none is longer than half of all rows. A search gives what looking at every row gives: the segments
/// are no part of the state. At most half as many rows again as are remembered are kept until their segment goes.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    rows_max: usize,
    /// Rows from which a window becomes a segment; none: never.
    recent: Option<usize>,
    /// Oldest first.
    segments: VecDeque<Arc<Segment>>,
    window: Window,
    /// Number of the oldest row that is remembered, and of the next to come.
    oldest: u64,
    next: u64,
}

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// Squared distance.
    pub square: f32,
    /// Number of the row: the higher, the younger.
    pub number: u64,
    pub target: f32,
    pub weight: f32,
}

/// Room for a search, and what it found.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    k: usize,
    /// Nearest first; of rows at one distance, the newest.
    found: Vec<Found>,
    /// Boxes to look into: least distance, youngest row, segment, index there.
    boxes: Vec<(f32, u64, u32, u32)>,
}

impl Search {
    #[cfg(test)]
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    pub fn neighbours(&self) -> impl Iterator<Item = Neighbour> + Clone {
        self.found.iter().map(|found| (found.square, found.target, found.weight))
    }

    /// Distance of the farthest that is still wanted.
    #[inline(always)]
    fn bound(&self) -> f32 {
        if self.found.len() < self.k { f32::INFINITY } else { self.found[self.k - 1].square }
    }

    /// Whether a row so far away and so old is none of the nearest.
    #[inline(always)]
    fn refuses(&self, square: f32, number: u64) -> bool {
        match self.found.get(self.k - 1) {
            Some(last) => square > last.square || square == last.square && number < last.number,
            None => false,
        }
    }

    #[inline]
    fn offer(&mut self, square: f32, number: u64, block: &Block, row: usize) {
        if self.refuses(square, number) {
            return;
        }
        let nearer = |other: &Found| other.square < square || other.square == square && other.number > number;
        let at = self.found.partition_point(nearer);
        let found = Found { square, number, target: block.targets[row], weight: block.weights[row] };
        self.found.insert(at, found);
        self.found.truncate(self.k);
    }
}

impl Memory {
    pub fn new(rows_max: usize, numeric: usize, categorical: usize) -> Self {
        Self::sorted_from(rows_max, (rows_max >= SORTED_MIN).then_some(RECENT), numeric, categorical)
    }

    fn sorted_from(rows_max: usize, recent: Option<usize>, numeric: usize, categorical: usize) -> Self {
        let window = Window::endless(numeric, categorical);
        Self { rows_max, recent, segments: VecDeque::new(), window, oldest: 0, next: 0 }
    }

    /// Takes a row in; the oldest leaves where there are too many. `metric`, scales and mismatches, is a query's of the moment:
    /// it decides what is sorted together.
    pub fn push(
        &mut self,
        (numbers, codes): (&[f32], &[u32]),
        (target, weight): (f32, f32),
        metric: (&[f32], &[f32]),
    ) {
        self.window.push(numbers, codes, target, weight);
        self.next += 1;
        if self.next - self.oldest > self.rows_max as u64 {
            self.oldest += 1;
            match self.segments.front() {
                None => self.window.drop_oldest(1),
                Some(first) if first.end() <= self.oldest => _ = self.segments.pop_front(),
                Some(_) => {}
            }
        }
        if self.recent.is_some_and(|recent| self.window.len() >= recent) {
            self.sort_in(metric);
        }
    }

    #[cold]
    fn sort_in(&mut self, metric: (&[f32], &[f32])) {
        let first = self.next - self.window.len() as u64;
        let mut rows = Flat::default();
        for place in self.window.places() {
            rows.push(self.window.block(place), place.row as usize);
        }
        self.window = self.window.empty();
        let (mut first, mut all) = (first, vec![rows]);
        let mut len = (self.next - first) as usize;
        while let Some(last) = self.segments.back() {
            if last.len > len || last.len + len > self.rows_max / 2 {
                break;
            }
            let mut rows = Flat::default();
            last.by_age().into_iter().for_each(|(block, row)| rows.push(block, row));
            (first, len) = (last.first, last.len + len);
            all.push(rows);
            self.segments.pop_back();
        }
        let mut rows = Flat::default();
        all.into_iter().rev().for_each(|older| rows.append(older));
        self.segments.push_back(Arc::new(Segment::of(&rows, first, metric)));
    }

    /// All rows, oldest first: block and row there.
    pub fn rows(&self) -> Vec<(&Block, usize)> {
        let mut rows: Vec<(&Block, usize)> = Vec::with_capacity((self.next - self.oldest) as usize);
        for segment in &self.segments {
            let gone = self.oldest.saturating_sub(segment.first) as usize;
            rows.extend(segment.by_age().into_iter().skip(gone));
        }
        rows.extend(self.window.places().map(|place| (self.window.block(place), place.row as usize)));
        rows
    }

    /// The `k` nearest rows, the newest of those at one distance, into `search`.
    pub fn nearest(&self, query: &Query<'_>, k: usize, search: &mut Search) {
        search.k = k;
        search.found.clear();
        search.boxes.clear();
        for (index, segment) in (0..).zip(&self.segments) {
            for (outer, boxes) in segment.outermost().iter().enumerate() {
                let gaps = boxes.gaps(query);
                for (lane, gap) in gaps.into_iter().enumerate().take(boxes.len) {
                    let newest = segment.first + u64::from(boxes.newest[lane]);
                    search.boxes.push((gap, newest, index, (outer * LANES + lane) as u32));
                }
            }
        }
        search.boxes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        for at in 0..search.boxes.len() {
            let (gap, newest, segment, index) = search.boxes[at];
            if gap > search.bound() {
                break;
            }
            if !search.refuses(gap, newest) {
                self.look_into(&self.segments[segment as usize], 2, index as usize, query, search);
            }
        }
        self.look_at_recent(query, search);
    }

    /// Looks into box `index` of a level, nearest boxes in it first.
    fn look_into(
        &self,
        segment: &Segment,
        level: usize,
        index: usize,
        query: &Query<'_>,
        search: &mut Search,
    ) {
        let boxes = segment.within(level, index);
        let gaps = boxes.gaps(query);
        let mut lanes = [0_usize; LANES];
        let mut count = 0;
        for (lane, gap) in gaps.into_iter().enumerate().take(boxes.len) {
            let newest = segment.first + u64::from(boxes.newest[lane]);
            if newest >= self.oldest && !search.refuses(gap, newest) {
                lanes[count] = lane;
                count += 1;
            }
        }
        lanes[..count].sort_unstable_by(|a, b| gaps[*a].total_cmp(&gaps[*b]).then(a.cmp(b)));
        for lane in &lanes[..count] {
            let newest = segment.first + u64::from(boxes.newest[*lane]);
            if search.refuses(gaps[*lane], newest) {
                continue;
            }
            let inner = index * LANES + lane;
            if level > 1 {
                self.look_into(segment, level - 1, inner, query, search);
                continue;
            }
            let (block, group, numbers) = segment.group(inner);
            // Rows at the very bound are wanted if they are newer.
            let Some(squares) = distances(block, group, query, search.bound().next_up()) else {
                continue;
            };
            for (lane, number) in numbers.iter().enumerate() {
                let number = segment.first + u64::from(*number);
                if number >= self.oldest {
                    search.offer(squares[lane], number, block, group * LANES + lane);
                }
            }
        }
    }

    fn look_at_recent(&self, query: &Query<'_>, search: &mut Search) {
        let mut end = self.next;
        for (_, block, first) in self.window.newest_first() {
            for group in (first / LANES..block.len.div_ceil(LANES)).rev() {
                let (start, stop) = (first.max(group * LANES), block.len.min(group * LANES + LANES));
                let squares = distances(block, group, query, search.bound().next_up());
                if let Some(squares) = squares {
                    for row in (start..stop).rev() {
                        let number = end - (stop - row) as u64;
                        search.offer(squares[row - group * LANES], number, block, row);
                    }
                }
                end -= (stop - start) as u64;
            }
        }
    }
}

impl Flat {
    fn push(&mut self, block: &Block, row: usize) {
        self.numbers.extend(block.numbers.iter().map(|column| column[row]));
        self.codes.extend(block.codes.iter().map(|column| column[row]));
        self.targets.push((block.targets[row], block.weights[row]));
    }

    fn append(&mut self, mut other: Self) {
        self.numbers.append(&mut other.numbers);
        self.codes.append(&mut other.codes);
        self.targets.append(&mut other.targets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::neighbour::segment::boxes_hold;
    use crate::learn::testing::SplitMix;

    /// Distance as `distances` has it.
    fn square(block: &Block, row: usize, query: &Query<'_>) -> f32 {
        let numbers = block.numbers.iter().zip(query.numbers).zip(query.scales);
        let far = numbers.map(|((column, value), scale)| {
            let difference = (column[row] - value) * scale;
            let square = difference * difference;
            if square < 256.0 { square } else { 256.0 }
        });
        let far = far.fold(0.0, |sum, square| sum + square);
        let other = block.codes.iter().zip(query.codes);
        other.fold(far, |sum, (column, code)| sum + if column[row] == *code { 0.0 } else { 0.7 })
    }

    #[test]
    fn a_search_finds_what_looking_at_every_row_finds_whatever_left_and_whatever_the_scales() {
        let mut random = SplitMix(5);
        for (numeric, categorical, rows, rows_max, values) in [
            (3, 0, 3_000, 10_000, 1_000_000),
            (3, 1, 3_000, 700, 1_000),
            (2, 2, 2_000, 1_000, 3),
            (0, 2, 700, 400, 5),
            (20, 0, 2_000, 1_500, 50),
        ] {
            let mut memory = Memory::sorted_from(rows_max, Some(64), numeric, categorical);
            let mut scales: Vec<f32> = (0..numeric).map(|column| 0.5 + column as f32).collect();
            let mismatches = vec![0.7; categorical];
            let mut search = Search::default();
            let row = |random: &mut SplitMix| {
                let nasty = [f32::MAX, f32::MIN, 0.0, 1e-45];
                let mut number = |_| match random.below(200) {
                    odd @ 0..4 => nasty[odd as usize],
                    _ => random.below(values) as f32 * 3.0 / values as f32,
                };
                let numbers: Vec<f32> = (0..numeric).map(&mut number).collect();
                let codes: Vec<u32> = (0..categorical).map(|_| random.below(4) as u32).collect();
                (numbers, codes)
            };
            for place in 0..rows {
                let (numbers, codes) = row(&mut random);
                memory.push((&numbers, &codes), (place as f32, 1.0), (&scales, &mismatches));
                if place % 37 != 5 {
                    continue;
                }
                scales.iter_mut().for_each(|scale| *scale = [0.0, 0.3, 1.0, 2.0][random.below(4) as usize]);
                let (numbers, codes) = row(&mut random);
                let query =
                    Query { numbers: &numbers, scales: &scales, codes: &codes, mismatches: &mismatches };
                let all = memory.rows();
                assert_eq!(all.len(), rows_max.min(place + 1));
                let mut expected: Vec<(f32, f32)> = all
                    .iter()
                    .map(|(block, row)| (square(block, *row, &query), block.targets[*row]))
                    .collect();
                let ages: Vec<f32> = expected.iter().map(|(_, target)| *target).collect();
                assert!(ages.is_sorted(), "rows come by age");
                expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
                for k in [1, 4, 30] {
                    memory.nearest(&query, k, &mut search);
                    let found: Vec<(f32, f32)> =
                        search.found().iter().map(|found| (found.square, found.target)).collect();
                    assert_eq!(
                        found,
                        expected[..k.min(expected.len())],
                        "{numeric} {categorical} {place} {k}"
                    );
                }
                for segment in &memory.segments {
                    assert!(boxes_hold(segment, &query, |block, row| square(block, row, &query)));
                }
            }
            let kept: usize = memory.segments.iter().map(|segment| segment.len).sum();
            assert!(kept <= rows_max + rows_max / 2 + 64, "{kept} rows are kept of {rows_max}");
            assert!(memory.segments.len() <= 12, "{} segments", memory.segments.len());
        }
    }

    #[test]
    fn a_clone_shares_segments_and_never_sees_a_later_row() {
        let mut memory = Memory::new(10_000, 1, 0);
        for row in 0..5_000 {
            memory.push((&[row as f32], &[]), (0.0, 1.0), (&[1.0], &[]));
        }
        let before = memory.clone();
        let shared = before.segments.iter().zip(&memory.segments).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, before.segments.len());
        assert!(shared > 0);
        memory.push((&[7_000.0], &[]), (1.0, 1.0), (&[1.0], &[]));
        assert_eq!((before.rows().len(), memory.rows().len()), (5_000, 5_001));
    }
}
