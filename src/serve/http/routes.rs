use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, dev, web};

use super::body::Body;
use super::meters::RouteMeters;
use super::problem::{Kind, Problem, shortened};
use super::service::Service;
use super::{cached, health, labels, models, predict};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Predict,
    Cached,
    Labels,
    Models,
    Model,
    Versions,
    Monitor,
    Alerts,
    Live,
    Ready,
    Metrics,
    OpenApi,
}

/// One operation's method and path.
#[derive(Debug)]
pub struct Route {
    pub operation: Operation,
    pub post: bool,
    pub path: &'static str,
}

const fn get(operation: Operation, path: &'static str) -> Route {
    Route { operation, post: false, path }
}

const fn post(operation: Operation, path: &'static str) -> Route {
    Route { operation, post: true, path }
}

/// Every route; each path has one method, and GET answers HEAD too.
pub const ROUTES: &[Route] = &[
    post(Operation::Predict, "/v1/models/{model}/predict"),
    get(Operation::Cached, "/v1/models/{model}/predictions/{key}"),
    post(Operation::Labels, "/v1/models/{model}/labels"),
    get(Operation::Models, "/v1/models"),
    get(Operation::Model, "/v1/models/{model}"),
    get(Operation::Versions, "/v1/models/{model}/versions"),
    get(Operation::Monitor, "/v1/models/{model}/monitor"),
    get(Operation::Alerts, "/v1/alerts"),
    get(Operation::Live, "/livez"),
    get(Operation::Ready, "/readyz"),
    get(Operation::Metrics, "/metrics"),
    get(Operation::OpenApi, "/openapi.json"),
];

impl Route {
    pub fn method(&self) -> &'static str {
        if self.post { "POST" } else { "GET" }
    }

    fn allows(&self, method: &Method) -> bool {
        if self.post { method == Method::POST } else { method == Method::GET || method == Method::HEAD }
    }
}

/// Adds every route to a worker's application.
pub fn register(config: &mut web::ServiceConfig, service: &Arc<Service>) {
    for (route, meters) in ROUTES.iter().zip(&service.routes) {
        config.service(resource(route, Arc::clone(service), meters.clone()));
    }
    let meters = service.unknown_route.clone();
    config.default_service(web::to(move |request: HttpRequest| {
        let start = Instant::now();
        let detail = format!("there is no route {}; /openapi.json lists them", shortened(request.path()));
        let response = Problem::new(Kind::UnknownRoute, detail)
            .with("value", shortened(request.path()).as_ref())
            .into_response();
        meters.answered(response.status(), start.elapsed());
        std::future::ready(response)
    }));
}

fn resource(route: &'static Route, service: Arc<Service>, meters: RouteMeters) -> Resource {
    web::resource(route.path).route(web::to(move |request: HttpRequest, payload: web::Payload| {
        let (service, meters) = (Arc::clone(&service), meters.clone());
        async move {
            let start = Instant::now();
            let response = answer(route, service, &request, payload.into_inner())
                .await
                .unwrap_or_else(Problem::into_response);
            meters.answered(response.status(), start.elapsed());
            response
        }
    }))
}

async fn answer(
    route: &Route,
    service: Arc<Service>,
    request: &HttpRequest,
    payload: dev::Payload,
) -> Result<HttpResponse, Problem> {
    if !route.allows(request.method()) {
        let methods = if route.post { "POST" } else { "GET, HEAD" };
        return Err(Problem::method_not_allowed(request.method().as_str(), methods));
    }
    let model = request.match_info().get("model").unwrap_or_default();
    match route.operation {
        Operation::Predict => {
            predict::predict(&service, model, body(&service, request, payload).await?).await
        }
        Operation::Labels => labels::labels(&service, model, body(&service, request, payload).await?).await,
        Operation::Cached => cached::cached(&service, model, last_segment(request.uri().path())).await,
        Operation::Models => Ok(models::list(&service)),
        Operation::Model => models::describe(&service, model),
        Operation::Versions => models::versions(&service, model).await,
        Operation::Monitor => models::monitor(&service, model),
        Operation::Alerts => Ok(models::alerts(&service)),
        Operation::Live => Ok(health::live()),
        Operation::Ready => Ok(health::ready(&service)),
        Operation::Metrics => Ok(health::metrics(&service)),
        Operation::OpenApi => Ok(health::openapi()),
    }
}

async fn body(service: &Service, request: &HttpRequest, payload: dev::Payload) -> Result<Body, Problem> {
    let timeout = Duration::from_millis(service.config.body_timeout_ms);
    Body::read(request.headers(), payload, service.config.body_bytes_max, timeout).await
}

/// The bytes that the last segment of a path stands for. Keys are bytes, so percent-encoding is undone here and not
/// by the framework, which wants text and keeps `%2F` as it is.
fn last_segment(path: &str) -> Box<[u8]> {
    let segment = path.rsplit('/').next().unwrap_or_default().as_bytes();
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let [first, after @ ..] = rest {
        let encoded = match after {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match encoded {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes.into()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_key_is_the_bytes_of_the_last_segment() {
        assert_eq!(*last_segment("/v1/models/m/predictions/a%2Fb%20c"), *b"a/b c");
        assert_eq!(*last_segment("/x/%ff%00"), [0xff, 0]);
        assert_eq!(*last_segment("/x/100%"), *b"100%");
        assert_eq!(*last_segment("/x/%zz%2"), *b"%zz%2");
    }
}
