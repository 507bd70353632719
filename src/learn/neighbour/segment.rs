use super::boxes::{Around, Boxes};
use super::scan::LANES;
use super::window::{BLOCK, Block};

/// Rows of the boxes, from the outermost in.
const UNITS: [usize; 3] = [LANES * LANES * LANES, LANES * LANES, LANES];

/// Rows by which the column to split at is chosen.
const SAMPLE: usize = 256;

/// Rows in the order of their age, on their way into a [`Segment`].
#[derive(Debug, Clone, Default)]
pub(super) struct Flat {
    /// `[rows, numeric]`.
    pub numbers: Vec<f32>,
    /// `[rows, categorical]`.
    pub codes: Vec<u32>,
    /// Target and importance.
    pub targets: Vec<(f32, f32)>,
}

/// Rows that no longer change, those that are near each other side by side, in boxes in boxes in boxes: a k-d tree
/// (Bentley, 1975; Friedman, Bentley and Finkel, 1977) of three levels of 16 branches.
///
/// The boxes are in the columns' own units, so that they hold whatever the scales of a query are.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// Number of the oldest row; the others follow by age.
    pub first: u64,
    pub len: usize,
    blocks: Vec<Block>,
    /// Number of each row, from `first`, in the order of the blocks.
    numbers: Vec<u32>,
    /// Boxes of 16 rows, of 256, and of 4,096.
    levels: [Vec<Boxes>; 3],
}

impl Segment {
    /// `rows`, of which there is one at least; `scales` and `mismatches` say what is near, and change no result.
    pub fn of(rows: &Flat, first: u64, (scales, mismatches): (&[f32], &[f32])) -> Self {
        let len = rows.targets.len();
        let (numeric, categorical) = (scales.len(), rows.codes.len() / len);
        let mut order: Vec<u32> = (0..len as u32).collect();
        sort(rows, &mut order, 0, (scales, mismatches));
        let mut blocks = Vec::with_capacity(len.div_ceil(BLOCK));
        for places in order.chunks(BLOCK) {
            let mut block = Block::new(numeric, categorical);
            for place in places.iter().map(|place| *place as usize) {
                let numbers = &rows.numbers[place * numeric..(place + 1) * numeric];
                let codes = &rows.codes[place * categorical..(place + 1) * categorical];
                block.push(numbers, codes, rows.targets[place].0, rows.targets[place].1);
            }
            blocks.push(block);
        }
        let around = |places: &[u32]| {
            let mut all = Around::new(numeric, categorical);
            for place in places.iter().map(|place| *place as usize) {
                for (own, number) in all.numbers.iter_mut().zip(&rows.numbers[place * numeric..]) {
                    *own = (own.0.min(*number), own.1.max(*number));
                }
                for (own, code) in all.codes.iter_mut().zip(&rows.codes[place * categorical..]) {
                    *own = (own.0.min(*code), own.1.max(*code));
                }
                all.newest = all.newest.max(place as u32);
            }
            all
        };
        let mut inner: Vec<Around> = order.chunks(LANES).map(around).collect();
        let levels = [(); 3].map(|()| {
            let boxes = inner.chunks(LANES).map(Boxes::of).collect();
            let outer = |inner: &[Around]| {
                let mut all = Around::new(numeric, categorical);
                inner.iter().for_each(|one| all.take_in(one));
                all
            };
            inner = inner.chunks(LANES).map(outer).collect();
            boxes
        });
        Self { first, len, blocks, numbers: order, levels }
    }

    /// Number of the row after the youngest.
    pub fn end(&self) -> u64 {
        self.first + self.len as u64
    }

    /// The outermost boxes.
    pub fn outermost(&self) -> &[Boxes] {
        &self.levels[2]
    }

    /// The boxes in a box of the outermost level, or of the one below.
    pub fn within(&self, level: usize, index: usize) -> &Boxes {
        &self.levels[level - 1][index]
    }

    /// Group `index` of 16 rows: its block, which group it is there, and the numbers of its rows.
    pub fn group(&self, index: usize) -> (&Block, usize, &[u32]) {
        const GROUPS: usize = BLOCK / LANES;
        let numbers = &self.numbers[index * LANES..self.numbers.len().min(index * LANES + LANES)];
        (&self.blocks[index / GROUPS], index % GROUPS, numbers)
    }

    /// Block and row there of each row, by age.
    pub fn by_age(&self) -> Vec<(&Block, usize)> {
        let mut all: Vec<(&Block, usize)> = vec![(&self.blocks[0], 0); self.len];
        for (at, number) in self.numbers.iter().enumerate() {
            all[*number as usize] = (&self.blocks[at / BLOCK], at % BLOCK);
        }
        all
    }
}

/// Brings rows that are near each other side by side: all are split in two at the column in which they differ most; then
/// each part again. `start` is where these rows lie among all.
///
/// A column of two values (an indicator) is split between the two, wherever that is; others at about their mean, so
/// that whole boxes lie on either side.
fn sort(rows: &Flat, order: &mut [u32], start: usize, metric: (&[f32], &[f32])) {
    let Some(unit) = UNITS.into_iter().find(|unit| order.len() > *unit) else {
        return;
    };
    let (numeric, categorical) = (metric.0.len(), rows.codes.len() / rows.targets.len());
    let number = |place: u32, column: usize| rows.numbers[place as usize * numeric + column];
    let code = |place: u32, column: usize| rows.codes[place as usize * categorical + column];
    // The border of whole boxes nearest to a place, with some rows on either side.
    let len = order.len();
    let whole = |at: usize| {
        let nearest = (start + at.clamp(len / 8, len - len / 8) + unit / 2) / unit * unit;
        nearest.saturating_sub(start).clamp(1, len - 1)
    };
    let at = match split(rows, order, metric) {
        Split::Number { column, border, indicator } => {
            let below = order.iter().filter(|place| number(**place, column) <= border).count();
            let at = if indicator { below.clamp(1, len - 1) } else { whole(below) };
            order.select_nth_unstable_by(at, |a, b| {
                number(*a, column).total_cmp(&number(*b, column)).then(a.cmp(b))
            });
            at
        }
        Split::Code(column) => {
            let at = whole(len / 2);
            order.select_nth_unstable_by(at, |a, b| code(*a, column).cmp(&code(*b, column)).then(a.cmp(b)));
            at
        }
    };
    let (low, high) = order.split_at_mut(at);
    sort(rows, low, start, metric);
    sort(rows, high, start + at, metric);
}

enum Split {
    /// Column, border, and whether there are two values only.
    Number {
        column: usize,
        border: f32,
        indicator: bool,
    },
    Code(usize),
}

/// The column in which rows differ most, by some of them.
fn split(rows: &Flat, order: &[u32], (scales, mismatches): (&[f32], &[f32])) -> Split {
    let (numeric, categorical) = (scales.len(), rows.codes.len() / rows.targets.len());
    let step = order.len().div_ceil(SAMPLE);
    let sample: Vec<usize> = order.iter().step_by(step).map(|place| *place as usize).collect();
    let count = sample.len() as f32;
    let (mut sums, mut squares) = (vec![0.0_f32; numeric], vec![0.0_f32; numeric]);
    // Differences from one of the rows, in deviations, of values of any size.
    let base = &rows.numbers[sample[0] * numeric..(sample[0] + 1) * numeric];
    for place in &sample {
        let row = &rows.numbers[place * numeric..(place + 1) * numeric];
        for column in 0..numeric {
            let z = ((row[column] - base[column]) * scales[column]).clamp(-16.0, 16.0);
            let z = if z.is_nan() { 0.0 } else { z };
            sums[column] += z;
            squares[column] += z * z;
        }
    }
    let mut best = (f32::NEG_INFINITY, Split::Number { column: 0, border: 0.0, indicator: false });
    for column in 0..numeric {
        let mean = sums[column] / count;
        let variance = squares[column] / count - mean * mean;
        if variance > best.0 {
            let scale = scales[column];
            let border = if scale > 0.0 { base[column] + mean / scale } else { base[column] };
            best = (variance, Split::Number { column, border, indicator: false });
        }
    }
    if let Split::Number { column, border, indicator } = &mut best.1
        && numeric > 0
    {
        let values = sample.iter().map(|place| rows.numbers[place * numeric + *column]);
        let low = values.clone().fold(f32::INFINITY, f32::min);
        let high = values.clone().fold(f32::NEG_INFINITY, f32::max);
        *indicator = low < high && values.clone().all(|value| value == low || value == high);
        if *indicator {
            *border = low;
        }
    }
    let mut codes = Vec::with_capacity(sample.len());
    for (column, mismatch) in mismatches.iter().enumerate() {
        codes.clear();
        codes.extend(sample.iter().map(|place| rows.codes[place * categorical + column]));
        codes.sort_unstable();
        let shares = codes.chunk_by(|a, b| a == b).map(|run| (run.len() as f32 / count).powi(2));
        // Half of the chance that two rows differ, as a variance is half of the mean squared difference.
        let variance = mismatch * (1.0 - shares.sum::<f32>()) / 2.0;
        if variance > best.0 {
            best = (variance, Split::Code(column));
        }
    }
    best.1
}

/// Whether any query could be nearer to a row than its boxes say.
#[cfg(test)]
pub(super) fn boxes_hold(
    segment: &Segment,
    query: &super::scan::Query<'_>,
    distance: impl Fn(&Block, usize) -> f32,
) -> bool {
    let holds = |level: usize, rows: usize| {
        let boxes = segment.levels[level].iter().enumerate();
        boxes
            .flat_map(|(index, boxes)| (0..boxes.len).map(move |lane| (index * LANES + lane, boxes, lane)))
            .all(|(box_, boxes, lane)| {
                let gap = boxes.gaps(query)[lane];
                let rows = box_ * rows..segment.len.min((box_ + 1) * rows);
                rows.into_iter().all(|row| gap <= distance(&segment.blocks[row / BLOCK], row % BLOCK))
            })
    };
    holds(0, LANES) && holds(1, LANES * LANES) && holds(2, LANES * LANES * LANES)
}
