use std::sync::Arc;

use super::stable;
use crate::config::ModelConfig;
use crate::learn::encode::read_under;
use crate::learn::{Columns, Predictions, Predictor, Shape, load_bare};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// The champion, and its settings.
pub struct RacePredictor {
    pub(super) places: Vec<f64>,
    pub(super) champion: Arc<dyn Predictor>,
}

impl RacePredictor {
    /// What [`Predictor::save`] wrote of a race of this configuration and shape.
    pub fn load(
        config: &ModelConfig,
        shape: &Shape,
        columns: &Columns,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let places = stable::places(state.f64s("places")?, config.race.space.len(), "places")?;
        let racer = config.racer(&places);
        let champion = read_under(state, "champion", |state| load_bare(&racer, shape, columns, state))?;
        Ok(Self { places, champion })
    }
}

impl Predictor for RacePredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.champion.predict(rows, out);
    }

    fn is_finite(&self) -> bool {
        self.champion.is_finite()
    }

    /// `places`, where in the space its settings are, and `champion/`.
    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("places", &self.places);
        map.nest("champion", self.champion.save());
        map
    }
}
