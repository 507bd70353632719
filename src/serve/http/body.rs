use std::future::poll_fn;
use std::io::Read;
use std::pin::pin;
use std::task::ready;
use std::time::Duration;

use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{dev, web};
use flate2::read::MultiGzDecoder;

use super::problem::{Kind, Problem};

/// Largest window that a zstd body may ask for, as a power of two: 8 MiB, as RFC 9659 says.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A request's body as it came, not longer than the limit.
pub struct Body {
    bytes: web::Bytes,
    coding: Coding,
    bytes_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Body {
    /// Takes in a JSON body within `timeout`.
    pub async fn read(
        headers: &HeaderMap,
        payload: dev::Payload,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<Self, Problem> {
        check_content_type(headers)?;
        let coding = coding(headers)?;
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > bytes_max as u64) {
            return Err(too_large(bytes_max));
        }
        let bytes = match tokio::time::timeout(timeout, collect(payload, bytes_max)).await {
            Ok(bytes) => bytes?,
            Err(_) => {
                let message = format!("the body did not arrive within {} ms", timeout.as_millis());
                return Err(
                    Problem::new(Kind::SlowBody, message).with("timeout_ms", timeout.as_millis() as u64)
                );
            }
        };
        Ok(Self { bytes, coding, bytes_max })
    }

    /// Whether it is worth a thread of its own to work on it.
    pub fn is_large(&self) -> bool {
        const LARGE_BYTES: usize = 16 << 10;
        self.coding != Coding::Identity || self.bytes.len() > LARGE_BYTES
    }

    /// The JSON text: decompressed, without a byte-order mark. Decompressing stops at the limit.
    pub fn text(self) -> Result<web::Bytes, Problem> {
        let bytes = match self.coding {
            Coding::Identity => self.bytes,
            Coding::Gzip => inflate(MultiGzDecoder::new(&self.bytes[..]), self.bytes_max)?,
            Coding::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(&self.bytes[..]).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
                inflate(decoder, self.bytes_max)?
            }
        };
        Ok(if bytes.starts_with(b"\xef\xbb\xbf") { bytes.slice(3..) } else { bytes })
    }
}

/// A body of one chunk, the usual case, is not copied.
async fn collect(payload: dev::Payload, bytes_max: usize) -> Result<web::Bytes, Problem> {
    let mut body = pin!(BodyStream::new(payload));
    let mut first = web::Bytes::new();
    let mut all = web::BytesMut::new();
    poll_fn(|context| {
        loop {
            match ready!(body.as_mut().poll_next(context)) {
                Some(Ok(chunk)) if first.len() + all.len() + chunk.len() > bytes_max => {
                    return Err(too_large(bytes_max)).into();
                }
                Some(Ok(chunk)) if first.is_empty() && all.is_empty() => first = chunk,
                Some(Ok(chunk)) => {
                    all.extend_from_slice(&std::mem::take(&mut first));
                    all.extend_from_slice(&chunk);
                }
                Some(Err(error)) => return Err(broken(error)).into(),
                None => return Ok(()).into(),
            }
        }
    })
    .await?;
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn inflate(decoder: impl Read, bytes_max: usize) -> Result<web::Bytes, Problem> {
    let mut bytes = Vec::new();
    decoder.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(bytes.into())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    const JSON: &str = "application/json";
    let value = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("not text"));
    let essence = value.map(|value| value.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(JSON)) {
        return Ok(());
    }
    let value = value.unwrap_or("absent");
    Err(Problem::new(Kind::ContentType, format!("content-type is {value}, expected {JSON}"))
        .with("field", "content-type")
        .with("value", value)
        .with("expected", JSON))
}

fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut codings = headers.get_all(CONTENT_ENCODING);
    let (first, more) = (codings.next(), codings.next());
    let value = match (first, more) {
        (None, _) => return Ok(Coding::Identity),
        (Some(value), None) => value.to_str().unwrap_or("not text").trim(),
        (Some(_), Some(_)) => "several",
    };
    match value.to_ascii_lowercase().as_str() {
        "identity" | "" => Ok(Coding::Identity),
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "zstd" => Ok(Coding::Zstd),
        _ => Err(Problem::content_encoding(value)),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("the body is longer than {bytes_max} bytes, decompressed"))
        .with("bytes_max", bytes_max)
}

fn broken(error: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::BrokenBody, format!("the body cannot be read: {error}"))
}
