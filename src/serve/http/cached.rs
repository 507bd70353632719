use actix_web::HttpResponse;

use super::answer;
use super::predict::no_revision;
use super::problem::{Kind, Problem, shortened};
use super::service::{Entry, Service};
use crate::registry::Revision;
use crate::serve::cache::{Answer, Get};

/// `GET /v1/models/{m}/predictions/{key}`: the newest answer for an entity, by the revision in force.
pub async fn cached(service: &Service, model: &str, key: Box<[u8]>) -> Result<HttpResponse, Problem> {
    let entry = service.model(model)?;
    let text = String::from_utf8_lossy(&key).into_owned();
    let answer = entry.model.cache.send(Get { key }).await.map_err(|error| {
        tracing::error!(model, %error, "the cache does not answer");
        Problem::new(Kind::Busy, "the cache is not there").retry_after(1)
    })?;
    let unknown =
        |detail: String| Problem::new(Kind::UnknownKey, detail).with("value", shortened(&text).as_ref());
    match answer {
        Answer::Found { revision, time_ms, prediction } => {
            let body = found(entry, &text, &revision, time_ms, &prediction);
            Ok(HttpResponse::Ok().content_type("application/json").body(body))
        }
        Answer::Expired { last_seen_ms } => {
            let last_seen = answer::rfc3339(last_seen_ms);
            Err(unknown(format!("the answer for this key is too old: it was last seen at {last_seen}"))
                .with("last_seen", last_seen))
        }
        Answer::Unknown => {
            Err(unknown("this key was not seen, or was pushed out of the cache by newer ones".into()))
        }
        Answer::NoRevision => Err(no_revision(model)),
        Answer::Failed => Err(Problem::new(Kind::Internal, "the model failed on the features of this key")),
    }
}

fn found(entry: &Entry, key: &str, revision: &Revision, time_ms: u64, prediction: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    answer::begin(&mut out, &entry.model.name, revision, &entry.model.serving);
    out.extend_from_slice(b",\"key\":");
    answer::json(&mut out, key);
    out.extend_from_slice(b",\"at\":");
    answer::json(&mut out, answer::rfc3339(time_ms));
    out.extend_from_slice(b",\"prediction\":{");
    answer::prediction(&mut out, revision, prediction);
    out.extend_from_slice(b"}}");
    out
}
