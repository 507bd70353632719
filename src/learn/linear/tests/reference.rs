//! The same learner once more, in `f64` and as plain as can be, to compare with: the path of infinitely many small
//! steps by bisection, categories as one-hot columns, nothing shared with the code under test.

use super::*;

pub(super) struct Reference {
    objective: Objective,
    step: StepSize,
    rate: f64,
    l2: f64,
    columns: Vec<Column>,
    target: Column,
    categories: Vec<u64>,
    /// `[scores][inputs]`: numeric columns, bias, categories in the order learned.
    weights: Vec<Vec<f64>>,
    squares: Vec<Vec<f64>>,
    counts: Vec<f64>,
}

#[derive(Clone, Default)]
struct Column {
    values: Vec<f64>,
}

impl Column {
    fn standardise(&self, value: f64) -> f64 {
        let n = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / n;
        let variance = self.values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        if value.is_nan() || n == 0.0 || variance <= 1e-20 * mean * mean {
            return 0.0;
        }
        ((value - mean) / variance.sqrt()).clamp(-8.0, 8.0)
    }

    fn restore(&self, z: f64) -> f64 {
        if self.values.is_empty() {
            return 0.0;
        }
        let n = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / n;
        let variance = self.values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        mean + variance.sqrt() * z
    }
}

impl Reference {
    pub fn new(config: &LinearConfig, shape: &Shape) -> Self {
        let scores = match shape.objective {
            Objective::Classify { classes: 2 } | Objective::Regress => 1,
            Objective::Classify { classes } => classes,
        };
        Self {
            objective: shape.objective,
            step: config.step,
            rate: f64::from(config.rate),
            l2: f64::from(config.l2),
            columns: vec![Column::default(); shape.numeric],
            target: Column::default(),
            categories: Vec::new(),
            weights: vec![vec![0.0; shape.numeric + 1]; scores],
            squares: vec![vec![0.0; shape.numeric + 1]; scores],
            counts: vec![0.0; shape.numeric + 1],
        }
    }

    /// The prediction from before the example; then learns it.
    pub fn learn(&mut self, numeric: &[f32], categories: &[u64], target: f32, weight: f32) -> Vec<f64> {
        let input = self.input(numeric, categories);
        let dot = |weights: &Vec<f64>| weights.iter().zip(&input).map(|(w, x)| w * x).sum::<f64>();
        let scores: Vec<f64> = self.weights.iter().map(dot).collect();
        let out = match self.objective {
            Objective::Regress => vec![self.target.restore(scores[0])],
            Objective::Classify { classes: 2 } => softmax(&[0.0, scores[0]]),
            Objective::Classify { .. } => softmax(&scores),
        };
        for (column, value) in self.columns.iter_mut().zip(numeric).filter(|(_, value)| !value.is_nan()) {
            column.values.push(f64::from(*value));
        }
        let (error, pull, likely) = match self.objective {
            Objective::Regress => {
                self.target.values.push(f64::from(target));
                (self.target.standardise(f64::from(target)) - scores[0], vec![1.0], None)
            }
            Objective::Classify { classes: 2 } => {
                let class = target as usize;
                (out[1 - class], vec![if class == 1 { 1.0 } else { -1.0 }], Some(out[class]))
            }
            Objective::Classify { .. } => {
                let class = target as usize;
                let error: f64 = 1.0 - out[class];
                let mut pull: Vec<f64> = out.iter().map(|p| -p / error).collect();
                pull[class] = 1.0;
                (error, pull, Some(out[class]))
            }
        };
        self.step(&input, error, &pull, likely, f64::from(weight));
        out
    }

    fn input(&mut self, numeric: &[f32], categories: &[u64]) -> Vec<f64> {
        let standardised =
            self.columns.iter().zip(numeric).map(|(column, x)| column.standardise(f64::from(*x)));
        let mut input: Vec<f64> = standardised.collect();
        input.push(1.0);
        for category in categories {
            if !self.categories.contains(category) {
                self.categories.push(*category);
            }
        }
        input.extend(self.categories.iter().map(|known| f64::from(u8::from(categories.contains(known)))));
        self.counts.resize(input.len(), 0.0);
        for weights in self.weights.iter_mut().chain(&mut self.squares) {
            weights.resize(input.len(), 0.0);
        }
        input
    }

    fn step(&mut self, input: &[f64], error: f64, pull: &[f64], likely: Option<f64>, weight: f64) {
        let bias = self.columns.len();
        let used = |i: usize| i <= bias || input[i] != 0.0;
        let decay = if self.step == StepSize::Rmsprop { 0.999 } else { 1.0 };
        let counts: Vec<f64> = self.counts.iter().map(|count| decay * count + 1.0).collect();
        let rate = |squares: f64, gradient: f64, count: f64| match self.step {
            StepSize::Constant => self.rate,
            StepSize::Adagrad => self.rate / (squares + weight * gradient * gradient + 1e-8).sqrt(),
            StepSize::Rmsprop => {
                self.rate / ((decay * squares + weight * gradient * gradient) / count + 1e-8).sqrt()
            }
        };
        let rates: Vec<Vec<f64>> = (self.squares.iter().zip(pull))
            .map(|(squares, u)| {
                (0..input.len()).map(|i| rate(squares[i], error * u * input[i], counts[i])).collect()
            })
            .collect();
        let squares_of = |(rates, u): (&Vec<f64>, &f64)| -> f64 {
            rates.iter().zip(input).map(|(rate, x)| rate * x * x * u * u).sum()
        };
        let curve: f64 = rates.iter().zip(pull).map(squares_of).sum();
        let length = length(error, likely, curve, weight);
        for (score, u) in pull.iter().enumerate() {
            for i in (0..input.len()).filter(|i| used(*i)) {
                let (rate, w) = (rates[score][i], &mut self.weights[score][i]);
                if i != bias {
                    *w /= 1.0 + rate * self.l2 * weight;
                }
                *w += rate * u * input[i] * length;
                let squares = &mut self.squares[score][i];
                *squares = decay * *squares + u * u * input[i] * input[i] * error * length;
            }
        }
        for i in (0..input.len()).filter(|i| used(*i)) {
            self.counts[i] = counts[i];
        }
    }
}

/// Where the path of small steps ends, as a length along the input.
fn length(error: f64, likely: Option<f64>, curve: f64, weight: f64) -> f64 {
    let Some(likely) = likely else {
        return error * (1.0 - (-curve * weight).exp()) / curve;
    };
    let (odds, mut low, mut high) = (likely / error, 0.0, curve * weight);
    for _ in 0..200 {
        let x: f64 = 0.5 * (low + high);
        if x + odds * x.exp_m1() < curve * weight { low = x } else { high = x }
    }
    low / curve
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let total: f64 = scores.iter().map(|score| score.exp()).sum();
    scores.iter().map(|score| score.exp() / total).collect()
}

#[test]
fn the_learner_does_what_a_plain_one_in_double_precision_does() {
    for objective in [BINARY, Objective::Classify { classes: 4 }, Objective::Regress] {
        for step in STEPS {
            for (rate, l2) in [(0.003, 0.0), (0.1, 0.0), (0.1, 0.01)] {
                let data = mixed(objective, 400);
                let config = LinearConfig { rate, step, l2 };
                let shape = data.shape(objective);
                let out = data.teach(&mut LinearLearner::new(&config, 8, &shape));
                let mut reference = Reference::new(&config, &shape);
                for row in 0..data.rows.len() {
                    let (numeric, categories) = (data.rows.numeric_row(row), data.rows.categorical_row(row));
                    let expected = reference.learn(numeric, categories, data.targets[row], data.weights[row]);
                    // Single precision and the step's own tolerance; targets have a deviation of about 500.
                    let tolerance = if objective == Objective::Regress { 1.0 } else { 0.005 };
                    for (found, expected) in out.row(row).iter().zip(&expected) {
                        assert!(
                            (f64::from(*found) - expected).abs() < tolerance,
                            "{objective:?} {config:?} row {row}: {found}, expected {expected}"
                        );
                    }
                }
            }
        }
    }
}
