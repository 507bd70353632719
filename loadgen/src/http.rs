//! Open-loop HTTP load: a constant rate of prediction requests, and latencies without coordinated omission.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::latency;
use crate::replay::Pacer;
use crate::streams::Source;

/// How long one request may take before it counts as failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after the last due time requests that are late may still begin.
const GRACE: Duration = Duration::from_secs(5);
/// Bound on connections: each has a thread.
const CONNECTIONS_MAX: usize = 1_024;

/// A load: request i is due at start + i/rate, whatever became of those before it. A free connection takes the next
/// request; where all are busy, the wait counts in the latency, for that is what a client would have seen.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpLoad {
    /// Such as `http://127.0.0.1:8080`.
    pub base_url: String,
    /// The pipeline.
    pub model: String,
    /// Requests a second.
    pub rate: f64,
    pub seconds: f64,
    /// Keep-alive connections, one thread each.
    pub connections: usize,
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct HttpReport {
    /// Requests that were due.
    pub due: u64,
    /// Requests that began.
    pub sent: u64,
    /// Answers of status 200.
    pub ok: u64,
    /// Other outcomes: how often each status, or each failure of a connection, was met.
    pub errors: BTreeMap<String, u64>,
    /// From the first due time to the last answer.
    pub seconds: f64,
    /// From when a request was due to its answer; microseconds, of answers of status 200.
    pub latency_us: Histogram<u64>,
    /// From when a request was sent to its answer; microseconds, of answers of status 200.
    pub service_us: Histogram<u64>,
}

/// Why a load could not be begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    #[error("{what} {value}, expected {expected}")]
    Setting { what: &'static str, value: String, expected: &'static str },
    #[error("{url} does not answer: {cause}")]
    Unreachable { url: String, cause: Box<ureq::Error> },
}

impl HttpLoad {
    /// Posts rows of the stream, one a request, in turn, from the first again after the last. Blocks until all have been
    /// answered or have failed: at most the time of the load and 15 seconds.
    pub fn run(&self, source: &dyn Source) -> Result<HttpReport, HttpError> {
        let requests = self.requests()?;
        let agent = agent();
        let livez = format!("{}/livez", self.base_url.trim_end_matches('/'));
        agent
            .get(&livez)
            .call()
            .map_err(|cause| HttpError::Unreachable { url: livez.clone(), cause: Box::new(cause) })?;
        let url = format!("{}/v1/models/{}/predict", self.base_url.trim_end_matches('/'), self.model);
        let start = Instant::now();
        let turn = Turn {
            next: AtomicU64::new(0),
            requests,
            pacer: Pacer::new(start, Some(self.rate)),
            deadline: start + Duration::from_secs_f64(self.seconds) + GRACE,
        };
        let tallies: Vec<Tally> = thread::scope(|scope| {
            let (turn, url) = (&turn, url.as_str());
            let connection = |_| scope.spawn(move || turn.connection(url, source));
            let threads: Vec<_> = (0..self.connections).map(connection).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, Tally>| {
                thread.join().expect("a connection's thread has nothing that panics")
            };
            threads.into_iter().map(join).collect()
        });
        let mut total = Tally::default();
        for tally in tallies {
            total.add(tally);
        }
        Ok(HttpReport {
            due: requests,
            sent: total.sent,
            ok: total.latency_us.len(),
            errors: total.errors,
            seconds: start.elapsed().as_secs_f64(),
            latency_us: total.latency_us,
            service_us: total.service_us,
        })
    }

    /// Number of requests, from settings that are sound.
    fn requests(&self) -> Result<u64, HttpError> {
        let setting = |holds: bool, what, value: String, expected| {
            if holds { Ok(()) } else { Err(HttpError::Setting { what, value, expected }) }
        };
        let (rate, seconds) = (self.rate, self.seconds);
        let rate_holds = (0.001..=1e6).contains(&rate);
        setting(rate_holds, "rate", rate.to_string(), "0.001 to 1000000 requests a second")?;
        let seconds_hold = (0.001..=86_400.0).contains(&seconds);
        setting(seconds_hold, "seconds", seconds.to_string(), "0.001 to 86400")?;
        let connections_hold = (1..=CONNECTIONS_MAX).contains(&self.connections);
        setting(connections_hold, "connections", self.connections.to_string(), "1 to 1024")?;
        Ok(((rate * seconds).round() as u64).max(1))
    }
}

/// What the connections take their requests from.
struct Turn {
    next: AtomicU64,
    requests: u64,
    pacer: Pacer,
    deadline: Instant,
}

impl Turn {
    fn connection(&self, url: &str, source: &dyn Source) -> Tally {
        let agent = agent();
        let (mut body, mut answer) = (Vec::new(), Vec::new());
        let mut tally = Tally::default();
        loop {
            let index = self.next.fetch_add(1, Relaxed);
            if index >= self.requests {
                return tally;
            }
            let due = self.pacer.due_at(index).expect("the load has a rate");
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let sent = Instant::now();
            if sent > self.deadline {
                return tally;
            }
            body.clear();
            body.extend_from_slice(b"{\"features\":");
            source.features_json(index % source.rows(), &mut body);
            body.push(b'}');
            tally.sent += 1;
            match post(&agent, url, &body, &mut answer) {
                Ok(200) => {
                    let answered = Instant::now();
                    latency::record(&mut tally.latency_us, answered - due);
                    latency::record(&mut tally.service_us, answered - sent);
                }
                Ok(status) => tally.error(format!("status {status}")),
                Err(error) => tally.error(error.to_string()),
            }
        }
    }
}

/// What one connection saw.
struct Tally {
    sent: u64,
    errors: BTreeMap<String, u64>,
    latency_us: Histogram<u64>,
    service_us: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let (latency_us, service_us) = (latency::histogram_us(), latency::histogram_us());
        Self { sent: 0, errors: BTreeMap::new(), latency_us, service_us }
    }
}

impl Tally {
    fn error(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        // All have the same bounds.
        self.latency_us.add(&other.latency_us).expect("of equal bounds");
        self.service_us.add(&other.service_us).expect("of equal bounds");
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_TIMEOUT))
        .http_status_as_error(false)
        .max_idle_connections_per_host(1)
        .proxy(None)
        .build()
        .into()
}

/// Sends one request and reads its answer whole, so that the connection can be used again.
fn post(agent: &ureq::Agent, url: &str, body: &[u8], answer: &mut Vec<u8>) -> Result<u16, ureq::Error> {
    let request = agent.post(url).header("content-type", "application/json");
    let mut response = request.send(body)?;
    answer.clear();
    std::io::Read::read_to_end(&mut response.body_mut().as_reader(), answer)?;
    Ok(response.status().as_u16())
}

impl HttpReport {
    /// Every request that was due was sent and answered with status 200.
    pub fn clean(&self) -> bool {
        self.ok == self.due
    }

    /// Requests that were due and never began, because all connections were busy until the end.
    pub fn unsent(&self) -> u64 {
        self.due - self.sent
    }
}

impl fmt::Display for HttpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { due, sent, ok, seconds, .. } = self;
        writeln!(f, "requests       {sent} sent of {due}, {ok} ok")?;
        writeln!(f, "seconds        {seconds:.3}")?;
        writeln!(f, "ok/s           {:.1}", *ok as f64 / seconds)?;
        for (error, count) in &self.errors {
            writeln!(f, "error          {count} × {error}")?;
        }
        writeln!(f, "{:<14} {:>9} {:>9} {:>9} {:>9} {:>9}", "ms", "p50", "p90", "p99", "p99.9", "max")?;
        let row = |name: &str, histogram: &Histogram<u64>| {
            let [p50, p90, p99, p999] =
                [0.5, 0.9, 0.99, 0.999].map(|quantile| latency::quantile_ms(histogram, quantile));
            let max = latency::max_ms(histogram);
            format!("{name:<14} {p50:>9.3} {p90:>9.3} {p99:>9.3} {p999:>9.3} {max:>9.3}")
        };
        writeln!(f, "{}", row("from due time", &self.latency_us))?;
        write!(f, "{}", row("from sending", &self.service_us))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::streams::Synthetic;

    /// Answers every request on every connection after `delay`, with the status that `status` gives for its number.
    fn server(delay: Duration, status: fn(u64) -> u16) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                thread::spawn(move || answer_all(stream, delay, status));
            }
        });
        format!("http://{address}")
    }

    fn answer_all(stream: TcpStream, delay: Duration, status: fn(u64) -> u16) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        let mut number = 0;
        loop {
            let (mut length, mut post) = (0, false);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                let line = line.trim().to_ascii_lowercase();
                post |= line == "post /v1/models/m/predict http/1.1";
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut code = 200;
            if post {
                let row: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert!(row["features"]["f0"].is_number());
                thread::sleep(delay);
                code = status(number);
                number += 1;
            }
            // In one write, or Nagle's algorithm holds the second one back.
            let answer = format!("HTTP/1.1 {code} X\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }

    fn load(base_url: String, rate: f64, seconds: f64, connections: usize) -> HttpLoad {
        HttpLoad { base_url, model: "m".into(), rate, seconds, connections }
    }

    #[test]
    fn every_due_request_is_sent_and_answered() {
        let url = server(Duration::ZERO, |_| 200);
        let report = load(url, 500.0, 0.4, 2).run(&Synthetic::new(7, 3, 1)).unwrap();

        assert!(report.clean(), "{report}");
        assert_eq!((report.due, report.sent, report.ok, report.unsent()), (200, 200, 200, 0));
        assert!(report.seconds >= 0.398, "{report}");
    }

    #[test]
    fn waiting_for_a_busy_connection_counts_in_the_latency() {
        // One connection at 20 ms a request, asked for 100 a second: the 20th is due at 190 ms and answered at 400 ms.
        let url = server(Duration::from_millis(20), |_| 200);
        let report = load(url, 100.0, 0.2, 1).run(&Synthetic::new(7, 3, 1)).unwrap();

        assert!(report.clean(), "{report}");
        assert!(report.latency_us.max() > 180_000, "{report}");
        assert!(report.service_us.value_at_quantile(0.5) < 40_000, "{report}");
    }

    #[test]
    fn other_statuses_are_counted_by_their_number() {
        let url = server(Duration::ZERO, |number| if number % 2 == 0 { 200 } else { 503 });
        let report = load(url, 1_000.0, 0.01, 1).run(&Synthetic::new(7, 3, 1)).unwrap();

        assert!(!report.clean());
        assert_eq!((report.ok, report.errors["status 503"]), (5, 5));
    }

    #[test]
    fn nobody_there_and_settings_out_of_bounds_are_said_at_once() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let source = Synthetic::new(1, 1, 1);

        let nobody = load(format!("http://{free}"), 1.0, 1.0, 1).run(&source).unwrap_err();
        assert!(nobody.to_string().contains("/livez does not answer"), "{nobody}");
        let rate = load(String::new(), f64::NAN, 1.0, 1).run(&source).unwrap_err();
        assert_eq!(rate.to_string(), "rate NaN, expected 0.001 to 1000000 requests a second");
        assert!(load(String::new(), 1.0, 1.0, 0).run(&source).is_err());
    }
}
