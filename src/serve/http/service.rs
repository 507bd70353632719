use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::HttpConfig;
use crate::serve::Model;

use super::meters::{ModelMeters, RouteMeters};
use super::problem::{Kind, Problem, shortened};
use super::routes::ROUTES;

/// What every worker of the server answers from.
pub struct Service {
    pub config: HttpConfig,
    pub models: BTreeMap<Arc<str>, Entry>,
    /// One for each of [`ROUTES`].
    pub routes: Vec<RouteMeters>,
    pub unknown_route: RouteMeters,
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
}

/// A model with what serving counts about it.
pub struct Entry {
    pub model: Model,
    pub meters: ModelMeters,
}

impl Service {
    pub fn new(
        config: HttpConfig,
        models: Vec<Model>,
        metrics: Box<dyn Fn() -> String + Send + Sync>,
    ) -> Self {
        let entry = |model: Model| {
            let meters = ModelMeters::new(&model.name);
            (model.name.clone(), Entry { model, meters })
        };
        Self {
            config,
            models: models.into_iter().map(entry).collect(),
            routes: ROUTES.iter().map(|route| RouteMeters::new(route.method(), route.path)).collect(),
            unknown_route: RouteMeters::new("any", "unknown"),
            metrics,
        }
    }

    pub fn model(&self, name: &str) -> Result<&Entry, Problem> {
        self.models.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.models.keys().map(AsRef::as_ref).collect();
            let detail =
                format!("there is no model {}, expected one of {}", shortened(name), known.join(", "));
            Problem::new(Kind::UnknownModel, detail)
                .with("value", shortened(name).as_ref())
                .with("known", known)
        })
    }
}
