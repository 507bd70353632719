use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::fault::{Fault, nearest_word};
use super::places::{Place, as_feature};
use super::topics;
use super::tree::{Node, Value};
use crate::config::{
    ColumnKind, Config, EventsConfig, KafkaConfig, LearnerKind, OnTimeout, PipelineConfig, QualityConfig,
    QualityMetric, Task,
};

/// Longest name of a pipeline, a class or a feature, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Properties that other keys set, or that the promises rest on.
const OWN_PROPERTIES: [(&str, &str); 7] = [
    ("bootstrap.servers", "the key kafka.brokers instead"),
    ("metadata.broker.list", "the key kafka.brokers instead"),
    ("queued.max.messages.kbytes", "the key kafka.fetch_bytes_max instead"),
    ("enable.idempotence", "no such entry: outputs are always written idempotently"),
    ("acks", "no such entry: outputs are always acknowledged by all in-sync replicas"),
    ("request.required.acks", "no such entry: outputs are always acknowledged by all in-sync replicas"),
    ("enable.auto.commit", "no such entry: positions are the journal's"),
];

/// Collects faults; origins and values come from the tree.
pub(super) struct Report<'a> {
    tree: &'a Node,
    faults: Vec<Fault>,
}

impl Report<'_> {
    pub fn fault(&mut self, path: &[&str], problem: impl Into<String>, expected: impl Into<String>) {
        self.suggest(path, problem, expected, None);
    }

    pub fn suggest(
        &mut self,
        path: &[&str],
        problem: impl Into<String>,
        expected: impl Into<String>,
        nearest: Option<String>,
    ) {
        let fault = Fault::new(path, self.tree.origin_near(path), expected).problem(problem).nearest(nearest);
        self.faults.push(match self.tree.find(path) {
            Some(node) if !matches!(node.value, Value::Table(_)) => fault.value(node),
            _ => fault,
        });
    }
}

/// Every fault that no key has for itself alone.
pub(super) fn check(config: &Config, tree: &Node) -> Vec<Fault> {
    let mut report = Report { tree, faults: Vec::new() };
    listen(&config.http.listen, &mut report);
    kafka(&config.kafka, &mut report);
    log_level(&config.log.level, &mut report);
    topics::check(config, &mut report);
    for (name, pipeline) in &config.pipeline {
        let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if name.is_empty() || name.len() > 64 || !bare {
            report.fault(&["pipeline", name], "not a name", "1 to 64 letters, digits, \"-\" and \"_\"");
        }
        labels(name, pipeline, &mut report);
        places(name, &pipeline.events, &mut report);
        features(name, pipeline, &mut report);
        classes(name, pipeline, &mut report);
        join(name, pipeline, &mut report);
        model(name, pipeline, &mut report);
        super::encoders::check(name, pipeline, &mut report);
        super::learners::check(name, &pipeline.model, &mut report);
        quality(name, pipeline.schema.task, &pipeline.monitor.quality, &mut report);
        if pipeline.checkpoint.every_examples.or(pipeline.checkpoint.every_ms).is_none() {
            let path = ["pipeline", name, "checkpoint", "every_ms"];
            report.fault(&path, "no checkpoint is ever taken", "every_ms or every_examples above 0");
        }
    }
    report.faults
}

fn host_and_port(text: &str, port_min: u16) -> bool {
    let named = |(host, port): (&str, &str)| {
        let host_ok = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        !host.is_empty() && host_ok && port.parse::<u16>().is_ok_and(|port| port >= port_min)
    };
    match text.parse::<SocketAddr>() {
        Ok(address) => address.port() >= port_min,
        Err(_) => text.rsplit_once(':').is_some_and(named),
    }
}

fn listen(listen: &str, report: &mut Report<'_>) {
    if !host_and_port(listen, 0) {
        report.fault(
            &["http", "listen"],
            "not an address",
            "host:port, such as 127.0.0.1:8080 or [::1]:8080",
        );
    }
}

fn kafka(kafka: &KafkaConfig, report: &mut Report<'_>) {
    for broker in kafka.brokers.split(',').map(str::trim).filter(|broker| !host_and_port(broker, 1)) {
        let expected = "host:port, separated by commas, such as 10.0.0.1:9092,10.0.0.2:9092";
        report.fault(&["kafka", "brokers"], format!("{broker:?} is no broker"), expected);
    }
    for (property, instead) in
        OWN_PROPERTIES.iter().filter(|(property, _)| kafka.properties.contains_key(*property))
    {
        report.fault(&["kafka", "properties", property], "set by the process itself", *instead);
    }
}

fn log_level(level: &str, report: &mut Report<'_>) {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in level.split(',') {
        let word = directive.rsplit_once('=').map_or(directive, |(_, word)| word).trim();
        if !LEVELS.contains(&word.to_lowercase().as_str()) {
            let expected = format!("{}, alone or after target=", LEVELS.join(", "));
            let nearest = nearest_word(word, LEVELS);
            report.suggest(&["log", "level"], format!("{word:?} is no level"), expected, nearest);
        }
    }
}

fn labels(name: &str, pipeline: &PipelineConfig, report: &mut Report<'_>) {
    match (&pipeline.labels, &pipeline.events.label) {
        (None, None) => report.fault(
            &["pipeline", name],
            "no labels",
            "labels.topic (labels on a topic of their own) or events.label (labels in events)",
        ),
        (Some(_), Some(_)) => report.fault(
            &["pipeline", name, "events", "label"],
            "labels come from labels.topic already",
            "either labels.topic or events.label",
        ),
        _ => {}
    }
}

fn places(name: &str, events: &EventsConfig, report: &mut Report<'_>) {
    let all = [
        ("id", &events.id),
        ("key", &events.key),
        ("time", &events.time),
        ("features", &events.features),
        ("label", &events.label),
        ("weight", &events.weight),
    ];
    let mut only: Vec<(&str, Place)> = Vec::new();
    for (key, place) in all.into_iter().filter_map(|(key, place)| Some((key, place.as_deref()?))) {
        let path = ["pipeline", name, "events", key];
        match Place::read(place) {
            Err(expected) => report.fault(&path, "not a place in a record", expected),
            Ok(Place::Header(_)) if key == "features" => {
                report.fault(&path, "a header holds no features", "a field or a JSON pointer of an object");
            }
            // An id may be the key or the time as well; these four are each something of their own.
            Ok(place) if ["id", "features", "label", "weight"].contains(&key) => {
                match only.iter().find(|(_, other)| *other == place) {
                    Some((other, _)) => {
                        report.fault(&path, format!("already the place of {other}"), "another place")
                    }
                    None => only.push((key, place)),
                }
            }
            Ok(_) => {}
        }
    }
}

fn features(name: &str, pipeline: &PipelineConfig, report: &mut Report<'_>) {
    let (events, features) = (&pipeline.events, &pipeline.schema.features);
    for feature in features.keys().filter(|feature| feature.is_empty() || feature.len() > NAME_BYTES_MAX) {
        report.fault(
            &["pipeline", name, "schema", "features", feature],
            "not a field's name",
            "1 to 256 bytes",
        );
    }
    for (key, place) in [("id", &events.id), ("label", &events.label), ("weight", &events.weight)] {
        let Some(feature) = place.as_deref().and_then(|place| as_feature(place, events)) else {
            continue;
        };
        if features.contains_key(&feature) {
            report.fault(
                &["pipeline", name, "schema", "features", &feature],
                format!("also events.{key}, from which nothing general can be learned"),
                "a feature that is neither id, label nor weight",
            );
        }
    }
}

fn classes(name: &str, pipeline: &PipelineConfig, report: &mut Report<'_>) {
    let schema = &pipeline.schema;
    let path = ["pipeline", name, "schema", "classes"];
    let mut seen = BTreeSet::new();
    for class in &schema.classes {
        if class.is_empty() || class.len() > NAME_BYTES_MAX {
            report.fault(&path, format!("class {class:?}"), "classes of 1 to 256 bytes");
        }
        if !seen.insert(class) {
            report.fault(&path, format!("class {class:?} twice"), "each class once");
        }
    }
    let count = schema.classes.len();
    let expected = match schema.task {
        Task::Binary if count != 2 => "exactly two classes for the task \"binary\", the negative one first",
        Task::Multiclass if count == 1 => {
            "none (discovered as labels arrive), or two and more, for \"multiclass\""
        }
        Task::Regression if count > 0 => "no classes for the task \"regression\"",
        _ => return,
    };
    report.fault(&path, format!("{count} declared"), expected);
}

fn join(name: &str, pipeline: &PipelineConfig, report: &mut Report<'_>) {
    let join = &pipeline.join;
    if join.memory_rows_max > join.rows_max {
        let [memory, all] = ["memory_rows_max", "rows_max"].map(|key| ["pipeline", name, "join", key]);
        let (path, problem) = if report.tree.find(&memory).is_some() {
            (memory, format!("more than rows_max = {}", join.rows_max))
        } else {
            (all, format!("less than memory_rows_max = {}, its default", join.memory_rows_max))
        };
        report.fault(&path, problem, "memory_rows_max up to rows_max");
    }
    if join.on_timeout == OnTimeout::Negative && pipeline.schema.task == Task::Multiclass {
        let path = ["pipeline", name, "join", "on_timeout"];
        report.fault(&path, "no class of \"multiclass\" is the negative one", "\"drop\", or another task");
    }
}

/// A learner that cannot do the task, and crosses of features that there are not.
fn model(name: &str, pipeline: &PipelineConfig, report: &mut Report<'_>) {
    let (schema, model) = (&pipeline.schema, &pipeline.model);
    let races = model.learner == LearnerKind::Race;
    let learner = if races { model.race.learner } else { model.learner };
    let wrong = match (learner, schema.task) {
        (LearnerKind::Majority, Task::Regression) => Some(("no classes to count in a regression", "mean")),
        (LearnerKind::NaiveBayes, Task::Regression) => {
            Some(("no classes to tell apart in a regression", "linear"))
        }
        (LearnerKind::Mean, Task::Binary | Task::Multiclass) => {
            Some(("no values to take the mean of in a classification", "majority"))
        }
        _ => None,
    };
    if let Some((problem, instead)) = wrong {
        let path: &[&str] = if races {
            &["pipeline", name, "model", "race", "learner"]
        } else {
            &["pipeline", name, "model", "learner"]
        };
        report.fault(path, problem, format!("another learner, such as {instead:?}"));
    }
    // Encoders may have taken a category's place before the learner sees it.
    let is_gone = |feature: &str| {
        let takes = |columns: &[String]| columns.is_empty() || columns.iter().any(|column| column == feature);
        schema.features.get(feature) == Some(&ColumnKind::Categorical)
            && model.encode.iter().any(|encoder| encoder.kind.replaces() && takes(&encoder.columns))
    };
    let is_feature = |feature: &str| {
        matches!(schema.features.get(feature), Some(ColumnKind::Numeric | ColumnKind::Categorical))
            && !is_gone(feature)
    };
    for pair in &model.ftrl.crosses {
        if !pair.match_indices('*').any(|(at, _)| is_feature(&pair[..at]) && is_feature(&pair[at + 1..])) {
            let path = ["pipeline", name, "model", "ftrl", "crosses"];
            report.fault(
                &path,
                format!("{pair:?} names no two features"),
                "\"first*second\", both numeric or categorical in schema.features",
            );
        }
    }
}

fn quality(name: &str, task: Task, quality: &QualityConfig, report: &mut Report<'_>) {
    if !quality.enabled {
        return;
    }
    let path = |key| ["pipeline", name, "monitor", "quality", key];
    let fits = match quality.metric {
        QualityMetric::Accuracy | QualityMetric::Logloss => task != Task::Regression,
        QualityMetric::Auc => task == Task::Binary,
        QualityMetric::Mae => task == Task::Regression,
    };
    if !fits {
        let expected = match task {
            Task::Binary => "\"accuracy\", \"logloss\" or \"auc\"",
            Task::Multiclass => "\"accuracy\" or \"logloss\"",
            Task::Regression => "\"mae\"",
        };
        report.fault(&path("metric"), "not a score of the pipeline's task", expected);
        return;
    }
    let (threshold, hysteresis) = (quality.threshold, quality.hysteresis);
    match quality.metric {
        QualityMetric::Accuracy | QualityMetric::Auc => {
            if threshold > 1.0 {
                report.fault(&path("threshold"), "a score that is never above 1", "a number from 0 to 1");
            } else if threshold + hysteresis > 1.0 {
                let problem = "threshold + hysteresis above 1, so that no alert can be resolved";
                report.fault(&path("hysteresis"), problem, format!("at most {}", 1.0 - threshold));
            }
        }
        QualityMetric::Logloss | QualityMetric::Mae if threshold < hysteresis => {
            let problem = "threshold - hysteresis below 0, so that no alert can be resolved";
            report.fault(&path("hysteresis"), problem, format!("at most {threshold}"));
        }
        QualityMetric::Logloss | QualityMetric::Mae => {}
    }
}
