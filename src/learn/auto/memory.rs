//! A long memory of rows, by place: rows go to the bucket whose centre is nearest, a full bucket is split in two where it
//! is widest, and a search looks into the buckets nearest to a row. With no room for more buckets, the rows of a bucket
//! push out its oldest: the memory stays longest where rows are rare.

use std::sync::Arc;

use super::scores::floats;
use super::votes::{Found, Looking, NEAREST, Neighbour};
use crate::learn::Shape;
use crate::learn::encode::read_under;
use crate::learn::neighbour::{BLOCK, Query, Window, load_window, put_window};
use crate::state::{StateError, TensorMap, mismatch};

/// Rows of a bucket.
const ROWS: usize = 256;

/// Buckets that a search looks into.
const PROBES: usize = 6;

const LANES: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Memory {
    shape: Shape,
    stride: usize,
    buckets_max: usize,
    /// `[buckets, stride]`.
    centres: Vec<f32>,
    buckets: Vec<Arc<Window>>,
}

impl Memory {
    /// One of about `rows_max` rows, that takes no more than `bytes_max`.
    pub fn new(shape: &Shape, rows_max: usize, bytes_max: usize) -> Self {
        // The last block of a bucket may be nearly empty.
        let row_bytes = 8 + 4 * (shape.numeric + shape.categorical);
        let bucket_bytes = (ROWS + BLOCK) * row_bytes + 4 * shape.numeric.next_multiple_of(LANES) + 512;
        Self {
            shape: shape.clone(),
            stride: shape.numeric.next_multiple_of(LANES),
            // A bucket is filled by three quarters on average.
            buckets_max: (rows_max * 4 / 3 / ROWS).min(bytes_max / bucket_bytes).max(1),
            centres: Vec::new(),
            buckets: Vec::new(),
        }
    }

    fn window(&self) -> Window {
        Window::new(ROWS, self.shape.numeric, self.shape.categorical)
    }

    /// Squared distance of a bucket's centre.
    #[inline(always)]
    fn distance(&self, bucket: usize, query: &Query<'_>) -> f32 {
        let centre = &self.centres[bucket * self.stride..bucket * self.stride + query.numbers.len()];
        let mut sums = [0.0; LANES];
        let (centres, centre_rest) = centre.as_chunks::<LANES>();
        let (values, values_rest) = query.numbers.as_chunks::<LANES>();
        let (scales, scales_rest) = query.scales.as_chunks::<LANES>();
        for ((centre, value), scale) in centres.iter().zip(values).zip(scales) {
            for lane in 0..LANES {
                sums[lane] += square(centre[lane], value[lane], scale[lane]);
            }
        }
        for (lane, ((centre, value), scale)) in
            centre_rest.iter().zip(values_rest).zip(scales_rest).enumerate()
        {
            sums[lane] += square(*centre, *value, *scale);
        }
        ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
    }

    /// The nearest bucket.
    pub fn nearest(&self, query: &Query<'_>) -> usize {
        let mut nearest = (f32::INFINITY, usize::MAX);
        for bucket in 0..self.buckets.len() {
            let distance = self.distance(bucket, query);
            if distance < nearest.0 {
                nearest = (distance, bucket);
            }
        }
        nearest.1
    }

    /// Operations that a search takes, about, once the memory is full.
    pub fn operations(&self) -> usize {
        let columns = self.shape.numeric + self.shape.categorical + 1;
        4 * columns * (PROBES * ROWS + self.buckets_max)
    }

    /// The nearest rows, of those in the nearest buckets, into `found`; returns the nearest bucket.
    pub fn search(&self, query: &Query<'_>, Looking(nearest): &mut Looking, found: &mut Found) -> usize {
        found.clear();
        let mut probes = [(f32::INFINITY, usize::MAX); PROBES];
        for bucket in 0..self.buckets.len() {
            let distance = self.distance(bucket, query);
            if distance < probes[PROBES - 1].0 {
                let at = probes.partition_point(|(other, _)| *other <= distance);
                probes[at..].rotate_right(1);
                probes[at] = (distance, bucket);
            }
        }
        for (_, bucket) in probes.iter().take_while(|(_, bucket)| *bucket != usize::MAX) {
            let window = &self.buckets[*bucket];
            let bound = if found.len() < NEAREST { f32::INFINITY } else { found[NEAREST - 1].square };
            nearest.begin(bound);
            nearest.search(window, query);
            for (distance, place) in nearest.found() {
                let at = found.partition_point(|other| other.square <= *distance);
                let target = window.target(*place);
                let weight = window.weight(*place);
                found.insert(at, Neighbour { square: *distance, target, age: 0.0, weight });
            }
            found.truncate(NEAREST);
        }
        probes[0].1
    }

    /// Takes a row in, whose nearest bucket is `bucket`.
    pub fn push(&mut self, bucket: usize, query: &Query<'_>, target: f32, importance: f32) {
        let numeric = self.shape.numeric;
        if self.buckets.is_empty() {
            self.centres.resize(self.stride, 0.0);
            self.centres[..numeric].copy_from_slice(query.numbers);
            let window = self.window();
            self.buckets.push(Arc::new(window));
        }
        let bucket = bucket.min(self.buckets.len() - 1);
        Arc::make_mut(&mut self.buckets[bucket]).push(query.numbers, query.codes, target, importance);
        if self.buckets.len() < self.buckets_max && self.buckets[bucket].len() == ROWS {
            self.split(bucket, query.scales);
        }
    }

    /// Splits a bucket at the mean of the column in which it is widest, of those where neither part is nearly empty.
    fn split(&mut self, bucket: usize, scales: &[f32]) {
        let old = self.buckets[bucket].clone();
        let mut widest = (false, 0.0, 0, 0.0);
        for (column, scale) in scales.iter().enumerate() {
            let values = || old.places().map(|place| old.number(place, column) * scale);
            let mean = values().map(f64::from).sum::<f64>() / ROWS as f64;
            let variance = values().map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>();
            let above = values().filter(|value| f64::from(*value) > mean).count();
            // Parts of some size where there are, else at least not next to nothing: columns may be sparse.
            let even = (ROWS / 8..=ROWS - ROWS / 8).contains(&above);
            let uneven = (ROWS / 32..=ROWS - ROWS / 32).contains(&above);
            if uneven && (even, variance) > (widest.0, widest.1) {
                widest = (even, variance, column, mean);
            }
        }
        let (_, variance, column, mean) = widest;
        if variance == 0.0 {
            // All alike, or nearly: the oldest will go.
            return;
        }
        let mut parts = [self.window(), self.window()];
        let (mut numbers, mut codes) = (vec![0.0; self.shape.numeric], vec![0; self.shape.categorical]);
        for place in old.places() {
            let side =
                scales.get(column).is_some_and(|scale| f64::from(old.number(place, column) * scale) > mean);
            old.copy(place, &mut numbers, &mut codes);
            parts[usize::from(side)].push(&numbers, &codes, old.target(place), old.weight(place));
        }
        let [low, high] = parts;
        self.centres.resize(self.centres.len() + self.stride, 0.0);
        for (at, part) in [(bucket, &low), (self.buckets.len(), &high)] {
            for column in 0..self.shape.numeric {
                let sum: f64 = part.places().map(|place| f64::from(part.number(place, column))).sum();
                let mean = sum / part.len() as f64;
                self.centres[at * self.stride + column] = mean as f32;
            }
        }
        self.buckets[bucket] = Arc::new(low);
        self.buckets.push(Arc::new(high));
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("centres", &self.centres);
        map.put_u64_one("buckets", self.buckets.len() as u64);
        for (index, bucket) in self.buckets.iter().enumerate() {
            let mut rows = TensorMap::new();
            put_window(&mut rows, bucket);
            map.nest(&format!("bucket/{index:05}"), rows);
        }
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let buckets = state.u64_one("buckets")? as usize;
        if buckets > self.buckets_max {
            return Err(mismatch("buckets", buckets, format_args!("at most {}", self.buckets_max)));
        }
        let centres = floats(state, "centres", buckets * self.stride)?;
        let windows = (0..buckets).map(|index| {
            let window = read_under(state, &format!("bucket/{index:05}"), |state| {
                load_window(ROWS, &self.shape, state)
            });
            Ok(Arc::new(window?))
        });
        self.buckets = windows.collect::<Result<_, StateError>>()?;
        self.centres = centres;
        Ok(())
    }
}

#[inline(always)]
fn square(a: f32, b: f32, scale: f32) -> f32 {
    let difference = (a - b) * scale;
    let square = difference * difference;
    if square < 256.0 { square } else { 256.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::Objective;
    use crate::learn::testing::SplitMix;

    #[test]
    fn it_takes_no_more_than_it_may_however_many_rows_come() {
        let shape = Shape { numeric: 3, categorical: 1, objective: Objective::Regress };
        for bytes_max in [100_000, 400_000] {
            let mut memory = Memory::new(&shape, 1_000_000, bytes_max);
            let mut random = SplitMix(3);
            for _ in 0..60_000 {
                let numbers = [(); 3].map(|()| random.unit_f32());
                let query = Query { numbers: &numbers, scales: &[1.0; 3], codes: &[1], mismatches: &[1.0] };
                let bucket = memory.nearest(&query);
                memory.push(bucket, &query, 0.0, 1.0);
            }
            let blocks: usize = memory.buckets.iter().map(|bucket| bucket.blocks()).sum();
            // Four columns, targets and weights.
            let bytes = blocks * (BLOCK * 4 * 6 + 56);
            assert!(bytes <= bytes_max && 2 * bytes > bytes_max, "{bytes} of {bytes_max}");
        }
    }
}
