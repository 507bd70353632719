use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::answer;
use super::body::Body;
use super::problem::{Kind, Problem};
use super::reader::{self, RowSink};
use super::service::{Entry, Service};
use crate::learn::Predictions;
use crate::registry::Revision;
use crate::schema::{EventDecoder, Notices, Rows, Scratch, Texts};
use crate::serve::cache::{Fill, now_ms};

/// `POST /v1/models/{m}/predict`: no queue on the way; all rows of a request are answered by one revision.
pub async fn predict(service: &Arc<Service>, model: &str, body: Body) -> Result<HttpResponse, Problem> {
    service.model(model)?;
    let done = if body.is_large() {
        // Milliseconds of work would hold up every other request of this worker.
        let (service, model) = (Arc::clone(service), model.to_owned());
        web::block(move || respond(&service, &model, body))
            .await
            .map_err(|_| Problem::new(Kind::Busy, "the server is stopping").retry_after(1))?
    } else {
        respond(service, model, body)
    };
    done.map(|body| HttpResponse::Ok().content_type("application/json").body(body))
}

fn respond(service: &Service, model: &str, body: Body) -> Result<Vec<u8>, Problem> {
    let entry = service.model(model)?;
    let text = body.text()?;
    let request = Request::read(&text, &entry.model.decoder, service.config.rows_max)?;
    let current = entry.model.serving.current();
    let Some(revision) = current.as_ref() else {
        return Err(no_revision(model));
    };
    let predictions = request.predict(revision)?;
    entry.meters.rows.increment(request.rows.len() as u64);
    entry.meters.unknown_fields.increment(request.notices.unknown_field);
    let body = request.answer(entry, revision, &predictions);
    request.remember(entry, revision, predictions);
    Ok(body)
}

pub fn no_revision(model: &str) -> Problem {
    Problem::new(Kind::NotReady, format!("model {model} has no revision yet: nothing was learned so far"))
        .retry_after(1)
}

/// The rows of a request, decoded.
struct Request {
    rows: Rows,
    /// One a row; empty where it has none.
    keys: Texts,
    /// The rows that have a key.
    keyed: Vec<u32>,
    notices: Notices,
}

impl Request {
    fn read(body: &[u8], decoder: &EventDecoder, rows_max: usize) -> Result<Self, Problem> {
        let mut sink = Sink {
            decoder,
            scratch: Scratch::default(),
            key: None,
            request: Self {
                rows: decoder.rows(),
                keys: Texts::default(),
                keyed: Vec::new(),
                notices: Notices::default(),
            },
        };
        reader::read_rows(body, rows_max, &mut sink)?;
        Ok(sink.request)
    }

    fn predict(&self, revision: &Revision) -> Result<Predictions, Problem> {
        let mut predictions = Predictions::default();
        predictions.reset(revision.objective.outputs(), self.rows.len());
        catch_unwind(AssertUnwindSafe(|| revision.predictor.predict(&self.rows, &mut predictions))).map_err(
            |_| {
                tracing::error!(revision = revision.number, "the model panicked over a request");
                Problem::new(Kind::Internal, format!("revision {} failed on these rows", revision.number))
            },
        )?;
        Ok(predictions)
    }

    fn answer(&self, entry: &Entry, revision: &Revision, predictions: &Predictions) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.rows.len() * 96);
        answer::begin(&mut out, &entry.model.name, revision, &entry.model.serving);
        out.extend_from_slice(b",\"predictions\":[");
        for (row, key) in self.keys.iter().enumerate() {
            out.extend_from_slice(if row == 0 { b"{" } else { b",{" });
            if !key.is_empty() {
                out.extend_from_slice(b"\"key\":");
                answer::json(&mut out, String::from_utf8_lossy(key));
                out.push(b',');
            }
            answer::prediction(&mut out, revision, predictions.row(row));
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// Hands what has a key to the cache; the answer does not wait for it, and a busy cache does without.
    fn remember(self, entry: &Entry, revision: &Arc<Revision>, mut predictions: Predictions) {
        if self.keyed.is_empty() {
            return;
        }
        if self.keyed.len() < self.rows.len() {
            let mut kept = Predictions::new(predictions.outputs);
            for &row in &self.keyed {
                kept.values.extend_from_slice(predictions.row(row as usize));
            }
            predictions = kept;
        }
        let fill = Fill {
            keys: self.keys,
            rows: self.rows,
            picks: self.keyed,
            predictions,
            revision: Arc::clone(revision),
            time_ms: now_ms(),
            permit: Box::new(()),
        };
        if entry.model.cache.try_send(fill).is_err() {
            entry.meters.fills_dropped.increment(1);
        }
    }
}

struct Sink<'a> {
    decoder: &'a EventDecoder,
    scratch: Scratch,
    /// Key of the row that is being read.
    key: Option<String>,
    request: Request,
}

impl RowSink for Sink<'_> {
    const MANY: &'static str = "rows";
    const MEMBERS: &'static [&'static str] = &["features", "key"];

    fn member(&mut self, member: usize, json: &str) -> Result<(), Problem> {
        if member == 1 {
            self.key = reader::key(json)?;
            return Ok(());
        }
        if !json.starts_with('{') {
            return Err(Problem::field("features", json, "an object of features"));
        }
        let Request { rows, notices, .. } = &mut self.request;
        self.decoder
            .decode_features(json.as_bytes(), rows, &mut self.scratch, notices)
            .map_err(|refusal| Problem::refused(&refusal, "features"))
    }

    fn end_row(&mut self, given: &[bool]) -> Result<(), Problem> {
        if !given[0] {
            return Err(Problem::field("features", "absent", "an object of features"));
        }
        let key = self.key.take();
        if key.is_some() {
            self.request.keyed.push(self.request.keys.len() as u32);
        }
        self.request.keys.push(key.as_deref().unwrap_or_default().as_bytes());
        Ok(())
    }
}
