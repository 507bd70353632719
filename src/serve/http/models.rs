use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::answer::rfc3339;
use super::problem::{Kind, Problem};
use super::service::{Entry, Service};
use crate::learn::Objective;
use crate::registry::{Manifest, RegistryError, VersionStore};

/// `GET /v1/models`: every model, in short.
pub fn list(service: &Service) -> HttpResponse {
    let models: Vec<Value> = service.models.values().map(summary).collect();
    HttpResponse::Ok().json(json!({ "models": models }))
}

/// `GET /v1/models/{m}`: one model, with its features and classes.
pub fn describe(service: &Service, model: &str) -> Result<HttpResponse, Problem> {
    let entry = service.model(model)?;
    let mut description = summary(entry);
    let columns = entry.model.decoder.columns();
    let features: Vec<Value> =
        columns.iter().map(|column| json!({ "name": column.name, "kind": column.kind })).collect();
    description["features"] = features.into();
    description["swaps"] = entry.model.serving.swaps().into();
    description["labels"] = entry.model.labels.is_some().into();
    if let Some(revision) = entry.model.serving.current().as_ref() {
        description["task"] = match revision.objective {
            Objective::Classify { .. } => "classification",
            Objective::Regress => "regression",
        }
        .into();
        description["classes"] = revision.classes.iter().map(|class| &**class).collect();
        description["published_at"] = rfc3339(revision.published_ms).into();
    }
    Ok(HttpResponse::Ok().json(description))
}

/// Name and revision in force; before the first revision its numbers are null.
fn summary(entry: &Entry) -> Value {
    let model = &entry.model;
    let current = model.serving.current();
    let revision = current.as_ref();
    let not_ready = model.health.not_ready();
    json!({
        "name": &*model.name,
        "version": revision.map(|revision| revision.version),
        "revision": revision.map(|revision| revision.number),
        "epoch": revision.map(|revision| revision.epoch),
        "stale": model.serving.is_stale(),
        "ready": not_ready.is_none(),
        "reason": not_ready,
    })
}

/// `GET /v1/models/{m}/versions`: the manifests of the stored versions, oldest first.
pub async fn versions(service: &Service, model: &str) -> Result<HttpResponse, Problem> {
    let store = service.model(model)?.model.versions.clone();
    let manifests = web::block(move || manifests(&store))
        .await
        .map_err(|_| Problem::new(Kind::Busy, "the server is stopping").retry_after(1))?
        .map_err(|error| {
            tracing::error!(model, %error, "stored versions cannot be read");
            Problem::new(Kind::Internal, "the stored versions cannot be read: the log says why")
        })?;
    Ok(HttpResponse::Ok().json(json!({ "model": model, "versions": manifests })))
}

fn manifests(store: &VersionStore) -> Result<Vec<Manifest>, RegistryError> {
    let mut manifests = Vec::new();
    for version in store.numbers()? {
        match store.manifest(version) {
            Ok(manifest) => manifests.push(manifest),
            // Retention took it in between.
            Err(RegistryError::Unknown { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(manifests)
}

/// `GET /v1/models/{m}/monitor`: scores, baselines, delays, accounts.
pub fn monitor(service: &Service, model: &str) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(service.model(model)?.model.insight.monitor()))
}

/// `GET /v1/alerts`: those of every model, firing and resolved.
pub fn alerts(service: &Service) -> HttpResponse {
    let alerts: Vec<Value> = service.models.values().flat_map(|entry| entry.model.insight.alerts()).collect();
    HttpResponse::Ok().json(json!({ "alerts": alerts }))
}
