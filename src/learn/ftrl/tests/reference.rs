//! The three rules once more, in `f64` and as plain as can be: a map from feature to weight, the path of small steps by
//! bisection, nothing shared with the code under test. Nothing collides: the table is large.

use std::collections::BTreeMap;

use super::*;
use crate::learn::testing::Data;

struct Reference {
    config: FtrlConfig,
    classes: usize,
    /// By feature and class: z and n, or weight and squares.
    slots: BTreeMap<(String, usize), (f64, f64)>,
    examples: f64,
    lengths: f64,
}

impl Reference {
    fn weight(&self, key: &(String, usize)) -> f64 {
        let (z, n) = self.slots.get(key).copied().unwrap_or_default();
        let FtrlConfig { step, rate, beta, l1, l2, .. } = self.config;
        let [rate, beta, l1, l2] = [rate, beta, l1, l2].map(f64::from);
        match step {
            SparseStep::Ftrl if z.abs() <= l1 => 0.0,
            SparseStep::Ftrl => -(z - z.signum() * l1) / ((beta + n.sqrt()) / rate + l2),
            _ => z,
        }
    }

    /// The prediction from before the example; then learns it.
    fn learn(&mut self, row: &[(String, f64)], class: usize, importance: f64) -> Vec<f64> {
        let scored: Vec<usize> = if self.classes == 2 { vec![1] } else { (0..self.classes).collect() };
        let mut scores = vec![0.0; self.classes];
        for class in &scored {
            scores[*class] = row.iter().map(|(name, x)| x * self.weight(&(name.clone(), *class))).sum();
        }
        let total: f64 = scores.iter().map(|score: &f64| score.exp()).sum();
        let out: Vec<f64> = scores.iter().map(|score| score.exp() / total).collect();
        let error = 1.0 - out[class];
        let square: f64 = row.iter().map(|(_, x)| x * x).sum();
        let rate = f64::from(self.config.rate);
        let gradient = |of: usize| out[of] - f64::from(u8::from(of == class));
        match self.config.step {
            SparseStep::Ftrl => {
                for of in scored {
                    for (name, x) in row {
                        let weight = self.weight(&(name.clone(), of));
                        let (z, n) = self.slots.entry((name.clone(), of)).or_default();
                        let g = gradient(of) * x * importance;
                        *z += g - ((*n + g * g).sqrt() - n.sqrt()) / rate * weight;
                        *n += g * g;
                    }
                }
            }
            SparseStep::Adaptive => {
                self.examples += importance;
                self.lengths += importance * square;
                let rate = rate * (self.examples / self.lengths).sqrt();
                let mut curve = 0.0;
                let mut rates = BTreeMap::new();
                for of in &scored {
                    for (name, x) in row {
                        let key = (name.clone(), *of);
                        let squares = self.slots.get(&key).copied().unwrap_or_default().1;
                        let g = gradient(*of) * x;
                        let own = rate / (squares + g * g * importance).sqrt();
                        let pull = gradient(*of) / error;
                        if *x != 0.0 {
                            curve += own * x * x * pull * pull;
                            rates.insert(key, own);
                        }
                    }
                }
                let length = length(out[class] / error, curve, importance);
                for of in scored {
                    for (name, x) in row.iter().filter(|(_, x)| *x != 0.0) {
                        let key = (name.clone(), of);
                        let (weight, squares) = self.slots.entry(key.clone()).or_default();
                        let pull = gradient(of) / error;
                        *weight -= rates[&key] * pull * x * length;
                        *squares += pull * pull * x * x * error * length;
                    }
                }
            }
            SparseStep::PassiveAggressive => {
                let rival = (0..self.classes).filter(|other| *other != class);
                let rival = rival.max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
                let loss = (1.0 - (scores[class] - scores[rival])).max(0.0);
                let copies = if self.classes == 2 { 1.0 } else { 2.0 };
                let tau = (loss / (copies * square)).min(rate * importance);
                for (of, sign) in [(class, 1.0), (rival, -1.0)] {
                    // Two classes have the weights of class 1 only.
                    if scored.contains(&of) {
                        for (name, x) in row {
                            self.slots.entry((name.clone(), of)).or_default().0 += sign * tau * x;
                        }
                    }
                }
            }
        }
        out
    }
}

/// Where the path of small steps on the logistic loss ends, as a length along the row.
fn length(odds: f64, curve: f64, importance: f64) -> f64 {
    let (mut low, mut high) = (0.0, curve * importance);
    for _ in 0..200 {
        let x: f64 = 0.5 * (low + high);
        if x + odds * x.exp_m1() < curve * importance { low = x } else { high = x }
    }
    low / curve
}

/// A row's features by name; numbers as they are, so that the learner's scaling is `raw`.
fn features(data: &Data, row: usize) -> Vec<(String, f64)> {
    let mut features = vec![("bias".to_owned(), 1.0)];
    for (index, value) in data.rows.numeric_row(row).iter().enumerate() {
        features.push(if value.is_nan() {
            (format!("missing {index}"), 1.0)
        } else {
            (format!("number {index}"), f64::from(*value))
        });
    }
    let category = data.rows.categorical_row(row)[0];
    features.push((format!("category {category}"), 1.0));
    let first = data.rows.numeric_row(row)[0];
    features.push((format!("cross {category}"), if first.is_nan() { 0.0 } else { f64::from(first) }));
    features
}

#[test]
fn the_learner_does_what_a_plain_one_in_double_precision_does() {
    for classes in [2, 4] {
        for step in STEPS {
            for (rate, l1, l2) in [(0.05, 0.0, 0.0), (0.5, 0.0, 0.0), (0.5, 0.1, 0.5)] {
                if step != SparseStep::Ftrl && l1 > 0.0 {
                    continue;
                }
                let objective = Objective::Classify { classes };
                let mut data = mixed(objective, 400);
                for (value, unit) in data.rows.numeric.iter_mut().zip([1e-3, 1e3, 1.0].into_iter().cycle()) {
                    *value *= unit;
                }
                let config = FtrlConfig {
                    step,
                    rate,
                    l1,
                    l2,
                    bits: 24,
                    scaling: SparseScaling::Raw,
                    crosses: vec!["categorical0*numeric0".into()],
                    ..FtrlConfig::default()
                };
                let out = data.teach(data.learner(&model(config.clone()), objective).as_mut());
                let slots = BTreeMap::new();
                let mut reference = Reference { config, classes, slots, examples: 0.0, lengths: 0.0 };
                for row in 0..data.rows.len() {
                    let (class, weight) = (data.targets[row] as usize, f64::from(data.weights[row]));
                    let expected = reference.learn(&features(&data, row), class, weight);
                    for (found, expected) in out.row(row).iter().zip(&expected) {
                        // Single precision; the length of an adaptive step is found to a few percent where it is long.
                        let tolerance = if step == SparseStep::Adaptive { 0.02 } else { 2e-3 };
                        assert!(
                            (f64::from(*found) - expected).abs() < tolerance,
                            "{classes} classes, {step:?} {rate} row {row}: {found}, expected {expected}"
                        );
                    }
                }
            }
        }
    }
}
