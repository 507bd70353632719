use std::error::Error;

use clap::Args;
use tidewheel_loadgen::replay::Replay;
use tidewheel_loadgen::streams::{Source, Stream, StreamError, Synthetic};

use super::{KafkaArgs, Outcome};

#[derive(Args)]
pub struct StreamArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// elec2, sea_abrupt, synthetic, or a CSV file, gzipped or not: columns by its header, the last one the target.
    #[arg(long, default_value = "elec2", value_name = "NAME|FILE")]
    stream: String,
    #[arg(long, value_name = "TOPIC")]
    events_topic: String,
    /// Label i goes there right after event i+1; left out, no labels are sent. Events of the synthetic stream carry theirs.
    #[arg(long, value_name = "TOPIC")]
    labels_topic: Option<String>,
    /// Events a second, open loop; left out: full speed.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// How many rows to send; left out: all. The synthetic stream wants it.
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// First row to send, from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// What ids start with, so that several runs do not clash; left out: the stream's name.
    #[arg(long, value_name = "PREFIX")]
    id_prefix: Option<String>,
    /// Column whose value is the record's key; left out: no key.
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["features", "seed"])]
    key_column: Option<String>,
    /// Features of the synthetic stream.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    features: u64,
    /// Seed of the synthetic stream.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl StreamArgs {
    pub fn run(self) -> Result<Outcome, Box<dyn Error>> {
        if self.stream == "synthetic" && self.rows.is_none() {
            eprintln!("loadgen: --stream synthetic wants --rows N: it has no end");
            return Ok(Outcome::Usage);
        }
        let source = self.source()?;
        let replay = Replay {
            properties: self.kafka.properties,
            labels_topic: self.labels_topic,
            rate: self.rate,
            from_row: self.from - 1,
            rows: self.rows,
            ..Replay::new(&self.kafka.brokers, &self.events_topic, "")
        };
        println!("{}", replay.run(&*source)?);
        Ok(Outcome::Clean)
    }

    fn source(&self) -> Result<Box<dyn Source>, StreamError> {
        if self.stream == "synthetic" {
            let rows = (self.from - 1).saturating_add(self.rows.unwrap_or(0));
            let mut stream = Synthetic::new(rows, self.features as usize, self.seed);
            if let Some(prefix) = &self.id_prefix {
                stream = stream.with_id_prefix(prefix);
            }
            return Ok(Box::new(stream));
        }
        let Ok(stream) = self.stream.parse::<Stream>();
        let mut source = stream.open()?;
        if let Some(prefix) = &self.id_prefix {
            source = source.with_id_prefix(prefix);
        }
        if let Some(column) = &self.key_column {
            source = source.with_key_column(column)?;
        }
        Ok(Box::new(source))
    }
}
