use crate::config::DriftConfig;
use crate::detect::{Adwin, AdwinConfig, Change};
use crate::state::{StateError, TensorMap};

use super::saved::exactly;

/// Watches the error of the served predictions with ADWIN. A change for the better shortens the window too, but only a
/// rise is drift.
#[derive(Debug, Clone)]
pub struct Drift {
    config: DriftConfig,
    adwin: Adwin,
    rises: u64,
    falls: u64,
    /// Examples since the last rise, while the alert is firing.
    since_rise: Option<u64>,
    /// Examples taken in so far.
    examples: u64,
    /// After how many examples the alert began to fire: the last [`FIRED_MAX`] times.
    fired_at: Vec<u64>,
}

/// Times that are remembered.
const FIRED_MAX: usize = 16;

/// What [`Drift`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DriftEvent {
    /// The error rose.
    Rise(Change),
    /// No further rise for long enough.
    Calm,
}

impl Drift {
    pub fn new(config: &DriftConfig) -> Self {
        let adwin = AdwinConfig { delta: config.delta, ..AdwinConfig::default() };
        Self {
            config: config.clone(),
            adwin: Adwin::new(adwin),
            rises: 0,
            falls: 0,
            since_rise: None,
            examples: 0,
            fired_at: Vec::new(),
        }
    }

    /// Takes in the error, in `[0, 1]`, of one served prediction.
    pub fn update(&mut self, error: f64) -> Option<DriftEvent> {
        if !self.config.enabled {
            return None;
        }
        self.examples += 1;
        if let Some(change) = self.adwin.update(error) {
            if change.is_rise() {
                self.rises += 1;
                if self.since_rise.is_none() {
                    if self.fired_at.len() == FIRED_MAX {
                        self.fired_at.remove(0);
                    }
                    self.fired_at.push(self.examples);
                }
                self.since_rise = Some(0);
                return Some(DriftEvent::Rise(change));
            }
            self.falls += 1;
        }
        let since_rise = self.since_rise.as_mut()?;
        *since_rise += 1;
        if *since_rise < self.config.resolve_after {
            return None;
        }
        self.since_rise = None;
        Some(DriftEvent::Calm)
    }

    /// Forgets that an alert is firing.
    pub(super) fn stand_down(&mut self) {
        self.since_rise = None;
    }

    /// Changes found so far for the worse, and for the better.
    pub fn counts(&self) -> (u64, u64) {
        (self.rises, self.falls)
    }

    /// After how many examples the alert began to fire: the last times.
    pub fn fired_at(&self) -> &[u64] {
        &self.fired_at
    }

    /// Mean error over ADWIN's window; none before the first example.
    pub fn error(&self) -> Option<f64> {
        self.adwin.mean()
    }

    /// Examples in ADWIN's window.
    pub fn width(&self) -> u64 {
        self.adwin.width()
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("adwin", self.adwin.save());
        map.put_u64("changes", &[self.rises, self.falls]);
        map.put_u64("since_rise", self.since_rise.as_slice());
        map.put_u64_one("examples", self.examples);
        map.put_u64("fired_at", &self.fired_at);
        map
    }

    /// Takes a saved state over; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let [rises, falls] = exactly(state.u64s("changes")?, "changes")?;
        let since_rise = state.u64s("since_rise")?.first().copied();
        let (examples, fired_at) = (state.u64_one("examples")?, state.u64s("fired_at")?);
        self.adwin.load(&state.under("adwin"))?;
        (self.rises, self.falls, self.since_rise) = (rises, falls, since_rise);
        (self.examples, self.fired_at) = (examples, fired_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors at a rate of `per_thousand`, spread evenly.
    fn errors(per_thousand: u64, count: u64) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| ((i * per_thousand) % 1_000 < per_thousand) as u8 as f64)
    }

    fn events(drift: &mut Drift, errors: impl Iterator<Item = f64>) -> Vec<DriftEvent> {
        errors.filter_map(|error| drift.update(error)).collect()
    }

    #[test]
    fn a_rise_is_told_and_a_fall_is_only_counted() {
        let mut drift = Drift::new(&DriftConfig::default());
        assert_eq!(events(&mut drift, errors(400, 2_000)), []);
        assert_eq!(events(&mut drift, errors(100, 2_000)), []);
        assert!(drift.counts().1 > 0, "the fall was seen");
        let rise = events(&mut drift, errors(300, 1_000))[0];
        let DriftEvent::Rise(change) = rise else { panic!("{rise:?}") };
        assert!(change.before < 0.2 && change.after > 0.2, "{change:?}");
    }

    #[test]
    fn it_is_calm_after_the_configured_number_of_examples_without_a_rise() {
        let config = DriftConfig { resolve_after: 700, ..DriftConfig::default() };
        let mut drift = Drift::new(&config);
        events(&mut drift, errors(100, 2_000));
        let rises = events(&mut drift, errors(500, 600));
        assert!(!rises.is_empty() && !rises.contains(&DriftEvent::Calm), "{rises:?}");
        let later: Vec<_> =
            errors(500, 3_000).enumerate().filter_map(|(i, e)| Some((i, drift.update(e)?))).collect();
        assert_eq!(later.len(), 1, "{later:?}");
        assert_eq!(later[0].1, DriftEvent::Calm);
        assert!(later[0].0 < 700);
    }

    #[test]
    fn switched_off_it_says_nothing() {
        let mut drift = Drift::new(&DriftConfig { enabled: false, ..DriftConfig::default() });
        assert_eq!(events(&mut drift, errors(0, 1_000).chain(errors(1_000, 1_000))), []);
    }
}
