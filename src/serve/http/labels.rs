use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::json;
use tokio::sync::mpsc;

use super::body::Body;
use super::problem::{Kind, Problem};
use super::reader::{self, RowSink};
use super::service::{Entry, Service};
use crate::schema::{LabelDecoder, Labels, Notices, RawRecord, Texts};
use crate::serve::{LabelSink, SinkError};

/// How long the broker may take to acknowledge a request's labels.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// `POST /v1/models/{m}/labels`: checked like records of the labels topic, all or none are sent, and the answer waits
/// until the broker has all of them.
pub async fn labels(service: &Service, model: &str, body: Body) -> Result<HttpResponse, Problem> {
    let entry = service.model(model)?;
    let Some(intake) = &entry.model.labels else {
        let detail = format!("model {model} has no labels topic: its events carry their label");
        return Err(Problem::new(Kind::NoLabelsTopic, detail));
    };
    let rows_max = service.config.rows_max;
    let posted = if body.is_large() {
        let decoder = Arc::clone(&intake.decoder);
        web::block(move || Posted::read(body, &decoder, rows_max))
            .await
            .map_err(|_| Problem::new(Kind::Busy, "the server is stopping").retry_after(1))?
    } else {
        Posted::read(body, &intake.decoder, rows_max)
    }?;
    posted.produce(intake.sink.as_ref(), entry).await
}

/// Label records, ready to be sent.
struct Posted {
    /// The given entity key, else the id.
    keys: Texts,
    values: Texts,
}

impl Posted {
    fn read(body: Body, decoder: &LabelDecoder, rows_max: usize) -> Result<Self, Problem> {
        let text = body.text()?;
        let mut sink = Sink {
            decoder,
            decoded: Labels::default(),
            notices: Notices::default(),
            key: None,
            value: Vec::new(),
            posted: Self { keys: Texts::default(), values: Texts::default() },
        };
        reader::read_rows(&text, rows_max, &mut sink)?;
        Ok(sink.posted)
    }

    async fn produce(self, sink: &dyn LabelSink, entry: &Entry) -> Result<HttpResponse, Problem> {
        let count = self.values.len();
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        for (key, value) in self.keys.iter().zip(self.values.iter()) {
            let sender = sender.clone();
            // Nobody listens any more when the time is up or the client has gone.
            sink.send(key, value, Box::new(move |outcome| drop(sender.send(outcome))));
        }
        drop(sender);
        let mut accepted = 0;
        let mut fault = None;
        let all = async {
            while let Some(outcome) = outcomes.recv().await {
                match outcome {
                    Ok(()) => accepted += 1,
                    Err(error) => fault = fault.take().or(Some(error)),
                }
            }
        };
        let in_time = tokio::time::timeout(ACKNOWLEDGED_WITHIN, all).await.is_ok();
        entry.meters.labels.increment(accepted);
        if accepted == count as u64 {
            return Ok(
                HttpResponse::Accepted().json(json!({ "model": &*entry.model.name, "accepted": accepted }))
            );
        }
        let again = "send all of them again: a label that comes twice counts once";
        let detail = format!("kafka acknowledged {accepted} of {count} labels");
        Err(match fault {
            Some(SinkError::Full) => {
                Problem::new(Kind::Busy, format!("{detail}: {}; {again}", SinkError::Full)).retry_after(1)
            }
            Some(error @ SinkError::Kafka(_)) => {
                Problem::new(Kind::LabelsNotTaken, format!("{detail}: {error}; {again}"))
            }
            None if in_time => {
                Problem::new(Kind::LabelsNotTaken, format!("{detail}: the producer has stopped; {again}"))
            }
            None => {
                Problem::new(Kind::LabelsUnsure, format!("{detail} within {ACKNOWLEDGED_WITHIN:?}; {again}"))
            }
        }
        .with("accepted", accepted)
        .with("sent", count))
    }
}

struct Sink<'a> {
    decoder: &'a LabelDecoder,
    decoded: Labels,
    notices: Notices,
    /// Key of the row that is being read.
    key: Option<String>,
    /// The record of the row that is being read, not closed yet.
    value: Vec<u8>,
    posted: Posted,
}

/// Position of `key` among the members; the others are those of a label record.
const KEY: usize = 3;

impl RowSink for Sink<'_> {
    const MANY: &'static str = "labels";
    const MEMBERS: &'static [&'static str] = &["id", "label", "weight", "key"];

    fn member(&mut self, member: usize, json: &str) -> Result<(), Problem> {
        if member == KEY {
            self.key = reader::key(json)?;
            return Ok(());
        }
        self.value.extend_from_slice(if self.value.is_empty() { b"{\"" } else { b",\"" });
        self.value.extend_from_slice(Self::MEMBERS[member].as_bytes());
        self.value.extend_from_slice(b"\":");
        self.value.extend_from_slice(json.as_bytes());
        Ok(())
    }

    fn end_row(&mut self, _: &[bool]) -> Result<(), Problem> {
        if self.value.is_empty() {
            self.value.push(b'{');
        }
        self.value.push(b'}');
        let key = self.key.take();
        let record = RawRecord {
            topic: "",
            partition: 0,
            offset: 0,
            timestamp_ms: -1,
            key: key.as_deref().map(str::as_bytes),
            value: Some(&self.value),
            headers: &[],
        };
        self.decoded.truncate(0);
        self.decoder
            .decode(&record, &mut self.decoded, &mut self.notices)
            .map_err(|refusal| Problem::refused(&refusal, "the label"))?;
        self.posted.keys.push(self.decoded.keys.get(0));
        self.posted.values.push(&self.value);
        self.value.clear();
        Ok(())
    }
}
