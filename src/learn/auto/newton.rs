//! A linear model that steps by the inverse of its curvature, with forgetting: an extended Kalman filter for the logistic
//! loss, recursive least squares for a value (Haykin, "Adaptive filter theory"; Penny and Roberts, "Dynamic logistic
//! regression", 1999).
//!
//! Where inputs go together, as a value and its averages do, or the best weights move, no rate of plain steps comes near.

use macerator::{AutoArch, Simd, WithSimd};

use super::scores::{self, doubles, floats, ln, pull, sigmoid};
use crate::detect::{Adwin, AdwinConfig};
use crate::learn::Objective;
use crate::learn::encode::read_under;
use crate::learn::linear::forward::dot;
use crate::state::{StateError, TensorMap, mismatch};

/// The least curvature that a step counts with: a row that the model is sure of and wrong about is no reason for a leap.
const CURVATURE_MIN: f32 = 0.02;

/// The least share of labels taken to be wrong.
const FLIPS_MIN: f32 = 0.01;

/// The weights.
#[derive(Debug, Clone)]
pub(super) struct Newton {
    objective: Objective,
    stride: usize,
    /// `[scores, stride]`.
    weights: Vec<f32>,
    /// Share of labels that are taken to be the other class, of a model of two classes that reckons with such.
    flips: Option<f32>,
}

/// What learning needs beside.
#[derive(Debug, Clone)]
pub(super) struct NewtonTraining {
    /// What is left of an example's say after the next one.
    forget: f64,
    /// Variance of a weight before the first example, and its bound ever after.
    prior: f64,
    /// `[stride, stride]`: covariance of the weights, the same for all scores; symmetric, and right of the diagonal
    /// blocks not there.
    covariance: Vec<f64>,
    inputs: Vec<f64>,
    gain: Vec<f64>,
    scaled: Vec<f64>,
    growth: Vec<f64>,
    residuals: Vec<f32>,
    room: Vec<f32>,
    /// Of the model's errors, where a change opens its weights to new examples.
    watch: Option<Adwin>,
}

impl Newton {
    pub fn new(objective: Objective, stride: usize, forget: f64, prior: f64) -> (Self, NewtonTraining) {
        let scores = scores::scores(objective);
        let training = NewtonTraining::new(scores, stride, forget, prior);
        (Self { objective, stride, weights: vec![0.0; scores * stride], flips: None }, training)
    }

    /// Inputs.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Reckons with labels that are wrong (Bootkrajang and Kaban, "Label-noise robust logistic regression", 2012): a row
    /// far on the wrong side hardly pulls.
    pub fn flipping(mut self) -> Self {
        self.flips = Some(FLIPS_MIN);
        self
    }

    /// The log-odds that a score of a flipping model stands for.
    pub fn odds(&self, score: f32) -> f32 {
        match self.flips {
            None => score,
            Some(flips) => {
                let p = flips + (1.0 - 2.0 * flips) * sigmoid(score);
                ln(p) - ln(1.0 - p)
            }
        }
    }

    /// As [`pull`]; learns the share of flips.
    fn pull_flipping(&mut self, flips: f32, score: f32, target: f32, residuals: &mut [f32]) -> f32 {
        let p = sigmoid(score);
        let seen = flips + (1.0 - 2.0 * flips) * p;
        let slope = (1.0 - 2.0 * flips) * p * (1.0 - p);
        let spread = seen * (1.0 - seen);
        residuals[0] = (target - seen) * slope / spread;
        let rise = ((target - seen) * (1.0 - 2.0 * p) / spread).clamp(-10.0, 10.0);
        self.flips = Some((flips + 2e-4 * rise).clamp(FLIPS_MIN, 0.3));
        slope * slope / spread
    }

    #[inline]
    pub fn forward(&self, inputs: &[f32], out: &mut [f32]) {
        for (out, weights) in out.iter_mut().zip(self.weights.chunks_exact(self.stride)) {
            *out = dot(weights, inputs);
        }
    }

    pub fn learn(
        &mut self,
        training: &mut NewtonTraining,
        inputs: &[f32],
        said: &[f32],
        target: f32,
        importance: f32,
    ) {
        let curvature = match self.flips {
            Some(flips) => self.pull_flipping(flips, said[0], target, &mut training.residuals),
            None => pull(self.objective, said, target, &mut training.room, &mut training.residuals),
        };
        if let Some(watch) = &mut training.watch {
            let (residuals, class) = (&training.residuals, target as usize);
            let error = match self.objective {
                Objective::Regress => f64::from((residuals[0].abs() * 0.25).min(1.0)),
                Objective::Classify { .. } if residuals.len() == 1 => {
                    f64::from(u8::from((said[0] > 0.0) != (target > 0.5)))
                }
                Objective::Classify { .. } => {
                    f64::from(u8::from(said.iter().any(|score| *score > said[class])))
                }
            };
            if watch.update(error).is_some_and(|change| change.is_rise()) {
                training.restart();
            }
        }
        let gain_per_residual = training.gain(inputs, curvature.max(CURVATURE_MIN), importance.min(8.0));
        for (weights, residual) in self.weights.chunks_exact_mut(self.stride).zip(&training.residuals) {
            let step = gain_per_residual * f64::from(*residual);
            for (weight, gain) in weights.iter_mut().zip(&training.gain) {
                *weight = (f64::from(*weight) + step * gain).clamp(-1e6, 1e6) as f32;
            }
        }
    }

    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("weights", &self.weights);
        if let Some(flips) = self.flips {
            map.put_f32_one("flips", flips);
        }
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let weights = floats(state, "weights", self.weights.len())?;
        if let Some(flips) = &mut self.flips {
            let found = state.f32_one("flips")?;
            if !(FLIPS_MIN..=0.3).contains(&found) {
                return Err(mismatch("flips", found, "a share from 0.01 to 0.3"));
            }
            *flips = found;
        }
        self.weights = weights;
        Ok(())
    }
}

impl NewtonTraining {
    pub fn new(scores: usize, stride: usize, forget: f64, prior: f64) -> Self {
        let mut training = Self {
            forget,
            prior,
            covariance: vec![0.0; stride * stride],
            inputs: vec![0.0; stride],
            gain: vec![0.0; stride],
            scaled: vec![0.0; stride],
            growth: vec![1.0; stride],
            residuals: vec![0.0; scores],
            room: vec![0.0; scores],
            watch: None,
        };
        training.restart();
        training
    }

    /// With an eye on the errors: once they rise, the weights are as open as at first.
    pub fn watched(mut self) -> Self {
        self.watch = Some(Adwin::new(AdwinConfig::default()));
        self
    }

    /// The direction that [`NewtonTraining::gain`] found.
    pub fn direction(&self) -> &[f64] {
        &self.gain
    }

    /// The weights are as open to new examples as at first.
    pub fn restart(&mut self) {
        let stride = self.inputs.len();
        self.covariance.fill(0.0);
        (0..stride).for_each(|i| self.covariance[i * stride + i] = self.prior);
    }

    fn entry(&self, i: usize, j: usize) -> f64 {
        let (row, column) = if j < end(i) { (i, j) } else { (j, i) };
        self.covariance[row * self.inputs.len() + column]
    }

    /// Takes an input into the covariance; returns what a residual's step is along `gain`.
    pub fn gain(&mut self, inputs: &[f32], curvature: f32, importance: f32) -> f64 {
        AutoArch::new().dispatch(Gain { training: self, inputs, curvature, importance })
    }

    #[inline(always)]
    fn gain_inline(&mut self, inputs: &[f32], curvature: f32, importance: f32) -> f64 {
        let stride = self.inputs.len();
        self.inputs.iter_mut().zip(inputs).for_each(|(to, from)| *to = f64::from(*from));
        self.gain.fill(0.0);
        for (i, row) in self.covariance.chunks_exact(stride).enumerate() {
            let end = end(i);
            self.gain[i] += dot64(&row[..end], &self.inputs[..end]);
            // What the matrix has above the diagonal blocks is what it has below.
            let (input, below) = (self.inputs[i], end - BLOCK);
            self.gain[..below].iter_mut().zip(&row[..below]).for_each(|(gain, entry)| *gain += entry * input);
        }
        let spread = dot64(&self.gain, &self.inputs);
        let (curvature, importance) = (f64::from(curvature), f64::from(importance));
        if !(0.0..1e12).contains(&spread) {
            self.restart();
            return 0.0;
        }
        let shrink = importance / (1.0 + importance * curvature * spread);
        let by = curvature * shrink;
        // Old examples fade only where newer ones have said something: a weight is never less known than at first.
        let fade = (1.0 / self.forget).sqrt();
        for i in 0..stride {
            let variance = self.covariance[i * stride + i];
            self.growth[i] = if variance * fade * fade < self.prior { fade } else { 1.0 };
        }
        // A row's factor and a column's are the same numbers, so that the matrix stays symmetric to the bit.
        let root = by.sqrt();
        self.scaled.iter_mut().zip(&self.gain).for_each(|(scaled, gain)| *scaled = root * gain);
        for (i, row) in self.covariance.chunks_exact_mut(stride).enumerate() {
            let (gain, growth) = (self.scaled[i], self.growth[i]);
            for ((entry, other), grow) in row[..end(i)].iter_mut().zip(&self.scaled).zip(&self.growth) {
                *entry = (*entry - gain * other) * (growth * grow);
            }
        }
        shrink
    }

    /// Twice what the loss of all examples rises by where so many weights from `first` on become 0 and the others make up
    /// for it: their squares over their variances.
    pub fn saliency(&self, first: usize, weights: &[f64]) -> f64 {
        // Gauss elimination of a positive definite matrix.
        let size = weights.len();
        let entries = (0..size * size).map(|at| self.entry(first + at / size, first + at % size));
        let mut matrix: Vec<f64> = entries.collect();
        let mut right = weights.to_vec();
        let mut sum = 0.0;
        for i in 0..size {
            let pivot = matrix[i * size + i];
            sum += right[i] * right[i] / pivot;
            for j in i + 1..size {
                let factor = matrix[j * size + i] / pivot;
                right[j] -= factor * right[i];
                for k in i..size {
                    matrix[j * size + k] -= factor * matrix[i * size + k];
                }
            }
        }
        sum
    }

    /// A weight becomes 0, and the others what they are most likely to be then; its input has told nothing from then on.
    pub fn fix_at_zero(&mut self, index: usize, weights: &mut [f32]) {
        let stride = self.inputs.len();
        let variance = self.entry(index, index);
        let step = f64::from(weights[index]) / variance;
        let root = (1.0 / variance).sqrt();
        for (other, weight) in weights.iter_mut().enumerate() {
            let shared = self.entry(index, other);
            *weight = (f64::from(*weight) - step * shared).clamp(-1e3, 1e3) as f32;
            self.gain[other] = root * shared;
        }
        for (i, row) in self.covariance.chunks_exact_mut(stride).enumerate() {
            let gain = self.gain[i];
            row[..end(i)].iter_mut().zip(&self.gain).for_each(|(entry, other)| *entry -= gain * other);
            row[index] = 0.0;
        }
        self.covariance[index * stride..(index + 1) * stride].fill(0.0);
        self.covariance[index * stride + index] = self.prior;
        weights[index] = 0.0;
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        let rows = self.covariance.chunks_exact(self.inputs.len()).enumerate();
        map.put_f64("covariance", &rows.flat_map(|(i, row)| &row[..end(i)]).copied().collect::<Vec<_>>());
        if let Some(watch) = &self.watch {
            map.nest("watch", watch.save());
        }
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let stride = self.inputs.len();
        let packed = doubles(state, "covariance", (0..stride).map(end).sum())?;
        let mut rest = &packed[..];
        for (i, row) in self.covariance.chunks_exact_mut(stride).enumerate() {
            row[..end(i)].copy_from_slice(&rest[..end(i)]);
            rest = &rest[end(i)..];
        }
        if let Some(watch) = &mut self.watch {
            read_under(state, "watch", |state| watch.load(state))?;
        }
        Ok(())
    }
}

/// Rows and columns that make a block of a covariance.
const BLOCK: usize = 8;

/// Entries of a row that are there: up to the end of the diagonal's block.
#[inline(always)]
fn end(row: usize) -> usize {
    (row / BLOCK + 1) * BLOCK
}

/// [`NewtonTraining::gain`], for the widest vectors that there are; rounded the same with all.
struct Gain<'a> {
    training: &'a mut NewtonTraining,
    inputs: &'a [f32],
    curvature: f32,
    importance: f32,
}

impl WithSimd for Gain<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self) -> f64 {
        self.training.gain_inline(self.inputs, self.curvature, self.importance)
    }
}

/// The sum of products, in an order that depends on the length only, which is a multiple of eight.
#[inline(always)]
fn dot64(a: &[f64], b: &[f64]) -> f64 {
    let (a, _) = a.as_chunks::<8>();
    let (b, _) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::testing::SplitMix;

    /// The covariance that is kept by half is that of the whole matrix by the textbook, also once a weight was fixed.
    #[test]
    fn half_a_covariance_tells_what_a_whole_one_does() {
        const SIZE: usize = 24;
        let mut random = SplitMix(5);
        let mut training = NewtonTraining::new(1, SIZE, 1.0, 1.0);
        let mut whole = [[0.0_f64; SIZE]; SIZE];
        (0..SIZE).for_each(|i| whole[i][i] = 1.0);
        for step in 0..200 {
            let inputs: Vec<f32> = (0..SIZE).map(|_| random.unit_f32() - 0.5).collect();
            let x: Vec<f64> = inputs.iter().map(|x| f64::from(*x)).collect();
            let along = whole.map(|row| row.iter().zip(&x).map(|(p, x)| p * x).sum::<f64>());
            let spread: f64 = along.iter().zip(&x).map(|(a, x)| a * x).sum();
            let shrink = training.gain(&inputs, 0.25, 1.0);
            assert!((shrink - 1.0 / (1.0 + 0.25 * spread)).abs() < 1e-9);
            for (i, expected) in along.iter().enumerate() {
                assert!((training.direction()[i] - expected).abs() < 1e-9);
                (0..SIZE).for_each(|j| whole[i][j] -= 0.25 * shrink * along[i] * along[j]);
            }
            if step == 100 {
                let weights: Vec<f64> = (0..3).map(|i| 0.1 * f64::from(i + 1)).collect();
                let mut fixed: Vec<f32> = vec![0.0; SIZE];
                fixed[7..10].copy_from_slice(&[0.1, 0.2, 0.3]);
                let saliency = training.saliency(7, &weights);
                // One after the other they lose as much as all at once.
                let mut sum = 0.0;
                for i in 7..10 {
                    sum += f64::from(fixed[i]).powi(2) / whole[i][i];
                    training.fix_at_zero(i, &mut fixed);
                    let row = whole[i];
                    for j in 0..SIZE {
                        (0..SIZE).for_each(|k| whole[j][k] -= row[j] * row[k] / row[i]);
                    }
                    (0..SIZE).for_each(|j| (whole[i][j], whole[j][i]) = (0.0, 0.0));
                    whole[i][i] = 1.0;
                    assert_eq!(fixed[i], 0.0);
                }
                assert!((saliency - sum).abs() < 1e-5 * sum, "{saliency} {sum}");
            }
        }
    }
}
