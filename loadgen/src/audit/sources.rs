use super::alerts::Alerts;
use super::coverage::Coverage;
use super::dead_letters::DeadLetters;
use super::examples::{Examples, LabelSet};
use super::journal::Journal;
use super::predictions::{Predicted, Predictions};
use super::read::PartitionRange;
use super::{Audit, AuditPlan, AuditTopics, Check, Counts, Record, event_id};

/// All that the topics said, brought together: each source record has its batch and its outcome.
pub(super) struct Findings {
    topics: AuditTopics,
    id_field: Option<String>,
    complete: bool,
    counts: Counts,
    journal: Option<(Journal, Coverage)>,
    dead_letters: DeadLetters,
    alerts: Alerts,
    predictions: Predictions,
    labels: LabelSet,
    examples: Examples,
    outcome: Check,
    foretold: Check,
    /// Retention has taken events, so that outcomes may name events that are no more.
    events_expired: bool,
}

impl Findings {
    pub fn new(plan: &AuditPlan, journal: Option<Journal>) -> Self {
        let journal = journal.map(|journal| {
            let coverage = Coverage::new(&journal, plan.complete);
            (journal, coverage)
        });
        Self {
            topics: plan.topics.clone(),
            id_field: plan.id_field.clone(),
            complete: plan.complete,
            counts: Counts::default(),
            journal,
            dead_letters: DeadLetters::default(),
            alerts: Alerts::default(),
            predictions: Predictions::default(),
            labels: LabelSet::default(),
            examples: Examples::default(),
            outcome: Check::new("events: each is predicted, a duplicate, dead-lettered or skipped"),
            foretold: Check::new("examples: what was learned was predicted"),
            events_expired: false,
        }
    }

    /// A partition of the events or the labels topic is going to be read.
    pub fn begin(&mut self, topic: &str, range: &PartitionRange) {
        self.events_expired |= self.topics.events.as_deref() == Some(topic) && range.begin > 0;
        if let Some((_, coverage)) = &mut self.journal {
            coverage.begin(topic, range.partition, range.begin);
        }
    }

    pub fn dead_letter(&mut self, record: &Record<'_>) {
        self.dead_letters.record(record);
    }

    pub fn alert(&mut self, record: &Record<'_>) {
        self.alerts.record(record);
    }

    pub fn prediction(&mut self, record: &Record<'_>) {
        self.predictions.record(record);
    }

    /// Labels come before examples.
    pub fn label(&mut self, record: &Record<'_>) {
        self.counts.labels += 1;
        self.entry(record);
        self.labels.record(record);
        self.counts.labels_dead_lettered += u64::from(self.dead_letters.source(record));
    }

    pub fn example(&mut self, record: &Record<'_>) {
        self.examples.record(record, self.topics.labels.is_some().then_some(&self.labels));
    }

    /// Events come last: their outcomes are known.
    pub fn event(&mut self, record: &Record<'_>) {
        self.counts.events += 1;
        let entry = self.entry(record);
        let id = event_id(self.id_field.as_deref(), record);
        let predicted = id.as_deref().map(|id| self.predictions.event(record, id, entry));
        let predicted = predicted.unwrap_or(Predicted::No);
        let learned = id.is_some_and(|id| self.examples.event(record, &id, entry));
        let knows_predictions = self.topics.predictions.is_some();
        if learned && knows_predictions {
            let foretold = predicted == Predicted::Here;
            self.foretold.expect(foretold, || format!("{record} was learned and not predicted"));
        }
        let dead = self.dead_letters.source(record);
        let skipped = self.journal.as_ref().is_some_and(|(j, _)| j.skipped.contains(&record.place()));
        let account = match predicted {
            Predicted::Here => &mut self.counts.events_predicted,
            _ if skipped => &mut self.counts.events_skipped,
            _ if dead => &mut self.counts.events_dead_lettered,
            Predicted::OtherWithId => &mut self.counts.events_duplicate,
            Predicted::No => &mut self.counts.events_without_outcome,
        };
        *account += 1;
        // What the service has not read yet has no outcome yet.
        let expected = self.complete || (self.journal.is_some() && entry.is_some());
        if knows_predictions && (expected || predicted != Predicted::No || dead || skipped) {
            let has_outcome = predicted != Predicted::No || dead || skipped;
            self.outcome.expect(has_outcome, || format!("{record} has no outcome"));
        }
    }

    /// The batch that a source record is in, where the journal is known.
    fn entry(&mut self, record: &Record<'_>) -> Option<u64> {
        self.journal.as_mut().and_then(|(_, coverage)| coverage.record(record))
    }

    pub fn finish(self) -> Audit {
        let Self { mut counts, journal, predictions, examples, alerts, dead_letters, .. } = self;
        let events_whole = self.topics.events.is_some() && !self.events_expired && self.complete;
        counts.predictions = predictions.records;
        counts.predictions_distinct = predictions.distinct();
        counts.examples = examples.records;
        counts.examples_distinct = examples.distinct();
        counts.alerts = alerts.records;
        counts.alerts_firing = alerts.firing;
        counts.alerts_resolved = alerts.resolved;
        counts.alerts_tombstones = alerts.tombstones;
        counts.dead_letters = dead_letters.records;
        counts.dead_letters_distinct = dead_letters.distinct();
        let mut checks = Vec::new();
        if let Some((journal, mut coverage)) = journal {
            counts.journal_entries = journal.entries;
            counts.journal_batches = journal.batches;
            counts.journal_epochs = journal.epochs;
            checks.extend(journal.checks());
            checks.extend(coverage.finish());
            counts.journal_tail_records = coverage.tail_records();
            counts.journal_expired_batches = coverage.expired_batches();
        }
        checks.push(self.outcome);
        checks.extend(predictions.finish(events_whole));
        checks.extend(examples.finish(events_whole));
        checks.push(self.foretold);
        checks.extend(alerts.finish());
        checks.extend(dead_letters.finish());
        Audit { counts, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(complete: bool) -> AuditPlan {
        let topics = AuditTopics {
            events: Some("e".into()),
            predictions: Some("p".into()),
            examples: Some("x".into()),
            dead_letters: Some("d".into()),
            ..AuditTopics::default()
        };
        AuditPlan { topics, complete, ..AuditPlan::new("") }
    }

    fn prediction(findings: &mut Findings, id: &str, offset: i64) {
        let value = format!(
            r#"{{"id":"{id}","pipeline":"p","version":1,"revision":1,"epoch":1,"source":{{"topic":"e","partition":0,"offset":{offset}}}}}"#
        );
        let value = Some(value.as_bytes());
        findings.prediction(&Record { topic: "p", value, ..Record::default() });
    }

    fn event(findings: &mut Findings, json: &str, offset: i64) {
        let value = Some(json.as_bytes());
        findings.event(&Record { topic: "e", offset, value, ..Record::default() });
    }

    #[test]
    fn each_event_has_one_account() {
        let journal =
            r#"{"n":1,"time_ms":1,"kind":"skip","entry":1,"topic":"e","partition":0,"offset":3,"reason":""}"#;
        let journal = Journal::read(journal.as_bytes()).unwrap();
        let mut findings = Findings::new(&plan(true), Some(journal));
        let headers = [("stage", "schema"), ("reason", "r"), ("topic", "e"), ("partition", "0")];
        let headers = headers.into_iter().chain([("offset", "2"), ("timestamp", "0")]);
        let headers: Vec<(String, &str)> =
            headers.map(|(name, value)| (format!("tidewheel.dlq.{name}"), value)).collect();
        findings.dead_letter(&Record {
            topic: "d",
            value: Some(b"no json"),
            headers: headers.iter().map(|(n, v)| (n.as_str(), Some(v.as_bytes()))).collect(),
            ..Record::default()
        });
        prediction(&mut findings, "a", 0);

        event(&mut findings, r#"{"id":"a"}"#, 0);
        event(&mut findings, r#"{"id":"a"}"#, 1);
        event(&mut findings, "no json", 2);
        event(&mut findings, r#"{"id":"poison"}"#, 3);
        event(&mut findings, r#"{"id":"lost"}"#, 4);

        let audit = findings.finish();
        let counts = &audit.counts;
        assert_eq!((counts.events, counts.events_predicted, counts.events_duplicate), (5, 1, 1));
        assert_eq!((counts.events_dead_lettered, counts.events_skipped), (1, 1));
        assert_eq!(counts.events_without_outcome, 1);
        let failed: Vec<_> = audit.checks.iter().filter(|check| !check.passed()).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].examples, ["e-0 offset 4 has no outcome"]);
        assert!(audit.to_string().contains("checks passed"));
    }

    #[test]
    fn what_a_running_service_has_not_read_yet_is_no_fault() {
        let mut findings = Findings::new(&plan(false), None);
        event(&mut findings, r#"{"id":"a"}"#, 0);

        let audit = findings.finish();
        assert!(audit.passed(), "{audit}");
        assert_eq!(audit.counts.events_without_outcome, 1);
    }

    #[test]
    fn learning_what_was_never_predicted_is_a_fault() {
        let mut findings = Findings::new(&plan(false), None);
        let example = br#"{"id":"a","label":"1","revision":1,"entry":2,"source":{"topic":"e","partition":0,"offset":0}}"#;
        findings.example(&Record { topic: "x", value: Some(example), ..Record::default() });
        event(&mut findings, r#"{"id":"a"}"#, 0);

        assert!(!findings.finish().passed());
    }
}
