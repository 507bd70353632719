use crate::config::{AdaptConfig, DriftResponse};
use crate::detect::{Adwin, AdwinConfig};
use crate::learn::Objective;
use crate::learn::encode::{Standardiser, read_under};
use crate::state::{StateError, TensorMap};

/// How wrong predictions are, as numbers from 0 to 1, and ADWIN's opinion on them (Bifet and Gavaldà, 2007).
#[derive(Debug, Clone)]
pub(super) struct Watch {
    objective: Objective,
    /// Of the first sign, where one is acted upon.
    warning: Option<Adwin>,
    drift: Adwin,
    /// Of the targets of a regression: an error is large beside their deviation.
    targets: Option<Standardiser>,
}

/// What an error told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    pub warning: bool,
    pub alarm: bool,
}

impl Watch {
    pub fn new(config: &AdaptConfig, objective: Objective) -> Self {
        let adwin = |delta| Adwin::new(AdwinConfig { delta, ..AdwinConfig::default() });
        let warns = config.response == DriftResponse::Background;
        Self {
            objective,
            warning: warns.then(|| adwin(config.warning_delta)),
            drift: adwin(config.drift_delta),
            targets: (objective == Objective::Regress).then(|| Standardiser::new(1)),
        }
    }

    /// How wrong a prediction was. Of classes half the Brier score (1950), which, other than whether the likeliest class
    /// was right, tells a sure prediction from a close one; of values the distance beside the deviation of all targets
    /// that were learned.
    pub fn error(&self, prediction: &[f32], target: f32) -> f64 {
        let Some(targets) = &self.targets else {
            let class = target as usize;
            let gaps =
                prediction.iter().enumerate().map(|(other, p)| f64::from(p - f32::from(other == class)));
            return (0.5 * gaps.map(|gap| gap * gap).sum::<f64>()).min(1.0);
        };
        let distance = (f64::from(target) - f64::from(prediction[0])).abs();
        // One over the deviation, or 0 where targets were all the same.
        let times = distance * f64::from(targets.scaling().scales()[0]);
        times / (times + 1.0)
    }

    /// Takes in the error of an example, and its target.
    pub fn update(&mut self, error: f64, target: f32) -> Signs {
        if let Some(targets) = &mut self.targets {
            targets.observe(&[target]);
        }
        let rises = |adwin: &mut Adwin| adwin.update(error).is_some_and(|change| change.is_rise());
        Signs { warning: self.warning.as_mut().is_some_and(rises), alarm: rises(&mut self.drift) }
    }

    /// Forgets what first signs were about.
    pub fn calm(&mut self, config: &AdaptConfig) {
        self.warning = Self::new(config, self.objective).warning;
    }

    /// Forgets all errors: they were another learner's.
    pub fn begin(&mut self, config: &AdaptConfig) {
        let targets = self.targets.take();
        *self = Self { targets, ..Self::new(config, self.objective) };
    }

    /// `drift/`, where there is one `warning/`, and of a regression `targets/`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("drift", self.drift.save());
        if let Some(warning) = &self.warning {
            map.nest("warning", warning.save());
        }
        if let Some(targets) = &self.targets {
            map.nest("targets", targets.save());
        }
        map
    }

    /// One of the same configuration with what [`Watch::save`] wrote.
    pub fn load(config: &AdaptConfig, objective: Objective, state: &TensorMap) -> Result<Self, StateError> {
        let mut watch = Self::new(config, objective);
        read_under(state, "drift", |state| watch.drift.load(state))?;
        if let Some(warning) = &mut watch.warning {
            read_under(state, "warning", |state| warning.load(state))?;
        }
        if let Some(targets) = &mut watch.targets {
            *targets = read_under(state, "targets", |state| Standardiser::load(1, state))?;
        }
        Ok(watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_number_from_0_to_1_whatever_the_unit() {
        let config = AdaptConfig::default();
        let of_classes = Watch::new(&config, Objective::Classify { classes: 3 });
        let error = |p: [f32; 3]| of_classes.error(&p, 1.0);
        assert_eq!([error([0.0, 1.0, 0.0]), error([1.0, 0.0, 0.0])], [0.0, 1.0]);
        assert!((error([0.25, 0.5, 0.25]) - 0.1875).abs() < 1e-9);
        for unit in [1e-9, 1.0, 1e9_f32] {
            let mut watch = Watch::new(&config, Objective::Regress);
            assert_eq!(watch.error(&[5.0 * unit], 0.0), 0.0, "nothing is far before anything is known");
            (0..100).for_each(|row| _ = watch.update(0.0, (row % 2) as f32 * 2.0 * unit));
            assert!((watch.error(&[1.0 * unit], 0.0) - 0.5).abs() < 1e-6);
            assert!(watch.error(&[f32::MAX], f32::MIN) <= 1.0);
        }
    }

    #[test]
    fn a_rise_is_a_sign_and_a_fall_is_none() {
        let config = AdaptConfig { response: DriftResponse::Background, ..AdaptConfig::default() };
        let found = |errors: [f64; 2]| {
            let mut watch = Watch::new(&config, Objective::Classify { classes: 2 });
            let all = (0..2_000).map(|row| watch.update(errors[row / 1_000], 0.0));
            let (mut warned, mut alarmed) = (None, None);
            for (row, signs) in all.enumerate() {
                warned = warned.or(signs.warning.then_some(row));
                alarmed = alarmed.or(signs.alarm.then_some(row));
            }
            (warned, alarmed)
        };
        let (warned, alarmed) = found([0.1, 0.3]);
        assert!(warned.is_some_and(|row| row > 1_000) && warned <= alarmed && alarmed < Some(1_200));
        assert_eq!(found([0.3, 0.1]), (None, None));
    }
}
