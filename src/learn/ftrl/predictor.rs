use super::features::Features;
use super::forward::Forward;
use super::leaves::Leaves;
use super::saved;
use super::scaling::FrozenScaling;
use crate::config::FtrlConfig;
use crate::learn::encode::{Scaling, read_under};
use crate::learn::{Columns, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap};

/// What serving needs of a hashed linear model: its weights, in shared leaves.
#[derive(Debug, Clone)]
pub struct FtrlPredictor {
    pub(super) objective: Objective,
    pub(super) features: Features,
    pub(super) scaling: FrozenScaling,
    pub(super) target: Option<Scaling>,
    pub(super) leaves: Leaves,
}

impl FtrlPredictor {
    /// What [`Predictor::save`] wrote of a model of this configuration and shape.
    pub fn load(
        config: &FtrlConfig,
        shape: &Shape,
        columns: &Columns,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let features = Features::new(config.bits, columns, &config.crosses, shape.objective);
        let scaling = FrozenScaling::load(config.scaling, shape.numeric, "numeric", state)?;
        let target = match shape.objective {
            Objective::Classify { .. } => None,
            Objective::Regress => Some(read_under(state, "target", |state| Scaling::load(1, state))?),
        };
        let leaves = saved::leaves(state, features.slots())?;
        Ok(Self { objective: shape.objective, features, scaling, target, leaves })
    }

    fn forward(&self) -> Forward<'_, &Leaves> {
        Forward {
            objective: self.objective,
            features: &self.features,
            target: self.target.as_ref(),
            source: &self.leaves,
        }
    }
}

impl Predictor for FtrlPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.forward().predict(rows, |row, out| self.scaling.apply(row, out), out);
    }

    fn is_finite(&self) -> bool {
        self.scaling.is_finite()
            && self.target.as_ref().is_none_or(Scaling::is_finite)
            && self.leaves.is_finite()
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        saved::put_leaves(&mut map, &self.leaves);
        map.nest("numeric", self.scaling.save());
        if let Some(target) = &self.target {
            map.nest("target", target.save());
        }
        map
    }
}
