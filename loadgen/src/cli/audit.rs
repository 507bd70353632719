use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use clap::Args;
use tidewheel_loadgen::audit::{AuditPlan, AuditTopics};

use super::{KafkaArgs, Outcome};

/// Reads the topics named, from their beginning to their present end, and checks what can be checked with them: the more
/// are named, the more is.
#[derive(Args)]
pub struct AuditArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Each event is predicted, a duplicate, dead-lettered or skipped; its prediction names it as its source.
    #[arg(long, value_name = "TOPIC")]
    events_topic: Option<String>,
    /// What was learned has a label that was sent.
    #[arg(long, value_name = "TOPIC")]
    labels_topic: Option<String>,
    /// Each has an id, pipeline, version, revision, epoch and source; a repeat is byte for byte the first.
    #[arg(long, value_name = "TOPIC")]
    predictions_topic: Option<String>,
    /// Each id is learned once.
    #[arg(long, value_name = "TOPIC")]
    examples_topic: Option<String>,
    /// Alerts have all their fields and are keyed by their fingerprint.
    #[arg(long, value_name = "TOPIC")]
    alerts_topic: Option<String>,
    /// Dead letters have their headers and the bytes of their original.
    #[arg(long, value_name = "TOPIC")]
    dead_letters_topic: Option<String>,
    /// What `tidewheel journal` printed; - is standard input. Every offset of events and labels is in exactly one batch, with the batch's count and hash.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Field of an event that holds its id.
    #[arg(long, value_name = "FIELD", default_value = "id")]
    id_field: String,
    /// Events have no id field: their id is topic-partition-offset.
    #[arg(long, conflicts_with = "id_field")]
    no_id_field: bool,
    /// The service has not read everything yet: what comes after the journal's last batch is no fault.
    #[arg(long)]
    partial: bool,
}

impl AuditArgs {
    pub fn run(self) -> Result<Outcome, Box<dyn Error>> {
        let topics = AuditTopics {
            events: self.events_topic,
            labels: self.labels_topic,
            predictions: self.predictions_topic,
            examples: self.examples_topic,
            alerts: self.alerts_topic,
            dead_letters: self.dead_letters_topic,
        };
        let mut journal = self.journal.as_ref().map(open).transpose()?;
        let plan = AuditPlan {
            properties: self.kafka.properties,
            topics,
            id_field: (!self.no_id_field).then_some(self.id_field),
            complete: !self.partial,
            ..AuditPlan::new(&self.kafka.brokers)
        };
        let audit = plan.run(journal.as_mut().map(|journal| &mut **journal as &mut dyn BufRead))?;
        println!("{audit}");
        Ok(if audit.passed() { Outcome::Clean } else { Outcome::Failed })
    }
}

fn open(path: &PathBuf) -> Result<Box<dyn BufRead>, String> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = File::open(path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}
