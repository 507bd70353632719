use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LearnerKind, ModelConfig};

/// `[pipeline.NAME.model.race]`: hyperparameters found along the stream, by learners that race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RaceConfig {
    /// The family that races; its section has the values to begin with.
    pub learner: LearnerKind,
    /// What is searched.
    #[schemars(length(min = 1, max = 16))]
    pub space: Vec<RaceKey>,
    /// Learners that learn at a time, the champion among them.
    #[schemars(range(min = 2, max = 64))]
    pub live: usize,
    /// Challengers that are known at a time, those that wait for their turn included.
    #[schemars(range(min = 1, max = 1_000))]
    pub challengers_max: usize,
    /// Examples of a challenger's first turn; each further one is twice as long.
    #[schemars(range(min = 16, max = 1_000_000))]
    pub lease_rows: u64,
    /// Probability that a challenger that is no better wins, about.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub delta: f64,
}

/// A key of the family's section, and the values that are tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaceKey {
    /// The key, such as `"rate"`; it takes a number.
    pub key: String,
    /// The lowest value.
    #[schemars(range(min = -1e15, max = 1e15))]
    pub min: f64,
    /// The highest value.
    #[schemars(range(min = -1e15, max = 1e15))]
    pub max: f64,
    /// Whether values are apart by their quotient rather than by their difference.
    #[serde(default)]
    pub log: bool,
}

impl Default for RaceConfig {
    fn default() -> Self {
        Self {
            learner: LearnerKind::Linear,
            space: vec![RaceKey { key: "rate".into(), min: 1e-4, max: 10.0, log: true }],
            live: 5,
            challengers_max: 20,
            lease_rows: 250,
            delta: 0.05,
        }
    }
}

impl RaceKey {
    /// The value at a place of the range, from 0 to 1.
    pub fn value(&self, place: f64) -> f64 {
        let value = if self.log {
            libm::exp(libm::log(self.min) + place * (libm::log(self.max) - libm::log(self.min)))
        } else {
            self.min + place * (self.max - self.min)
        };
        value.clamp(self.min, self.max)
    }

    /// The place of a value in the range; the nearer end for values outside.
    pub fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.min, self.max);
        let place = if self.log {
            (libm::log(value) - libm::log(self.min)) / (libm::log(self.max) - libm::log(self.min))
        } else {
            (value - self.min) / (self.max - self.min)
        };
        place.clamp(0.0, 1.0)
    }
}

impl ModelConfig {
    /// Where in the space of `race` the values of the family's section are, a number from 0 to 1 for each key.
    pub fn race_start(&self) -> Vec<f64> {
        let section = self.race_section();
        let place = |key: &RaceKey| section[key.key.as_str()].as_f64().map_or(0.5, |value| key.place(value));
        self.race.space.iter().map(place).collect()
    }

    /// The configuration of a learner that races, with its values at some places of the space. A key of whole numbers
    /// gets the nearest one.
    pub fn racer(&self, places: &[f64]) -> Self {
        let name = self.race.learner.section();
        let mut section = self.race_section();
        for (key, place) in self.race.space.iter().zip(places) {
            let (value, slot) = (key.value(*place), &mut section[key.key.as_str()]);
            *slot = if slot.is_f64() { value.into() } else { (libm::round(value) as i64).into() };
        }
        let mut all =
            serde_json::to_value(self).expect("a configuration has text keys and finite numbers only");
        all[name] = section;
        let mut racer: Self = serde_json::from_value(all)
            .expect("what is checked has keys of the section and values in their range");
        racer.learner = self.race.learner;
        racer
    }

    fn race_section(&self) -> serde_json::Value {
        let mut all =
            serde_json::to_value(self).expect("a configuration has text keys and finite numbers only");
        all[self.race.learner.section()].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KnnConfig;

    #[test]
    fn places_are_values_and_back() {
        for log in [false, true] {
            let key = RaceKey { key: "rate".into(), min: 0.01, max: 4.0, log };
            assert_eq!((key.value(0.0), key.value(1.0)), (0.01, 4.0));
            assert_eq!((key.place(1e-9), key.place(1e9)), (0.0, 1.0));
            for value in [0.02, 0.2, 3.9] {
                assert!((key.value(key.place(value)) - value).abs() < 1e-12);
            }
        }
        let key = RaceKey { key: "rate".into(), min: 0.01, max: 1.0, log: true };
        assert!((key.value(0.5) - 0.1).abs() < 1e-12, "the middle of decades");
    }

    #[test]
    fn a_racer_is_the_family_with_other_values_and_whole_numbers_stay_whole() {
        let space = ["k", "mismatch"].map(|key| RaceKey { key: key.into(), min: 1.0, max: 8.0, log: false });
        let race = RaceConfig { learner: LearnerKind::Knn, space: space.into(), ..RaceConfig::default() };
        let model = ModelConfig { learner: LearnerKind::Race, race, seed: 9, ..ModelConfig::default() };
        assert_eq!(model.race_start(), [4.0 / 7.0, 1.0 / 7.0]);
        let racer = model.racer(&[0.1, 1.0]);
        let knn = KnnConfig { k: 2, mismatch: 8.0, ..KnnConfig::default() };
        assert_eq!(racer, ModelConfig { learner: LearnerKind::Knn, knn, ..model });
    }
}
