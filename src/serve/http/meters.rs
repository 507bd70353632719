use std::time::Duration;

use actix_web::http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

/// Counts the requests of one route; looked up once, so that a request costs no lookup.
#[derive(Clone)]
pub struct RouteMeters {
    /// By class of the status, 1xx to 5xx.
    requests: [Counter; 5],
    seconds: Histogram,
}

impl RouteMeters {
    pub fn new(method: &'static str, route: &'static str) -> Self {
        let requests = ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|status| counter!("tidewheel_http_requests_total", "method" => method, "route" => route, "status" => status));
        Self {
            requests,
            seconds: histogram!("tidewheel_http_request_seconds", "method" => method, "route" => route),
        }
    }

    /// An answer is ready, `took` after its request's head was read.
    pub fn answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5);
        self.requests[class - 1].increment(1);
        self.seconds.record(took.as_secs_f64());
    }
}

/// Counts what is done for one model.
pub struct ModelMeters {
    /// Rows that were answered by `predict`.
    pub rows: Counter,
    /// Members of `features` that the schema does not know.
    pub unknown_fields: Counter,
    /// Keyed rows that did not get into the cache because it was busy.
    pub fills_dropped: Counter,
    /// Labels that Kafka acknowledged.
    pub labels: Counter,
}

impl ModelMeters {
    pub fn new(pipeline: &str) -> Self {
        let pipeline = || pipeline.to_owned();
        Self {
            rows: counter!("tidewheel_http_rows_total", "pipeline" => pipeline()),
            unknown_fields: counter!("tidewheel_http_unknown_fields_total", "pipeline" => pipeline()),
            fills_dropped: counter!("tidewheel_cache_fills_dropped_total", "pipeline" => pipeline()),
            labels: counter!("tidewheel_http_labels_total", "pipeline" => pipeline()),
        }
    }
}
