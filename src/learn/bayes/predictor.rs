use super::counts::Counts;
use super::normal::Density;
use super::posterior::Posterior;
use crate::learn::encode::read_under;
use crate::learn::{Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, at_least, sized};

/// What serving needs of naive Bayes.
#[derive(Debug, Clone)]
pub struct NaiveBayesPredictor {
    pub(super) seen: Vec<f64>,
    pub(super) density: Density,
    pub(super) counts: Counts,
}

impl NaiveBayesPredictor {
    /// What [`Predictor::save`] wrote of a model of this shape.
    pub fn load(categories_max: usize, shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let classes = shape.objective.outputs();
        let seen = at_least(sized(state.f64s("seen")?, classes, "seen")?, 0.0, "seen")?;
        let density = read_under(state, "numeric", |state| Density::load(classes, shape.numeric, state))?;
        let counts = read_under(state, "categorical", |state| {
            Counts::load(classes, shape.categorical, categories_max, state)
        })?;
        Ok(Self { seen, density, counts })
    }
}

impl Predictor for NaiveBayesPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        Posterior { seen: &self.seen, density: &self.density, counts: &self.counts }.predict(rows, out);
    }

    fn is_finite(&self) -> bool {
        self.seen.iter().all(|seen| seen.is_finite()) && self.density.is_finite() && self.counts.is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("seen", &self.seen);
        map.nest("numeric", self.density.save());
        map.nest("categorical", self.counts.save());
        map
    }
}
