use std::error::Error;

use clap::Args;
use tidewheel_loadgen::http::HttpLoad;
use tidewheel_loadgen::streams::Stream;

use super::Outcome;

/// Request i is due at i / rate, whatever became of those before it; latencies count from there, so that a slow server
/// cannot hide behind requests that were never sent (coordinated omission).
#[derive(Args)]
pub struct HttpArgs {
    /// Where the service listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The pipeline.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// elec2, sea_abrupt, or a CSV file: the rows that are asked about, in turn.
    #[arg(long, default_value = "elec2", value_name = "NAME|FILE")]
    stream: String,
    /// Requests a second.
    #[arg(long, value_name = "N", default_value_t = 1_000.0)]
    rate: f64,
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    seconds: f64,
    /// Keep-alive connections, one thread each.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
}

impl HttpArgs {
    pub fn run(self) -> Result<Outcome, Box<dyn Error>> {
        let Ok(stream) = self.stream.parse::<Stream>();
        let source = stream.open()?;
        let load = HttpLoad {
            base_url: self.url,
            model: self.model,
            rate: self.rate,
            seconds: self.seconds,
            connections: self.connections,
        };
        let report = load.run(&source)?;
        println!("{report}");
        Ok(if report.clean() { Outcome::Clean } else { Outcome::Failed })
    }
}
