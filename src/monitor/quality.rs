use crate::config::{QualityConfig, QualityMetric};
use crate::state::{StateError, TensorMap};

/// Compares a sliding score of the served predictions with a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    config: QualityConfig,
    crossed: bool,
}

/// What [`Quality`] found, with the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QualityEvent {
    /// The score is on the wrong side of the threshold.
    Crossed(f64),
    /// It has come back, by the hysteresis.
    Recovered(f64),
}

impl Quality {
    pub fn new(config: &QualityConfig) -> Self {
        Self { config: config.clone(), crossed: false }
    }

    pub fn config(&self) -> &QualityConfig {
        &self.config
    }

    /// Forgets that an alert is firing.
    pub(super) fn stand_down(&mut self) {
        self.crossed = false;
    }

    /// Whether a judgement is due at all: spares the reading of the score otherwise.
    pub fn judges(&self, examples: u64) -> bool {
        self.config.enabled && examples >= self.config.examples_min
    }

    /// Judges the sliding score; one that is not defined changes nothing.
    pub fn update(&mut self, score: Option<f64>) -> Option<QualityEvent> {
        let score = score?;
        // Above zero: on the wrong side.
        let beyond = match self.config.metric {
            QualityMetric::Accuracy | QualityMetric::Auc => self.config.threshold - score,
            QualityMetric::Logloss | QualityMetric::Mae => score - self.config.threshold,
        };
        if !self.crossed && beyond > 0.0 {
            self.crossed = true;
            return Some(QualityEvent::Crossed(score));
        }
        if self.crossed && beyond <= -self.config.hysteresis {
            self.crossed = false;
            return Some(QualityEvent::Recovered(score));
        }
        None
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u32_one("crossed", u32::from(self.crossed));
        map
    }

    /// Takes a saved state over; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.crossed = state.u32_one("crossed")? != 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(metric: QualityMetric, threshold: f64) -> Quality {
        let (hysteresis, examples_min) = (0.125, 100);
        Quality::new(&QualityConfig { enabled: true, metric, threshold, hysteresis, examples_min })
    }

    #[test]
    fn a_score_below_the_threshold_alerts_once_until_it_is_back_by_the_hysteresis() {
        let mut quality = quality(QualityMetric::Accuracy, 0.5);
        let scores = [0.7, 0.5, 0.49, 0.3, 0.51, 0.6, 0.625, 0.51, 0.4];
        let said: Vec<_> = scores.into_iter().map(|score| quality.update(Some(score))).collect();
        let mut expected = [None; 9];
        expected[2] = Some(QualityEvent::Crossed(0.49));
        expected[6] = Some(QualityEvent::Recovered(0.625));
        expected[8] = Some(QualityEvent::Crossed(0.4));
        assert_eq!(said, expected);
    }

    #[test]
    fn a_loss_alerts_above_its_threshold() {
        let mut quality = quality(QualityMetric::Logloss, 0.5);
        assert_eq!(quality.update(Some(0.4)), None);
        assert_eq!(quality.update(Some(0.6)), Some(QualityEvent::Crossed(0.6)));
        assert_eq!(quality.update(Some(0.4)), None);
        assert_eq!(quality.update(Some(0.375)), Some(QualityEvent::Recovered(0.375)));
    }

    #[test]
    fn it_waits_for_examples_and_for_a_defined_score() {
        let mut quality = quality(QualityMetric::Auc, 0.5);
        assert!(!quality.judges(99) && quality.judges(100));
        assert_eq!(quality.update(None), None);
        assert!(!Quality::new(&QualityConfig::default()).judges(u64::MAX), "off by default");
    }
}
