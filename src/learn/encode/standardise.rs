use macerator::{AutoArch, Simd, WithSimd};

use crate::state::{StateError, TensorMap, mismatch};

/// Standardised values stay within ±8, and a value farther out counts as if it were there. Of a normal column one
/// value in 10^15 lies beyond, so that only outliers are touched; one of them, of any size, moves a weighted sum by
/// at most 8 weights and a variance by at most the factor `1 + 64 / rows seen`.
pub const BOUND: f32 = 8.0;

/// Rows after which the mean and the variance forget: from then on they are exponentially weighted with this time
/// constant, so that a stream that never ends can still move its level.
const ROWS_MAX: f64 = (1 << 20) as f64;

/// Below, a column counts as constant; above, as varying so much: deviations of 3e-19 and 3e18, in whatever unit.
const VARIANCE_MIN: f32 = 1e-37;
const VARIANCE_MAX: f32 = 1e37;

/// Columns that go through the vector units together.
const LANES: usize = 4;

/// What is added behind the columns where the last block has so many.
const BIAS: [[f32; LANES]; LANES] =
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];

/// Running mean and variance of numeric columns (Welford, 1962), in `f64`.
///
/// Missing values (NaN) are not counted, and 0 after standardising, as are the values of a constant column. Each row
/// counts once, whatever its importance.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardiser {
    /// Rows after which it forgets.
    rows_max: f64,
    moments: Moments,
    scaling: Scaling,
}

/// One number a column in each.
#[derive(Debug, Clone, PartialEq)]
struct Moments {
    /// Values seen, at most [`ROWS_MAX`].
    count: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// How far from the mean the next value counts; follows from the variance.
    reach: Vec<f64>,
}

impl Standardiser {
    pub fn new(columns: usize) -> Self {
        Self::forgetting(columns, 0)
    }

    /// One that forgets from `rows_max` rows on; 0: as [`Standardiser::new`], after so many that it can hardly be told.
    pub fn forgetting(columns: usize, rows_max: u64) -> Self {
        let zeros = vec![0.0; columns];
        Self::of(rows_max, zeros.clone(), zeros.clone(), zeros)
    }

    fn of(rows_max: u64, count: Vec<f64>, mean: Vec<f64>, variance: Vec<f64>) -> Self {
        let columns = count.len();
        let (mut shift, mut scale) = (vec![0.0; columns], vec![0.0; columns]);
        let mut reach = vec![0.0; columns];
        for i in 0..columns {
            (shift[i], scale[i], reach[i]) = frozen(mean[i], variance[i]);
        }
        Self {
            rows_max: if rows_max == 0 { ROWS_MAX } else { rows_max as f64 },
            moments: Moments { count, mean, variance, reach },
            scaling: Scaling::of(columns, shift, scale),
        }
    }

    /// What the present statistics do to a row.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Takes a row, `[columns]`, into the statistics.
    #[inline]
    pub fn observe(&mut self, row: &[f32]) {
        let columns = row.len();
        let Scaling { shift, scale, .. } = &mut self.scaling;
        let (shift, scale) = (&mut shift[..columns], &mut scale[..columns]);
        AutoArch::new().dispatch(Observe {
            row,
            rows_max: self.rows_max,
            moments: &mut self.moments,
            shift,
            scale,
        });
    }

    /// `count`, `mean` and `variance`, one number a column.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("count", &self.moments.count);
        map.put_f64("mean", &self.moments.mean);
        map.put_f64("variance", &self.moments.variance);
        map
    }

    /// What [`Standardiser::save`] wrote of `columns` columns.
    pub fn load(columns: usize, state: &TensorMap) -> Result<Self, StateError> {
        Self::load_forgetting(columns, 0, state)
    }

    /// As [`Standardiser::load`], of one that forgets from `rows_max` rows on.
    pub fn load_forgetting(columns: usize, rows_max: u64, state: &TensorMap) -> Result<Self, StateError> {
        let read = |path: &str, lowest: f64| {
            let values = state.f64s(path)?;
            if values.len() != columns {
                return Err(mismatch(
                    path,
                    format_args!("{} columns", values.len()),
                    format!("{columns} columns"),
                ));
            }
            match values.iter().find(|v| !v.is_finite() || **v < lowest) {
                Some(value) => Err(mismatch(path, value, format!("finite numbers from {lowest}"))),
                None => Ok(values),
            }
        };
        Ok(Self::of(rows_max, read("count", 0.0)?, read("mean", f64::MIN)?, read("variance", 0.0)?))
    }
}

/// One row into the statistics of all columns, by the widest vectors that there are: the same bits by any.
struct Observe<'a> {
    row: &'a [f32],
    rows_max: f64,
    moments: &'a mut Moments,
    shift: &'a mut [f32],
    scale: &'a mut [f32],
}

impl WithSimd for Observe<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Moments { count, mean, variance, reach } = self.moments;
        observe((self.row, self.rows_max), count, mean, variance, reach, self.shift, self.scale);
    }
}

/// In parallel slices of one length. Selections in place of branches and loads before stores, so that the compiler takes
/// several columns at a time.
#[inline(always)]
fn observe(
    (row, rows_max): (&[f32], f64),
    count: &mut [f64],
    mean: &mut [f64],
    variance: &mut [f64],
    reach: &mut [f64],
    shift: &mut [f32],
    scale: &mut [f32],
) {
    let columns = row.len();
    assert!(count.len() == columns && mean.len() == columns && variance.len() == columns);
    assert!(reach.len() == columns && shift.len() == columns && scale.len() == columns);
    for i in 0..columns {
        let (n, m, v, far) = (count[i], mean[i], variance[i], reach[i]);
        let value = f64::from(row[i]);
        let missing = value.is_nan();
        let delta = value - m;
        let delta = if delta > far { far } else { delta };
        let delta = if delta < -far { -far } else { delta };
        let next = n + 1.0;
        let next = if next > rows_max { rows_max } else { next };
        let step = 1.0 / next;
        let mean_next = m + delta * step;
        let variance_next = v + (delta * (delta - delta * step) - v) * step;
        let m = if missing { m } else { mean_next };
        let v = if missing { v } else { variance_next };
        count[i] = if missing { n } else { next };
        mean[i] = m;
        variance[i] = v;
        (shift[i], scale[i], reach[i]) = frozen(m, v);
    }
}

/// Shift and scale of a column, and its reach for the next value. Nothing is an outlier of a column that was constant
/// so far.
#[inline(always)]
fn frozen(mean: f64, variance: f64) -> (f32, f32, f64) {
    let least = variance as f32;
    let least = if least > VARIANCE_MAX { VARIANCE_MAX } else { least };
    let constant = least < VARIANCE_MIN;
    let inverse = 1.0 / least.sqrt();
    let reach = f64::from(BOUND) * variance * f64::from(inverse);
    let scale = if constant { 0.0 } else { inverse };
    (mean as f32, scale, if constant { f64::INFINITY } else { reach })
}

/// Statistics at rest: what a predictor keeps of a [`Standardiser`].
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    columns: usize,
    /// One number a column, then at least one zero, up to a multiple of [`LANES`].
    shift: Vec<f32>,
    /// One over the standard deviation; 0 for a constant column.
    scale: Vec<f32>,
}

impl Scaling {
    fn of(columns: usize, mut shift: Vec<f32>, mut scale: Vec<f32>) -> Self {
        shift.resize((columns + 1).next_multiple_of(LANES), 0.0);
        scale.resize((columns + 1).next_multiple_of(LANES), 0.0);
        Self { columns, shift, scale }
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The mean of each column.
    pub fn shifts(&self) -> &[f32] {
        &self.shift[..self.columns]
    }

    /// One over the standard deviation of each column; 0 for a constant one.
    pub fn scales(&self) -> &[f32] {
        &self.scale[..self.columns]
    }

    pub fn is_finite(&self) -> bool {
        self.shift.iter().chain(&self.scale).all(|number| number.is_finite())
    }

    /// Standardises a row, `[columns]`, into the first `columns` places of `out`.
    #[inline]
    pub fn apply(&self, row: &[f32], out: &mut [f32]) {
        let columns = self.columns;
        standardise(&row[..columns], &self.shift[..columns], &self.scale[..columns], &mut out[..columns]);
    }

    /// The standardised value of one column.
    #[inline]
    pub fn apply_one(&self, column: usize, value: f32) -> f32 {
        let (mut z, at) = ([0.0], column..column + 1);
        standardise(&[value], &self.shift[at.clone()], &self.scale[at], &mut z);
        z[0]
    }

    /// As [`Scaling::apply`], in whole blocks: behind the columns come a 1, for a bias, and zeros up to the next
    /// multiple of four, which `out` has room for.
    #[inline]
    pub fn apply_with_bias(&self, row: &[f32], out: &mut [f32]) {
        let (full, rest) = row[..self.columns].as_chunks::<LANES>();
        let (start, end) = (full.len() * LANES, (full.len() + 1) * LANES);
        standardise(full.as_flattened(), &self.shift[..start], &self.scale[..start], &mut out[..start]);
        let mut last = [0.0; LANES];
        standardise(&filled(rest), &self.shift[start..end], &self.scale[start..end], &mut last);
        for (out, (last, bias)) in out[start..end].iter_mut().zip(last.iter().zip(BIAS[rest.len()])) {
            *out = last + bias;
        }
    }

    /// The value that standardises to `z`; the mean for a constant column. Finite for every finite `z`.
    #[inline]
    pub fn restore(&self, column: usize, z: f32) -> f32 {
        let (shift, scale) = (f64::from(self.shift[column]), f64::from(self.scale[column]));
        let value = if scale > 0.0 { shift + f64::from(z) / scale } else { shift };
        value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
    }

    /// The value, or where it is beyond [`BOUND`] deviations from the mean, that border; the mean for a constant column.
    #[inline]
    pub fn within(&self, column: usize, value: f32) -> f32 {
        let z = self.apply_one(column, value);
        if z.abs() < BOUND && self.scale[column] > 0.0 { value } else { self.restore(column, z) }
    }

    /// `shift` and `scale`, one number a column.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("shift", &self.shift[..self.columns]);
        map.put_f32("scale", &self.scale[..self.columns]);
        map
    }

    /// What [`Scaling::save`] wrote of `columns` columns.
    pub fn load(columns: usize, state: &TensorMap) -> Result<Self, StateError> {
        let read = |path: &str| {
            let values = state.f32s(path)?;
            if values.len() != columns {
                return Err(mismatch(
                    path,
                    format_args!("{} columns", values.len()),
                    format!("{columns} columns"),
                ));
            }
            match values.iter().find(|v| !v.is_finite()) {
                Some(value) => Err(mismatch(path, value, "finite numbers")),
                None => Ok(values),
            }
        };
        Ok(Self::of(columns, read("shift")?, read("scale")?))
    }
}

/// The last columns, filled up with missing values. Written out so that they are brought together in a register: what
/// is written to memory one by one and read back at once waits for every write.
#[inline(always)]
fn filled(rest: &[f32]) -> [f32; LANES] {
    match *rest {
        [a] => [a, f32::NAN, f32::NAN, f32::NAN],
        [a, b] => [a, b, f32::NAN, f32::NAN],
        [a, b, c] => [a, b, c, f32::NAN],
        _ => [f32::NAN; LANES],
    }
}

/// Parallel slices of one length.
#[inline(always)]
fn standardise(values: &[f32], shift: &[f32], scale: &[f32], out: &mut [f32]) {
    for ((out, value), (shift, scale)) in out.iter_mut().zip(values).zip(shift.iter().zip(scale)) {
        let z = (value - shift) * scale;
        let z = if z > BOUND { BOUND } else { z };
        let z = if z < -BOUND { -BOUND } else { z };
        // NaN: the value is missing, or overflowed in a constant column.
        *out = if z.is_nan() { 0.0 } else { z };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(rows: &[&[f32]]) -> Standardiser {
        let mut standardiser = Standardiser::new(rows[0].len());
        rows.iter().for_each(|row| standardiser.observe(row));
        standardiser
    }

    fn applied(standardiser: &Standardiser, row: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; row.len()];
        standardiser.scaling().apply(row, &mut out);
        out
    }

    #[test]
    fn mean_and_deviation_are_those_of_all_values_seen() {
        // Mean 5, population variance 4: the textbook's 2, 4, 4, 4, 5, 5, 7, 9.
        let rows: Vec<[f32; 1]> = [2, 4, 4, 4, 5, 5, 7, 9].map(|v| [v as f32]).to_vec();
        let standardiser = after(&rows.iter().map(|row| row.as_slice()).collect::<Vec<_>>());
        assert!((standardiser.moments.mean[0] - 5.0).abs() < 1e-12);
        assert!((standardiser.moments.variance[0] - 4.0).abs() < 1e-12);
        assert_eq!(applied(&standardiser, &[6.0]), [0.5]);
    }

    #[test]
    fn a_missing_value_is_not_counted_and_becomes_zero() {
        let standardiser = after(&[&[1.0, 1.0], &[f32::NAN, 2.0], &[3.0, 3.0]]);
        assert_eq!(standardiser.save().f64s("count").unwrap(), [2.0, 3.0]);
        assert_eq!(standardiser.save().f64s("mean").unwrap(), [2.0, 2.0]);
        assert_eq!(applied(&standardiser, &[f32::NAN, f32::NAN]), [0.0, 0.0]);
        assert_eq!(applied(&standardiser, &[4.0, 2.0]), [2.0, 0.0]);
    }

    #[test]
    fn a_constant_column_is_zero_even_for_other_values() {
        let standardiser = after(&[&[0.1], &[0.1], &[0.1]]);
        assert_eq!(applied(&standardiser, &[0.1]), [0.0]);
        assert_eq!(applied(&standardiser, &[f32::MAX]), [0.0]);
        assert_eq!(applied(&Standardiser::new(1), &[5.0]), [0.0]);
    }

    #[test]
    fn a_row_in_whole_blocks_is_the_same_row_with_a_one_and_zeros_behind() {
        for columns in 0..9_usize {
            let row: Vec<f32> = (0..columns).map(|i| i as f32).collect();
            let mut standardiser = Standardiser::new(columns);
            standardiser.observe(&vec![1.0; columns]);
            standardiser.observe(&vec![2.0; columns]);
            let mut expected = applied(&standardiser, &row);
            expected.push(1.0);
            expected.resize((columns + 1).next_multiple_of(4), 0.0);
            let mut out = vec![7.0; expected.len()];
            standardiser.scaling().apply_with_bias(&row, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn restoring_undoes_standardising_and_stays_finite() {
        let standardiser = after(&[&[1.0, 7.0, f32::MIN], &[3.0, 7.0, f32::MAX]]);
        assert_eq!(standardiser.scaling().restore(0, 2.0), 4.0);
        assert_eq!(standardiser.scaling().restore(1, 2.0), 7.0);
        assert_eq!(standardiser.scaling().restore(2, 1e30), f32::MAX);
    }

    #[test]
    fn one_outlier_is_cut_off_and_hardly_moves_the_column() {
        let mut standardiser = Standardiser::new(1);
        for i in 0..1000 {
            standardiser.observe(&[(i % 2) as f32]);
        }
        assert_eq!(applied(&standardiser, &[f32::MAX]), [BOUND]);
        let before = applied(&standardiser, &[1.0])[0];
        standardiser.observe(&[f32::MAX]);
        let after = applied(&standardiser, &[1.0])[0];
        assert!((after - before).abs() < 0.05, "{before} then {after}");
    }

    #[test]
    fn a_column_that_moves_for_good_is_followed() {
        let mut standardiser = Standardiser::new(1);
        (0..1000).for_each(|i| standardiser.observe(&[(i % 2) as f32]));
        (0..20_000).for_each(|i| standardiser.observe(&[1e6 + (i % 2) as f32]));
        let z = applied(&standardiser, &[1e6])[0];
        assert!(z.abs() < 0.5, "{z}");
    }

    #[test]
    fn after_a_long_stream_old_rows_are_forgotten() {
        let mut standardiser = Standardiser::new(1);
        standardiser.observe(&[-1.0]);
        standardiser.observe(&[1.0]);
        standardiser.moments.count[0] = ROWS_MAX;
        (0..(3 << 20)).for_each(|i| standardiser.observe(&[2.0 + (i % 2) as f32]));
        assert_eq!(standardiser.moments.count[0], ROWS_MAX);
        assert!((standardiser.moments.mean[0] - 2.5).abs() < 0.25, "{}", standardiser.moments.mean[0]);
    }

    #[test]
    fn a_state_of_other_columns_or_with_impossible_numbers_is_refused() {
        let state = after(&[&[1.0, 2.0]]).save();
        let error = Standardiser::load(3, &state).unwrap_err().to_string();
        assert_eq!(error, "tensor \"count\" is 2 columns, expected 3 columns");
        let mut state = after(&[&[1.0]]).save();
        state.put_f64("variance", &[-1.0]);
        let error = Standardiser::load(1, &state).unwrap_err().to_string();
        assert_eq!(error, "tensor \"variance\" is -1, expected finite numbers from 0");
        let mut state = Standardiser::new(1).scaling().save();
        state.put_f32("scale", &[f32::NAN]);
        assert!(Scaling::load(1, &state).is_err());
    }

    fn any_value() -> impl Strategy<Value = f32> {
        prop_oneof![
            3 => -10.0_f32..10.0,
            1 => prop::sample::select(vec![
                f32::NAN, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, 0.0, -0.0,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn any_rows_leave_finite_statistics_and_bounded_values(
            rows in prop::collection::vec(prop::collection::vec(any_value(), 3), 1..60),
        ) {
            let mut standardiser = Standardiser::new(3);
            for row in &rows {
                let z = applied(&standardiser, row);
                prop_assert!(z.iter().all(|z| z.abs() <= BOUND), "{z:?}");
                standardiser.observe(row);
                let block = &standardiser.moments;
                prop_assert!(block.mean.iter().all(|mean| mean.is_finite()), "{block:?}");
                prop_assert!(block.variance.iter().all(|v| v.is_finite() && *v >= 0.0), "{block:?}");
                prop_assert!(standardiser.scaling.is_finite());
            }
        }

        #[test]
        fn a_loaded_standardiser_goes_on_as_the_saved_one(
            rows in prop::collection::vec(prop::collection::vec(any_value(), 2), 2..40),
        ) {
            let (first, then) = rows.split_at(rows.len() / 2);
            let mut kept = Standardiser::new(2);
            first.iter().for_each(|row| kept.observe(row));
            let mut loaded = Standardiser::load(2, &kept.save()).unwrap();
            prop_assert_eq!(&loaded, &kept);
            then.iter().for_each(|row| { kept.observe(row); loaded.observe(row) });
            prop_assert_eq!(&loaded, &kept);
            prop_assert_eq!(Scaling::load(2, &kept.scaling().save()).unwrap(), kept.scaling().clone());
        }
    }
}
