use super::chunks::Chunks;
use super::forward::Forward;
use super::{response, saved};
use crate::learn::encode::{OneHot, Scaling, read_under};
use crate::learn::{Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch};

/// What serving needs of a linear model.
#[derive(Debug, Clone)]
pub struct LinearPredictor {
    pub(super) objective: Objective,
    pub(super) scaling: Scaling,
    pub(super) one_hot: OneHot,
    pub(super) target: Option<Scaling>,
    pub(super) dense: Vec<f32>,
    pub(super) categories: Chunks,
}

impl LinearPredictor {
    /// What [`Predictor::save`] wrote of a model of this shape.
    pub fn load(shape: &Shape, state: &TensorMap) -> Result<Self, StateError> {
        let scores = response::scores(shape.objective);
        let scaling = read_under(state, "numeric", |state| Scaling::load(shape.numeric, state))?;
        let categories_max = state.u64_one("categories_max")?;
        let categories_max = u32::try_from(categories_max)
            .map_err(|_| mismatch("categories_max", categories_max, format!("at most {}", u32::MAX)))?;
        let one_hot = read_under(state, "categorical", |state| {
            OneHot::load(shape.categorical, categories_max as usize, state)
        })?;
        let target = match shape.objective {
            Objective::Classify { .. } => None,
            Objective::Regress => Some(read_under(state, "target", |state| Scaling::load(1, state))?),
        };
        let dense = saved::dense(state, shape.numeric, scores)?;
        let categories = saved::numbers(state, "category_weights", one_hot.places() * scores)?;
        let categories = Chunks::new(scores, &categories);
        Ok(Self { objective: shape.objective, scaling, one_hot, target, dense, categories })
    }
}

impl Predictor for LinearPredictor {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        Forward {
            objective: self.objective,
            scaling: &self.scaling,
            one_hot: &self.one_hot,
            target: self.target.as_ref(),
            dense: &self.dense,
            categories: &self.categories,
        }
        .predict(rows, out);
    }

    fn is_finite(&self) -> bool {
        let scalings = [Some(&self.scaling), self.target.as_ref()];
        scalings.into_iter().flatten().all(Scaling::is_finite)
            && self.dense.iter().all(|weight| weight.is_finite())
            && self.categories.iter().all(f32::is_finite)
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("numeric", self.scaling.save());
        map.put_u64_one("categories_max", self.one_hot.categories_max() as u64);
        map.nest("categorical", self.one_hot.save());
        if let Some(target) = &self.target {
            map.nest("target", target.save());
        }
        saved::put_dense(&mut map, &self.dense, self.scaling.columns());
        map.put_f32("category_weights", &self.categories.iter().collect::<Vec<_>>());
        map
    }
}
