use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::service::Service;

/// `GET /livez`: the process lives, whatever Kafka does.
pub fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// `GET /readyz`: whether every pipeline can do its work, and if not, why.
pub fn ready(service: &Service) -> HttpResponse {
    let reasons: Vec<Value> = service
        .models
        .iter()
        .filter_map(|(name, entry)| {
            Some(json!({ "model": &**name, "reason": entry.model.health.not_ready()? }))
        })
        .collect();
    let mut response =
        if reasons.is_empty() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

/// `GET /metrics`, in the text format of Prometheus.
pub fn metrics(service: &Service) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((service.metrics)())
}

/// `GET /openapi.json`: these routes, described.
pub fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(include_str!("openapi.json"))
}
