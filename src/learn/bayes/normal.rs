use crate::learn::encode::Scaling;
use crate::state::{StateError, TensorMap, at_least, sized};

/// A value takes away no more than one 9 deviations from the mean would: no single column decides alone for ever.
const SURPRISE_MAX: f64 = 40.0;

/// What is added to every variance, as a share of the whole column's: a column that is constant within a class does not
/// rule it out alone.
const LEAST: f64 = 0.01;

/// A normal distribution for each class and numeric column, `[classes, columns]` each.
///
/// Weighted running moments (West, 1979). Until a class has many examples of its own, its variance is drawn towards that
/// of the whole column, as if one example had had it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Normals {
    columns: usize,
    counts: Vec<f64>,
    variances: Vec<f64>,
    density: Density,
}

/// What scoring needs of [`Normals`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Density {
    columns: usize,
    means: Vec<f64>,
    /// Logarithm of the height, and one over twice the variance; 0 before the column varied.
    heights: Vec<f64>,
    inverses: Vec<f64>,
}

impl Density {
    fn new(classes: usize, columns: usize) -> Self {
        let zeros = vec![0.0; classes * columns];
        Self { columns, means: zeros.clone(), heights: zeros.clone(), inverses: zeros }
    }

    /// Adds the logarithm of a row's density to each class's score.
    #[inline]
    pub fn score(&self, row: &[f32], scores: &mut [f64]) {
        if self.columns == 0 {
            return;
        }
        let means = self.means.chunks_exact(self.columns);
        let heights = self.heights.chunks_exact(self.columns);
        let inverses = self.inverses.chunks_exact(self.columns);
        for (score, (means, (heights, inverses))) in scores.iter_mut().zip(means.zip(heights.zip(inverses))) {
            for (value, (mean, (height, inverse))) in
                row.iter().zip(means.iter().zip(heights.iter().zip(inverses)))
            {
                let off = f64::from(*value) - mean;
                let surprise = off * off * inverse;
                let surprise = if surprise < SURPRISE_MAX { surprise } else { SURPRISE_MAX };
                *score += if value.is_nan() { 0.0 } else { height - surprise };
            }
        }
    }

    pub fn is_finite(&self) -> bool {
        [&self.means, &self.heights, &self.inverses]
            .iter()
            .all(|all| all.iter().all(|number| number.is_finite()))
    }

    /// `means`, `heights` and `inverses`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("means", &self.means);
        map.put_f64("heights", &self.heights);
        map.put_f64("inverses", &self.inverses);
        map
    }

    pub fn load(classes: usize, columns: usize, state: &TensorMap) -> Result<Self, StateError> {
        let read = |path, lowest| at_least(sized(state.f64s(path)?, classes * columns, path)?, lowest, path);
        let (means, heights) = (read("means", f64::MIN)?, read("heights", f64::MIN)?);
        Ok(Self { columns, means, heights, inverses: read("inverses", 0.0)? })
    }
}

impl Normals {
    pub fn new(classes: usize, columns: usize) -> Self {
        let zeros = vec![0.0; classes * columns];
        Self { columns, counts: zeros.clone(), variances: zeros, density: Density::new(classes, columns) }
    }

    pub fn density(&self) -> &Density {
        &self.density
    }

    /// Takes a row of a class in. `scaling` is the whole column's, which also cuts off outliers; statistics forget from
    /// `count_max` on.
    pub fn learn(&mut self, class: usize, row: &[f32], weight: f64, count_max: f64, scaling: &Scaling) {
        let start = class * self.columns;
        for (column, value) in row.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            let at = start + column;
            let scale = f64::from(scaling.scales()[column]);
            let value =
                if scale > 0.0 { f64::from(scaling.within(column, *value)) } else { f64::from(*value) };
            let count = (self.counts[at] + weight).min(count_max).max(weight);
            let step = weight / count;
            let delta = value - self.density.means[at];
            let mean = self.density.means[at] + delta * step;
            let variance = &mut self.variances[at];
            *variance = (*variance + (delta * (delta - delta * step) - *variance) * step).max(0.0);
            let whole = if scale > 0.0 { 1.0 / (scale * scale) } else { 0.0 };
            let drawn = (*variance * count + whole) / (count + 1.0) + LEAST * whole;
            self.counts[at] = count;
            self.density.means[at] = mean;
            // A column that was constant so far says nothing: as a spike it would decide alone for every class that is
            // not learned again once the column varies.
            (self.density.heights[at], self.density.inverses[at]) = if scale > 0.0 {
                (-0.5 * libm::log(std::f64::consts::TAU * drawn), 0.5 / drawn)
            } else {
                (0.0, 0.0)
            };
        }
    }

    /// As [`Density::save`], with `counts` and `variances`.
    pub fn save(&self) -> TensorMap {
        let mut map = self.density.save();
        map.put_f64("counts", &self.counts);
        map.put_f64("variances", &self.variances);
        map
    }

    pub fn load(classes: usize, columns: usize, state: &TensorMap) -> Result<Self, StateError> {
        let read = |path| at_least(sized(state.f64s(path)?, classes * columns, path)?, 0.0, path);
        let density = Density::load(classes, columns, state)?;
        Ok(Self { columns, counts: read("counts")?, variances: read("variances")?, density })
    }
}
