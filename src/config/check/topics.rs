use std::collections::BTreeMap;

use super::rules::Report;
use crate::config::{Config, JournalKind, PipelineConfig};

/// Kafka's own limit (`org.apache.kafka.common.internals.Topic`).
const NAME_BYTES_MAX: usize = 249;

/// Names of topics are Kafka's, each topic has one use in a pipeline and one writer, and nothing feeds itself.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let mut writers = BTreeMap::new();
    for (name, pipeline) in &config.pipeline {
        let mut uses: BTreeMap<&str, String> = BTreeMap::new();
        for (section, key, topic) in topics(pipeline) {
            let path = ["pipeline", name, section, key];
            if let Some(problem) = name_problem(topic) {
                report.fault(&path, problem, "a topic of 1 to 249 letters, digits, \".\", \"_\" and \"-\"");
            }
            let earlier = uses.get(topic).or_else(|| writers.get(topic).filter(|_| writes(section)));
            if let Some(earlier) = earlier {
                report.fault(&path, format!("already the topic of {earlier}"), "a topic of its own");
            } else {
                uses.insert(topic, path.join("."));
            }
        }
        let written = outputs(pipeline);
        writers
            .extend(written.map(|(section, key, topic)| (topic, format!("pipeline.{name}.{section}.{key}"))));
    }
    for (name, pipeline) in &config.pipeline {
        if let Some(via) = feeds_itself(name, pipeline, config) {
            report.fault(
                &["pipeline", name, "events", "topic"],
                format!("what this pipeline writes comes back to it through {via}"),
                "a topic that does not depend on the pipeline's own outputs",
            );
        }
    }
}

fn inputs(pipeline: &PipelineConfig) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
    let labels = pipeline.labels.as_ref().map(|labels| ("labels", "topic", labels.topic.as_str()));
    [("events", "topic", pipeline.events.topic.as_str())].into_iter().chain(labels)
}

/// The sections that name what a pipeline writes.
fn writes(section: &str) -> bool {
    ["outputs", "journal"].contains(&section)
}

fn outputs(pipeline: &PipelineConfig) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
    let (outputs, journal) = (&pipeline.outputs, &pipeline.journal);
    let examples = outputs.examples.as_deref().map(|topic| ("outputs", "examples", topic));
    // Where it has no name of its own, it has the pipeline's.
    let named = journal.kind == JournalKind::Kafka && !journal.topic.is_empty();
    let journal = named.then_some(("journal", "topic", journal.topic.as_str()));
    [
        ("outputs", "predictions", outputs.predictions.as_str()),
        ("outputs", "alerts", &outputs.alerts),
        ("outputs", "dead_letters", &outputs.dead_letters),
    ]
    .into_iter()
    .chain(examples)
    .chain(journal)
}

fn topics(pipeline: &PipelineConfig) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
    inputs(pipeline).chain(outputs(pipeline))
}

fn name_problem(topic: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match topic {
        "" => Some("empty"),
        "." | ".." => Some("not a name that Kafka takes"),
        _ if topic.len() > NAME_BYTES_MAX => Some("too long"),
        _ if !topic.bytes().all(allowed) => Some("a character that Kafka does not take"),
        _ => None,
    }
}

/// Name of another pipeline that reads what `start` writes, and whose outputs lead back to `start`.
fn feeds_itself<'a>(start: &str, pipeline: &PipelineConfig, config: &'a Config) -> Option<&'a str> {
    let readers = |writer: &PipelineConfig| {
        let written: Vec<String> = outputs(writer).map(|(_, _, topic)| topic.to_owned()).collect();
        let reads = move |reader: &PipelineConfig| {
            inputs(reader).any(|(_, _, topic)| written.iter().any(|it| it == topic))
        };
        config.pipeline.iter().filter(move |(_, reader)| reads(reader))
    };
    for (first, pipeline) in readers(pipeline).filter(|(name, _)| *name != start) {
        let (mut seen, mut next) = (vec![first], vec![pipeline]);
        while let Some(writer) = next.pop() {
            for (name, reader) in readers(writer) {
                if name == start {
                    return Some(first);
                }
                if !seen.contains(&name) {
                    seen.push(name);
                    next.push(reader);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::config::check::tests::{added, changed, faults, fixture, one, says};

    #[test]
    fn topics_are_names_that_kafka_takes() {
        for wrong in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)] {
            says(changed("x.events", wrong), &["pipeline.x.events.topic = ", "1 to 249 letters"]);
        }
        assert_eq!(faults(&fixture().replace("x.events", &"x".repeat(249))), []);
    }

    #[test]
    fn a_topic_has_one_use_in_a_pipeline_and_one_writer() {
        says(
            changed("x.labels", "x.events"),
            &["labels.topic = \"x.events\" (line 3): already the topic of pipeline.x.events.topic"],
        );
        says(
            changed("x.alerts", "x.events"),
            &["outputs.alerts", "already the topic of pipeline.x.events.topic"],
        );
        let journal = |kind: &str| format!("[pipeline.x.journal]\nkind = \"{kind}\"\ntopic = \"x.alerts\"\n");
        says(
            added(&journal("kafka")),
            &["pipeline.x.journal.topic", "already the topic of pipeline.x.outputs.alerts"],
        );
        assert_eq!(faults(&(fixture() + &journal("file"))), [], "a topic that is not used");
        let second = fixture().replace("pipeline.x", "pipeline.y");
        assert_eq!(faults(&(fixture() + &second)).len(), 3, "each output of y is already an output of x");
        let own = second.replace("x.predictions", "y.predictions").replace("x.alerts", "y.alerts");
        let fault = one(&(fixture() + &own));
        says(
            fault,
            &["pipeline.y.outputs.dead_letters", "already the topic of pipeline.x.outputs.dead_letters"],
        );
        let own = own.replace("x.dead_letters", "y.dead_letters");
        assert_eq!(faults(&(fixture() + &own)), [], "inputs may be shared");
    }

    #[test]
    fn pipelines_may_be_chained_but_not_in_a_circle() {
        let y = fixture().replace("pipeline.x", "pipeline.y").replace("\"x.", "\"y.");
        let y = y.replace("y.events", "x.predictions");
        assert_eq!(faults(&(fixture() + &y)), []);
        let keys: Vec<_> =
            faults(&(fixture().replace("x.events", "y.alerts") + &y)).into_iter().map(|it| it.key).collect();
        assert_eq!(keys, ["pipeline.x.events.topic", "pipeline.y.events.topic"]);
    }
}
