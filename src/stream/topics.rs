use std::collections::BTreeMap;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::client::{Endpoint, StreamError, is_passing};

/// A topic that a pipeline needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    /// Partitions when it has to be created.
    pub partitions: i32,
    /// A topic listed before, of which it needs at least as many.
    pub no_fewer_than: Option<String>,
    /// Whether it is read as a source: then it must not be compacted, or rows would vanish from under the journal.
    pub source: bool,
    /// Whether it is created compacted.
    pub compacted: bool,
    /// Whether it is a journal: of one partition, and what is written to it stays.
    pub journal: bool,
}

/// Checks that the topics are there and fit, creating missing ones where the configuration allows it. Returns the
/// number of partitions of each.
pub async fn ensure_topics(
    endpoint: &Endpoint,
    specs: &[TopicSpec],
) -> Result<BTreeMap<String, i32>, StreamError> {
    let mut found = partitions(endpoint, specs)?;
    let missing: Vec<&TopicSpec> = specs.iter().filter(|spec| !found.contains_key(&spec.name)).collect();
    if !missing.is_empty() {
        if !endpoint.config().create_topics {
            return Err(StreamError::Topic {
                topic: missing[0].name.clone(),
                message: "does not exist, and kafka.create_topics is false: create it".into(),
            });
        }
        let mut create_with = Vec::new();
        for spec in missing {
            let needed = spec.no_fewer_than.as_ref().and_then(|other| found.get(other)).copied().unwrap_or(1);
            let partitions = spec.partitions.max(needed);
            create_with.push((spec, partitions));
            found.insert(spec.name.clone(), partitions);
        }
        create(endpoint, &create_with).await?;
        for (spec, partitions) in create_with {
            tracing::info!(topic = spec.name, partitions, "created topic");
        }
    }
    if let Some(spec) = specs.iter().find(|spec| spec.journal && found[&spec.name] != 1) {
        let message = format!("has {} partitions, expected one: a journal is one order", found[&spec.name]);
        return Err(StreamError::Topic { topic: spec.name.clone(), message });
    }
    refuse_compacted(endpoint, specs).await?;
    Ok(found)
}

fn partitions(endpoint: &Endpoint, specs: &[TopicSpec]) -> Result<BTreeMap<String, i32>, StreamError> {
    let consumer: BaseConsumer = endpoint.client().create()?;
    let metadata =
        consumer.fetch_metadata(None, endpoint.timeout()).map_err(|error| endpoint.unreachable(error))?;
    Ok(metadata
        .topics()
        .iter()
        .filter(|topic| topic.error().is_none() && specs.iter().any(|spec| spec.name == topic.name()))
        .map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32))
        .collect())
}

async fn create(endpoint: &Endpoint, missing: &[(&TopicSpec, i32)]) -> Result<(), StreamError> {
    let admin: AdminClient<DefaultClientContext> = endpoint.client().create()?;
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|(spec, partitions)| {
            let replication = TopicReplication::Fixed(endpoint.config().replication);
            let topic = NewTopic::new(&spec.name, *partitions, replication);
            match spec {
                TopicSpec { compacted: true, .. } => topic.set("cleanup.policy", "compact"),
                TopicSpec { journal: true, .. } => topic
                    .set("cleanup.policy", "delete")
                    .set("retention.ms", "-1")
                    .set("retention.bytes", "-1"),
                _ => topic,
            }
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(endpoint.timeout()));
    for result in admin.create_topics(&topics, &options).await.map_err(|error| endpoint.unreachable(error))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(StreamError::Topic { topic, message: format!("could not be created: {code}") });
            }
        }
    }
    Ok(())
}

async fn refuse_compacted(endpoint: &Endpoint, specs: &[TopicSpec]) -> Result<(), StreamError> {
    let sources: Vec<&TopicSpec> = specs.iter().filter(|spec| spec.source || spec.journal).collect();
    if sources.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> = endpoint.client().create()?;
    let resources: Vec<ResourceSpecifier<'_>> =
        sources.iter().map(|spec| ResourceSpecifier::Topic(&spec.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(endpoint.timeout()));
    let mut described = admin.describe_configs(&resources, &options).await;
    if matches!(&described, Err(KafkaError::AdminOp(code)) if is_passing(*code)) {
        // A broker that has just come back may be slow to answer once.
        described = admin.describe_configs(&resources, &options).await;
    }
    let described = described.map_err(|error| endpoint.unreachable(error))?;
    for (spec, config) in sources.iter().zip(described) {
        let config = match config {
            Ok(config) => config,
            Err(code) => {
                let topic = &spec.name;
                tracing::warn!(topic, %code, "cannot see whether the topic is compacted: its cleanup.policy is not told");
                continue;
            }
        };
        let value = |name: &str| config.get(name).and_then(|entry| entry.value.clone()).unwrap_or_default();
        let (policy, retention) = (value("cleanup.policy"), value("retention.ms"));
        if spec.journal && retention != "-1" {
            let topic = &spec.name;
            tracing::warn!(
                topic,
                retention,
                "retention.ms is not -1: Kafka will remove entries that recovery needs"
            );
        }
        if policy.contains("compact") {
            return Err(StreamError::Topic {
                topic: spec.name.clone(),
                message: format!(
                    "has cleanup.policy={policy}: a compacted topic loses records that the journal names; use delete"
                ),
            });
        }
    }
    Ok(())
}

/// Deletes the records of a partition before `offset`. Blocks.
pub fn delete_before(
    endpoint: &Endpoint,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<(), StreamError> {
    let admin: AdminClient<DefaultClientContext> = endpoint.client().create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    let options = AdminOptions::new().operation_timeout(Some(endpoint.timeout()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StreamError::Topic {
        topic: topic.to_owned(),
        message: format!("records could not be deleted: {error}"),
    })?;
    let deleted = runtime.block_on(admin.delete_records(&list, &options))?;
    match deleted.elements_for_topic(topic).iter().find_map(|element| element.error().err()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
