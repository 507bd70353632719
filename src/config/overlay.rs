//! One pipeline's configuration with settings of a command line laid over its model.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::check::{Fault, Node, Origin, Value, config_of, parse, parse_lines};
use super::{ConfigError, LearnerKind, PipelineConfig, SchemaConfig, env};

/// Settings of a command line.
#[derive(Debug, Clone, Default)]
pub struct Overlay<'a> {
    /// `model.learner`, by name.
    pub learner: Option<&'a str>,
    /// Lines of TOML under `model`, such as `knn.k = 1`.
    pub model: &'a [String],
}

impl Overlay<'_> {
    /// The one pipeline of a configuration file, with the settings over it, and its name.
    ///
    /// # Errors
    /// As [`Config::load`](super::Config::load), and where the file has not just one pipeline.
    pub fn load(
        &self,
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(String, PipelineConfig), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let read = || {
            let mut root = parse(&text)?;
            let faults = env::lay_over(&mut root, environment);
            if !faults.is_empty() {
                return Err(faults);
            }
            let names: Vec<String> = match root.find(&["pipeline"]).map(|node| &node.value) {
                Some(Value::Table(table)) => table.keys().cloned().collect(),
                _ => Vec::new(),
            };
            let [name] = &names[..] else {
                let fault = Fault::whole(Origin::Unwritten, "just one [pipeline.NAME]");
                return Err(vec![fault.problem(format!("{} pipelines", names.len()))]);
            };
            self.finish(root, name)
        };
        read().map_err(|faults| ConfigError::Faults { path: Some(path.into()), faults })
    }

    /// A pipeline of that name for a schema alone, with the settings over its defaults. Its topics are names that
    /// nothing reads or writes.
    ///
    /// # Errors
    /// Settings that do not fit the schema or name no key, and schemas that no pipeline may have.
    pub fn of_schema(
        &self,
        name: &str,
        schema: &SchemaConfig,
        default: LearnerKind,
    ) -> Result<PipelineConfig, ConfigError> {
        let topic = |end: &str| format!("{name}.{end}");
        let value = json!({ "pipeline": { name: {
            "events": { "topic": topic("events") },
            "labels": { "topic": topic("labels") },
            "outputs": {
                "predictions": topic("predictions"),
                "alerts": topic("alerts"),
                "dead_letters": topic("dead_letters"),
            },
            "schema": schema,
            "model": { "learner": default.name() },
        } } });
        self.finish(node(&value), name)
            .map(|(_, pipeline)| pipeline)
            .map_err(|faults| ConfigError::Faults { path: None, faults })
    }

    fn finish(&self, mut root: Node, name: &str) -> Result<(String, PipelineConfig), Vec<Fault>> {
        let mut lay = |model: Node| root.lay_over(under(&["pipeline", name, "model"], model));
        for line in self.model {
            lay(parse_lines(line, &Origin::Argument(format!("--set {line:?}")))?);
        }
        if let Some(learner) = self.learner {
            let origin = Origin::Argument("--learner".into());
            lay(under(&["learner"], Node { origin, value: Value::Text(learner.into()) }));
        }
        let mut config = config_of(&root)?;
        let pipeline = config.pipeline.remove(name).expect("the tree has a pipeline of that name");
        Ok((name.to_owned(), pipeline))
    }
}

/// A tree with `node` at `path` and nothing else.
fn under(path: &[&str], node: Node) -> Node {
    path.iter().rev().fold(node, |node, part| Node {
        origin: node.origin.clone(),
        value: Value::Table(BTreeMap::from([((*part).to_owned(), node)])),
    })
}

fn node(json: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let value = match json {
        Json::Null => Value::Table(BTreeMap::new()),
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i128() {
            Some(whole) => Value::Whole(whole),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(node).collect()),
        Json::Object(map) => {
            Value::Table(map.iter().map(|(name, value)| (name.clone(), node(value))).collect())
        }
    };
    Node { origin: Origin::Unwritten, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ColumnKind, Task};

    fn schema(task: Task) -> SchemaConfig {
        let classes = if task == Task::Binary { vec!["a".into(), "b".into()] } else { Vec::new() };
        let features = BTreeMap::from([("price of, \"x\"".into(), ColumnKind::Numeric)]);
        SchemaConfig { task, features, classes, classes_max: 32 }
    }

    fn of_schema(task: Task, learner: Option<&str>, model: &[&str]) -> Result<PipelineConfig, String> {
        let model: Vec<String> = model.iter().map(|line| (*line).into()).collect();
        let overlay = Overlay { learner, model: &model };
        overlay.of_schema("replay", &schema(task), LearnerKind::Linear).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_laid_over_the_defaults() {
        let plain = of_schema(Task::Binary, None, &[]).unwrap();
        assert_eq!((plain.model.learner, plain.schema), (LearnerKind::Linear, schema(Task::Binary)));
        let set =
            of_schema(Task::Binary, Some("knn"), &["knn.k = 1", "seed = 7", "knn.window = 500"]).unwrap();
        assert_eq!((set.model.learner, set.model.seed), (LearnerKind::Knn, 7));
        assert_eq!((set.model.knn.k, set.model.knn.window), (1, 500));
        assert_eq!(
            of_schema(Task::Binary, None, &["learner = \"arf\""]).unwrap().model.learner,
            LearnerKind::Arf
        );
    }

    #[test]
    fn a_wrong_setting_is_named_with_the_argument_and_the_nearest_word() {
        for (task, learner, model, parts) in [
            (
                Task::Binary,
                Some("kn"),
                "",
                ["model.learner = \"kn\" (from --learner)", "did you mean \"knn\"?"],
            ),
            (
                Task::Binary,
                None,
                "knn.windw = 1",
                ["model.knn.windw = 1 (from --set \"knn.windw = 1\")", "did you mean \"window\"?"],
            ),
            (Task::Binary, None, "knn.k = 0", ["model.knn.k = 0 (from --set", "a whole number from 1"]),
            (Task::Binary, None, "knn.k =", ["the file (from --set \"knn.k =\")", "valid TOML"]),
            (Task::Regression, Some("majority"), "", ["no classes to count in a regression", "\"mean\""]),
        ] {
            let model: Vec<&str> = Some(model).filter(|line| !line.is_empty()).into_iter().collect();
            let error = of_schema(task, learner, &model).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{part:?} is not in {error:?}");
            }
        }
    }

    #[test]
    fn a_file_with_one_pipeline_gives_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        let overlay = Overlay { learner: Some("arf"), model: &[] };
        let text = crate::config::check::fixture();
        std::fs::write(&file, &text).unwrap();
        let (name, pipeline) = overlay.load(&file, []).unwrap();
        assert_eq!((name.as_str(), pipeline.model.learner), ("x", LearnerKind::Arf));
        std::fs::write(
            &file,
            text.clone() + &text.replace("pipeline.x", "pipeline.z").replace("\"x.", "\"z."),
        )
        .unwrap();
        let error = overlay.load(&file, []).unwrap_err().to_string();
        assert!(error.contains("2 pipelines, expected just one"), "{error}");
    }
}
