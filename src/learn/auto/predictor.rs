use super::asking::predict;
use super::core::Core;
use super::trees::{boosting_config, forest_shape};
use crate::config::ModelConfig;
use crate::learn::encode::read_under;
use crate::learn::ensemble::{BoostingPredictor, ForestPredictor};
use crate::learn::{Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// What serving needs of the experts and their combination.
#[derive(Debug, Clone)]
pub struct AutoPredictor {
    pub(super) core: Core,
    pub(super) forest: ForestPredictor,
    pub(super) boosting: BoostingPredictor,
}

impl AutoPredictor {
    /// What [`Predictor::save`] wrote of a model of this configuration and shape.
    pub fn load(config: &ModelConfig, shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let (mut core, _) = Core::new(config, shape);
        core.load(state)?;
        let forest = read_under(state, "forest", |state| ForestPredictor::load(&forest_shape(shape), state))?;
        let boosting = read_under(state, "boosting", |state| {
            BoostingPredictor::load(&boosting_config(config, shape), shape, state)
        })?;
        Ok(Self { core, forest, boosting })
    }
}

impl Predictor for AutoPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        predict(&self.core, &(&self.forest, &self.boosting), rows, out);
    }

    fn is_finite(&self) -> bool {
        self.core.is_finite() && self.forest.is_finite() && self.boosting.is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = self.core.save();
        map.nest("forest", self.forest.save());
        map.nest("boosting", self.boosting.save());
        map
    }
}
