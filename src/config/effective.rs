//! The part of a configuration that the state depends on, and what a change of it means.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json_schema::{NAME, leaves, sorted};
use super::{Config, DriftResponse, LearnerKind, ModelConfig, PipelineConfig};

impl PipelineConfig {
    /// Every key of the pipeline with its value, defaults included, keys sorted at every level; what an `epoch` entry
    /// holds. Brokers, properties (and so secrets), folders and HTTP are no part of it. Its text is canonical: the
    /// config digest is taken over it. `serde_json::from_value` makes the pipeline's configuration of it again.
    pub fn effective_json(&self) -> Value {
        sorted(serde_json::to_value(self).expect("a configuration has text keys and finite numbers only"))
    }
}

impl Config {
    /// [`PipelineConfig::effective_json`] of a pipeline; none if there is no such pipeline.
    pub fn effective_pipeline_json(&self, name: &str) -> Option<Value> {
        self.pipeline.get(name).map(PipelineConfig::effective_json)
    }
}

/// The keys of class `reset` whose values differ, `model.learner`: the state was made for the old ones, so that a
/// process with the new ones cannot go on with it. Sections of learners that neither configuration uses do not count.
pub fn change_class(old: &PipelineConfig, new: &PipelineConfig) -> Vec<String> {
    let (old_keys, new_keys) = (reset_keys(old), reset_keys(new));
    let unused = |path: &str| !old_keys.contains_key(path) || !new_keys.contains_key(path);
    let mut changed: Vec<String> = Vec::new();
    for path in old_keys.keys().chain(new_keys.keys()) {
        // A learner's section comes and goes with `model.learner`, which is named then.
        let is_section = path.strip_prefix("model.").is_some_and(|rest| rest.contains('.'));
        let moved = is_section && unused(path);
        if !moved && old_keys.get(path) != new_keys.get(path) && !changed.contains(path) {
            changed.push(path.clone());
        }
    }
    changed.sort_unstable();
    changed
}

/// What a state is made for, as text: every key of class `reset` that counts, with its value. Where it is the same,
/// [`change_class`] names no key.
pub fn made_for(config: &PipelineConfig) -> String {
    serde_json::to_string(&reset_keys(config)).expect("values of a configuration are JSON")
}

/// The keys of class `reset` that are set, without the sections of learners that are not used.
fn reset_keys(config: &PipelineConfig) -> BTreeMap<String, Value> {
    let effective = config.effective_json();
    let mut keys = BTreeMap::new();
    for leaf in leaves() {
        let ["pipeline", NAME, path @ ..] = &leaf.path[..] else {
            continue;
        };
        if leaf.key.change() != "reset"
            || matches!(path, ["model", section, key, ..] if !counts(&config.model, section, key))
        {
            continue;
        }
        // A section that is not there has keys that are not there.
        let value = path.iter().try_fold(&effective, |value: &Value, key| value.get(key));
        if let Some(value) = value.filter(|value| !value.is_null()) {
            keys.insert(path.join("."), value.clone());
        }
    }
    keys
}

/// Whether a key of a section of the model has to do with what is learned.
fn counts(model: &ModelConfig, section: &str, key: &str) -> bool {
    if section == "adapt" {
        return key == "response" || model.adapt.response != DriftResponse::None;
    }
    let races = model.learner == LearnerKind::Race && section == model.race.learner.section();
    section == model.learner.section() || races
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ColumnKind;
    use crate::config::check::fixture;

    fn config(text: &str) -> Config {
        Config::parse(text, []).unwrap()
    }

    fn pipeline() -> PipelineConfig {
        config(&fixture()).pipeline["x"].clone()
    }

    #[test]
    fn connection_settings_and_secrets_do_not_change_the_effective_configuration() {
        let plain = config(&fixture());
        let connected = config(&format!(
            "[kafka]\nbrokers = \"k:1\"\nproperties = {{\"sasl.password\" = \"hunter2\"}}\n[http]\nworkers = 2\n\
             [data]\ndir = \"elsewhere\"\n[log]\nlevel = \"debug\"\n{}",
            fixture()
        ));
        let (plain, connected) = (plain.effective_pipeline_json("x"), connected.effective_pipeline_json("x"));
        assert_eq!(plain, connected);
        assert!(!connected.unwrap().to_string().contains("hunter2"));
        assert_eq!(config(&fixture()).effective_pipeline_json("y"), None);
    }

    #[test]
    fn the_effective_configuration_is_sorted_text_that_reads_back_as_itself() {
        let pipeline = pipeline();
        let text = pipeline.effective_json().to_string();
        assert!(
            text.starts_with(r#"{"batch":{"max_rows":1000,"max_wait_ms":5},"batching":"arrival","cache":{"#),
            "{text}"
        );
        assert!(
            text.contains(r#""linear":{"l2":0.0,"rate":0.02,"step":"constant"}"#),
            "f32 as written: {text}"
        );
        assert_eq!(serde_json::from_str::<PipelineConfig>(&text).unwrap(), pipeline);
    }

    #[test]
    fn every_f32_reads_back_as_itself() {
        let mut pipeline = pipeline();
        for rate in [0.3_f32, 0.1, 1e-7, 1.0 / 3.0, f32::MIN_POSITIVE, 99.999_99] {
            pipeline.model.linear.rate = rate;
            let back: PipelineConfig = serde_json::from_value(pipeline.effective_json()).unwrap();
            assert_eq!(back.model.linear.rate.to_bits(), rate.to_bits());
        }
    }

    #[test]
    fn only_changed_reset_keys_are_named() {
        let old = pipeline();
        let mut new = old.clone();
        new.batch.max_rows = 1;
        new.monitor.quality.threshold = 0.9;
        assert_eq!(change_class(&old, &new), Vec::<String>::new());
        new.model.learner = LearnerKind::Mlp;
        new.events.id = None;
        new.schema.features.insert("more".into(), ColumnKind::Numeric);
        assert_eq!(change_class(&old, &new), ["events.id", "model.learner", "schema.features"]);
    }

    #[test]
    fn the_section_of_a_learner_that_is_not_used_does_not_count() {
        let old = pipeline();
        let mut new = old.clone();
        new.model.mlp.rate = 0.5;
        assert_eq!(change_class(&old, &new), Vec::<String>::new());
        assert_eq!(made_for(&old), made_for(&new));
        new.model.linear.rate = 0.5;
        assert_eq!(change_class(&old, &new), ["model.linear.rate"]);
        assert_ne!(made_for(&old), made_for(&new));
        new.model.learner = LearnerKind::Mlp;
        assert_eq!(change_class(&old, &new), ["model.learner"]);
    }

    #[test]
    fn what_races_counts_and_what_answers_drift_where_it_is_answered() {
        let old = pipeline();
        let mut new = old.clone();
        new.model.adapt.drift_delta = 0.5;
        assert_eq!(change_class(&old, &new), Vec::<String>::new());
        new.model.adapt.response = DriftResponse::Reset;
        assert_eq!(change_class(&old, &new), ["model.adapt.response"]);
        let mut racing = old.clone();
        racing.model.learner = LearnerKind::Race;
        let mut other = racing.clone();
        (other.model.linear.rate, other.model.knn.k, other.model.race.live) = (0.5, 9, 3);
        assert_eq!(change_class(&racing, &other), ["model.linear.rate", "model.race.live"]);
    }

    #[test]
    fn labels_that_move_from_their_topic_into_the_event_are_a_reset() {
        let old = pipeline();
        let new = PipelineConfig { labels: None, ..old.clone() };
        assert_eq!(change_class(&old, &new), ["labels.topic"]);
    }
}
