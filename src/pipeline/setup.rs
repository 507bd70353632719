use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{JournalConfig, JournalKind, PipelineConfig};
use crate::journal::Home;
use crate::learn::{Columns, Shape};
use crate::schema::{EventDecoder, SchemaError};
use crate::stream::{Endpoint, TopicSpec};

/// What a pipeline is made from; nothing here changes while it runs.
#[derive(Debug, Clone)]
pub struct Setup {
    pub name: Arc<str>,
    pub config: PipelineConfig,
    pub events_topic: Arc<str>,
    pub labels_topic: Option<Arc<str>>,
    pub predictions_topic: Arc<str>,
    pub alerts_topic: Arc<str>,
    pub dead_letters_topic: Arc<str>,
    pub examples_topic: Option<Arc<str>>,
    /// Where the journal is in Kafka.
    pub journal_topic: Option<Arc<str>>,
}

impl Setup {
    pub fn new(name: &str, config: &PipelineConfig) -> Self {
        let outputs = &config.outputs;
        Self {
            name: name.into(),
            config: config.clone(),
            events_topic: config.events.topic.as_str().into(),
            labels_topic: config.labels.as_ref().map(|labels| labels.topic.as_str().into()),
            predictions_topic: outputs.predictions.as_str().into(),
            alerts_topic: outputs.alerts.as_str().into(),
            dead_letters_topic: outputs.dead_letters.as_str().into(),
            examples_topic: outputs.examples.as_deref().map(Into::into),
            journal_topic: journal_topic(name, &config.journal),
        }
    }

    /// The shape that the schema gives a model.
    pub fn shape(&self) -> Result<Shape, SchemaError> {
        // A schema that no event can be decoded by has no shape.
        EventDecoder::new(&self.config.events, &self.config.schema)?;
        Ok(Shape::of(&self.config.schema))
    }

    /// The names of the columns of [`Setup::shape`].
    pub fn columns(&self) -> Columns {
        Columns::of(&self.config.schema)
    }

    /// The topics that are read: events first where there are labels too.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.events_topic).chain(&self.labels_topic)
    }

    /// Where its journal is.
    pub fn journal_home(&self, places: &Places, endpoint: &Endpoint) -> Home {
        match &self.journal_topic {
            Some(topic) => Home::Topic { endpoint: endpoint.clone(), topic: topic.to_string() },
            None => Home::Files(places.journal.clone()),
        }
    }

    /// Every topic, as it has to be.
    pub fn topics(&self) -> Vec<TopicSpec> {
        let partitions = self.config.events.partitions;
        let spec = |name: &str, partitions: i32, source: bool, compacted: bool| TopicSpec {
            name: name.to_owned(),
            partitions,
            no_fewer_than: None,
            source,
            compacted,
            journal: false,
        };
        let mut specs = vec![spec(&self.events_topic, partitions, true, false)];
        if let Some(labels) = &self.config.labels {
            specs.push(spec(&labels.topic, labels.partitions, true, false));
        }
        // A prediction goes to the partition number of its event, and whoever made the events topic chose its own.
        let no_fewer_than = Some(self.events_topic.to_string());
        specs.push(TopicSpec { no_fewer_than, ..spec(&self.predictions_topic, partitions, false, false) });
        specs.push(spec(&self.alerts_topic, 1, false, true));
        specs.push(spec(&self.dead_letters_topic, 1, false, false));
        specs.extend(self.examples_topic.iter().map(|topic| spec(topic, 1, false, false)));
        let journal = |topic: &Arc<str>| TopicSpec { journal: true, ..spec(topic, 1, false, false) };
        specs.extend(self.journal_topic.iter().map(journal));
        specs
    }
}

fn journal_topic(pipeline: &str, config: &JournalConfig) -> Option<Arc<str>> {
    match config.kind {
        JournalKind::File => None,
        JournalKind::Kafka if config.topic.is_empty() => Some(format!("{pipeline}.journal").into()),
        JournalKind::Kafka => Some(config.topic.as_str().into()),
    }
}

/// Where a pipeline keeps its files.
#[derive(Debug, Clone)]
pub struct Places {
    pub root: PathBuf,
    pub journal: PathBuf,
    /// Pending events that do not fit in memory (redb).
    pub pending: PathBuf,
}

impl Places {
    pub fn new(data_dir: &Path, pipeline: &str) -> Self {
        let root = data_dir.join("pipelines").join(pipeline);
        let (journal, pending) = (root.join("journal"), root.join("pending.redb"));
        Self { root, journal, pending }
    }
}
