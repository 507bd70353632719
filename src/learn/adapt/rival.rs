use crate::learn::Learner;
use crate::learn::encode::read_under;
use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// A learner with the number of those begun before it, from which its seed follows.
pub(super) struct Begun {
    pub number: u64,
    pub learner: Box<dyn Learner>,
}

/// A learner that grows beside the one in charge.
pub(super) struct Rival {
    pub begun: Begun,
    pub lead: Lead,
    /// Whether it may take over: the alarm came.
    pub called: bool,
}

/// By how much one learner's errors are below another's on the examples that both predicted, the last ones above all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Lead {
    pub examples: u64,
    mean: f64,
    variance: f64,
}

/// Examples over which a lead is a mean, about; with fewer there is none.
const MEMORY: f64 = 100.0;
const EXAMPLES_MIN: u64 = 50;

/// Standard errors that a lead is above 0.
const SURE: f64 = 2.0;

impl Lead {
    pub fn update(&mut self, by: f64) {
        self.examples += 1;
        let step = (1.0 / self.examples as f64).max(1.0 / MEMORY);
        let gap = by - self.mean;
        self.mean += step * gap;
        self.variance = (1.0 - step) * (self.variance + step * gap * gap);
    }

    /// Whether it is more than chance.
    pub fn is_clear(&self) -> bool {
        let count = (self.examples as f64).min(2.0 * MEMORY);
        self.examples >= EXAMPLES_MIN && self.mean > SURE * (self.variance / count).sqrt()
    }
}

impl Rival {
    pub fn new(begun: Begun) -> Self {
        Self { begun, lead: Lead::default(), called: false }
    }

    /// `number`, `called`, `examples`, `lead` (mean and variance) and `learner/`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("number", self.begun.number);
        map.put_bytes("called", vec![u8::from(self.called)]);
        map.put_u64_one("examples", self.lead.examples);
        map.put_f64("lead", &[self.lead.mean, self.lead.variance]);
        map.nest("learner", self.begun.learner.save());
        map
    }

    /// What [`Rival::save`] wrote; `make` gives the untrained learner of a number.
    pub fn load(state: &TensorMap, make: impl Fn(u64) -> Box<dyn Learner>) -> Result<Self, StateError> {
        let number = state.u64_one("number")?;
        let called = is_set(state, "called")?;
        let examples = state.u64_one("examples")?;
        let lead = finite(sized(state.f64s("lead")?, 2, "lead")?, "lead")?;
        let mut learner = make(number);
        read_under(state, "learner", |state| learner.load(state))?;
        let lead = Lead { examples, mean: lead[0], variance: lead[1].max(0.0) };
        Ok(Self { begun: Begun { number, learner }, lead, called })
    }
}

/// A byte that is 0 or 1.
pub(super) fn is_set(state: &TensorMap, path: &str) -> Result<bool, StateError> {
    match state.bytes(path)? {
        [0] => Ok(false),
        [1] => Ok(true),
        other => Err(mismatch(path, format_args!("{other:?}"), "[0] or [1]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_clear_when_it_lasts_and_is_of_the_last_examples() {
        let mut lead = Lead::default();
        (0..400).for_each(|_| lead.update(-0.5));
        assert!(!lead.is_clear());
        (0..400).for_each(|row| lead.update(if row % 2 == 0 { 0.4 } else { -0.2 }));
        assert!(lead.is_clear(), "{lead:?}");
        let mut even = Lead::default();
        (0..400).for_each(|row| even.update(if row % 2 == 0 { 0.3 } else { -0.3 }));
        assert!(!even.is_clear(), "{even:?}");
    }
}
