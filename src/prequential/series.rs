use serde::Serialize;

/// Blocks that are kept; when they are full, neighbours are put together.
const BLOCKS_MAX: usize = 8_192;
/// Rows of a block at first.
const SPAN: u64 = 16;

/// What one row adds: how good the prediction was and its loss, and how good the baselines were.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    /// 1 for a hit, or the absolute error.
    pub quality: f64,
    /// Logloss, or the absolute error.
    pub loss: f64,
    /// As `quality`: the most frequent class or the mean.
    pub common: f64,
    /// As `quality`: the label that was known last.
    pub last: f64,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.quality += other.quality;
        self.loss += other.loss;
        self.common += other.common;
        self.last += other.last;
    }
}

/// How a stream went, in blocks of equally many rows: bounded, whatever its length.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Rows of a block.
    span: u64,
    /// The last one may be short.
    blocks: Vec<Sum>,
    rows: u64,
}

/// A piece of a learning curve: means over the rows up to `row` from the point before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    pub row: u64,
    /// Accuracy, or the mean absolute error.
    pub score: f64,
    /// Mean logloss, or the mean absolute error.
    pub loss: f64,
    /// The score of the most frequent class or the mean, under the same delay.
    pub common: f64,
    /// The score of the label that was known last.
    pub no_change: f64,
}

impl Default for Series {
    fn default() -> Self {
        Self { span: SPAN, blocks: Vec::new(), rows: 0 }
    }
}

impl Series {
    pub fn push(&mut self, sum: Sum) {
        if self.rows.is_multiple_of(self.span) {
            if self.blocks.len() == BLOCKS_MAX {
                self.halve();
            }
            // After halving, the last block may have room.
            if self.rows.is_multiple_of(self.span) {
                self.blocks.push(Sum::default());
            }
        }
        self.rows += 1;
        if let Some(last) = self.blocks.last_mut() {
            last.add(&sum);
        }
    }

    fn halve(&mut self) {
        let pairs = self.blocks.chunks(2).map(|pair| {
            let mut sum = pair[0];
            pair[1..].iter().for_each(|other| sum.add(other));
            sum
        });
        self.blocks = pairs.collect();
        self.span *= 2;
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of a block.
    pub fn span(&self) -> u64 {
        self.span
    }

    /// At most `points` means over equally many rows, but for the last.
    pub fn curve(&self, points: usize) -> Vec<Point> {
        let blocks = self.blocks.len().div_ceil(points.max(1)).max(1);
        let mut row = 0;
        let mut curve = Vec::new();
        for group in self.blocks.chunks(blocks) {
            let mut sum = Sum::default();
            group.iter().for_each(|block| sum.add(block));
            let end = (row + group.len() as u64 * self.span).min(self.rows);
            let count = (end - row) as f64;
            row = end;
            curve.push(Point {
                row,
                score: sum.quality / count,
                loss: sum.loss / count,
                common: sum.common / count,
                no_change: sum.last / count,
            });
        }
        curve
    }

    /// Mean loss of the blocks that lie within the rows from `from` to `to`; none where there is none.
    pub fn loss(&self, from: u64, to: u64) -> Option<f64> {
        let first = from.div_ceil(self.span) as usize;
        let end = ((to / self.span) as usize).min((self.rows / self.span) as usize);
        let blocks = self.blocks.get(first..end).filter(|blocks| !blocks.is_empty())?;
        let sum: f64 = blocks.iter().map(|block| block.loss).sum();
        Some(sum / (blocks.len() as u64 * self.span) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rows: u64) -> Series {
        let mut series = Series::default();
        for row in 0..rows {
            let quality = row as f64;
            series.push(Sum { quality, loss: 2.0 * quality, common: 1.0, last: 0.0 });
        }
        series
    }

    #[test]
    fn a_curve_has_the_means_of_its_pieces_up_to_the_last_row() {
        let curve = series(1_000).curve(4);
        let rows: Vec<_> = curve.iter().map(|point| point.row).collect();
        assert_eq!(rows, [256, 512, 768, 1_000]);
        assert_eq!((curve[0].score, curve[1].score), (127.5, 383.5));
        assert_eq!((curve[3].score, curve[3].common), (883.5, 1.0));
        assert_eq!(series(0).curve(10), []);
        assert_eq!(series(5).curve(10).len(), 1);
    }

    #[test]
    fn a_long_stream_takes_no_more_room_and_loses_no_row() {
        let rows = 3 * SPAN * BLOCKS_MAX as u64 + 5;
        let long = series(rows);
        assert!(long.blocks.len() <= BLOCKS_MAX);
        assert_eq!((long.rows(), long.span()), (rows, 4 * SPAN));
        let total: f64 = long.blocks.iter().map(|block| block.quality).sum();
        assert_eq!(total, (rows * (rows - 1) / 2) as f64);
        assert_eq!(long.curve(100).last().unwrap().row, rows);
    }

    #[test]
    fn a_loss_is_of_whole_blocks_within_the_rows() {
        let series = series(100);
        assert_eq!(series.loss(0, 32), Some(31.0));
        assert_eq!(series.loss(1, 33), Some(2.0 * 23.5));
        assert_eq!((series.loss(1, 16), series.loss(96, 1_000)), (None, None));
    }
}
