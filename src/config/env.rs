//! Environment variables over the file: `TIDEWHEEL_PIPELINE__ELEC2__BATCH__MAX_ROWS=500`.

use super::check::{Fault, Node, Origin, Value, nearest_word, parse_value};
use super::json_schema::{Key, Kind, NAME, leaves};

const PREFIX: &str = "TIDEWHEEL_";
const BETWEEN: &str = "__";

/// Sets the keys that variables name; the faults are those of variables that name none.
///
/// Parts of a name are compared without case, and with `_` for `-` and `.`, so that every key can be named from a
/// shell. The values themselves are checked with the file's.
pub(super) fn lay_over(root: &mut Node, env: impl IntoIterator<Item = (String, String)>) -> Vec<Fault> {
    let mut variables: Vec<_> = env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    let mut faults = Vec::new();
    for (name, text) in variables.into_iter().filter(|(name, text)| !is_kubernetes_link(name, text)) {
        let parts: Vec<_> = name[PREFIX.len()..].split(BETWEEN).collect();
        match resolve(root, &parts) {
            Ok((path, key)) if !matches!(key.kind(), Kind::Section | Kind::Map) => {
                set(root, &path, value_of(&text, key, &Origin::Variable(name)));
            }
            Ok(_) => faults.push(unknown(root, &name, "names a section, not a key")),
            Err(problem) => faults.push(unknown(root, &name, problem)),
        }
    }
    faults
}

/// Kubernetes sets such variables in every pod beside a service that is called `tidewheel…`: they are not meant for us.
fn is_kubernetes_link(name: &str, value: &str) -> bool {
    let address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let numbered =
        name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    !name.contains(BETWEEN)
        && (name.ends_with("SERVICE_HOST")
            || name.ends_with("SERVICE_PORT")
            || name.contains("SERVICE_PORT_")
            || numbered
            || (name.ends_with("_PORT") && address))
}

/// The path and the key that the parts of a variable's name mean.
fn resolve(root: &Node, parts: &[&str]) -> Result<(Vec<String>, Key<'static>), &'static str> {
    let (mut key, mut path) = (Key::root(), Vec::<String>::new());
    for part in parts {
        let (name, next) = match (key.kind(), key.inner()) {
            (Kind::Section, _) => {
                let found = key.keys().find(|(name, _)| same(name, part)).ok_or("names no key")?;
                (found.0.to_owned(), found.1)
            }
            (Kind::Map, Some(inner)) => (entry(root, &path, part, inner)?, inner),
            _ => return Err("names something below a key"),
        };
        path.push(name);
        key = next;
    }
    Ok((path, key))
}

/// The entry of a map that a part means: one of the file's, or a new property of librdkafka, whose names have dots.
fn entry(root: &Node, path: &[String], part: &str, inner: Key<'_>) -> Result<String, &'static str> {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    let written = root.find(&path);
    let names = match written.map(|node| &node.value) {
        Some(Value::Table(table)) => table.keys().filter(|name| same(name, part)).collect(),
        _ => Vec::new(),
    };
    match names[..] {
        [name] => Ok(name.clone()),
        [] if inner.kind() == Kind::Text => Ok(part.to_lowercase().replace('_', ".")),
        [] => Err("names no entry of the file"),
        _ => names.into_iter().find(|name| *name == part).cloned().ok_or("names several entries of the file"),
    }
}

fn same(name: &str, part: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '.'], "_");
    plain(name) == plain(part)
}

/// What the text means for the key; text that is no such value stays text, and the check refuses it. None unsets.
fn value_of(text: &str, key: Key<'_>, origin: &Origin) -> Option<Node> {
    let plain = || Value::Text(text.to_owned());
    let trimmed = text.trim();
    let value = match key.kind() {
        Kind::Text | Kind::Word if text.is_empty() && key.optional => return None,
        Kind::Whole => trimmed.replace('_', "").parse().map_or_else(|_| plain(), Value::Whole),
        Kind::Number => trimmed.replace('_', "").parse().map_or_else(|_| plain(), Value::Number),
        Kind::Bool => trimmed.to_lowercase().parse().map_or_else(|_| plain(), Value::Bool),
        Kind::List if trimmed.starts_with('[') => match parse_value(trimmed, origin) {
            Some(node) => node.value,
            None => plain(),
        },
        Kind::List => {
            let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::List(items.filter_map(|item| value_of(item, key.inner()?, origin)).collect())
        }
        _ => plain(),
    };
    Some(Node { origin: origin.clone(), value })
}

/// Puts the node at `path`, with the sections that are missing on the way; none takes away what is there.
fn set(root: &mut Node, path: &[String], node: Option<Node>) {
    let (Value::Table(table), Some((name, rest))) = (&mut root.value, path.split_first()) else {
        // A section that the file wrote as something else: the check refuses it.
        return;
    };
    match (node, rest.is_empty()) {
        (None, true) => drop(table.remove(name)),
        (Some(node), true) => drop(table.insert(name.clone(), node)),
        (None, false) => {
            if let Some(inner) = table.get_mut(name) {
                set(inner, rest, None);
            }
        }
        (Some(node), false) => {
            let section = || Node { origin: node.origin.clone(), value: Value::Table(Default::default()) };
            let inner = table.entry(name.clone()).or_insert_with(section);
            set(inner, rest, Some(node));
        }
    }
}

fn unknown(root: &Node, name: &str, problem: &str) -> Fault {
    let names = names(root);
    Fault::new(&[name], Origin::Unwritten, "TIDEWHEEL_ and the key's path, its levels separated by __")
        .problem(problem)
        .nearest(nearest_word(name, names.iter().map(String::as_str)))
}

/// The variables of all keys, for the pipelines that the file has.
fn names(root: &Node) -> Vec<String> {
    let pipelines: Vec<&str> = match root.find(&["pipeline"]).map(|node| &node.value) {
        Some(Value::Table(table)) => table.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let variable =
        |path: &[&str]| format!("{PREFIX}{}", path.join(BETWEEN).to_uppercase().replace(['-', '.'], "_"));
    let mut names = Vec::new();
    for leaf in leaves() {
        match leaf.path.iter().position(|part| *part == NAME) {
            None => names.push(variable(&leaf.path)),
            Some(at) => names.extend(pipelines.iter().map(|pipeline| {
                let mut path = leaf.path.clone();
                path[at] = pipeline;
                variable(&path)
            })),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::config::check::fixture;
    use crate::config::{Config, ConfigError};

    fn with(env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let text = format!(
            "{}\n[kafka.properties]\n\"security.protocol\" = \"ssl\"\n",
            fixture().replace("pipeline.x", "pipeline.elec-2")
        );
        Config::parse(&text, env.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    fn fault(name: &str, value: &str) -> String {
        let error = with(&[(name, value)]).unwrap_err();
        assert_eq!(error.faults().len(), 1, "{error}");
        error.faults()[0].to_string()
    }

    #[test]
    fn a_variable_sets_a_key_of_any_type_whether_its_section_is_in_the_file_or_not() {
        let config = with(&[
            ("TIDEWHEEL_KAFKA__BROKERS", "a:1,b:2"),
            ("TIDEWHEEL_KAFKA__CREATE_TOPICS", "false"),
            ("TIDEWHEEL_PIPELINE__ELEC_2__BATCH__MAX_ROWS", "1_500"),
            ("TIDEWHEEL_PIPELINE__elec-2__MODEL__LINEAR__RATE", "1"),
            ("TIDEWHEEL_PIPELINE__ELEC_2__MODEL__MLP__HIDDEN", "64, 16"),
            ("TIDEWHEEL_PIPELINE__ELEC_2__SCHEMA__CLASSES", "[\"no\", \"yes\"]"),
            ("TIDEWHEEL_PIPELINE__ELEC_2__BATCHING", "fixed"),
            ("TIDEWHEEL_PIPELINE__ELEC_2__VERSION__EVERY_MS", "0"),
            ("OTHER_KAFKA__BROKERS", "c:3"),
        ])
        .unwrap();
        let pipeline = &config.pipeline["elec-2"];
        assert_eq!(config.kafka.brokers, "a:1,b:2");
        assert!(!config.kafka.create_topics);
        assert_eq!(pipeline.batch.max_rows, 1_500);
        assert_eq!(pipeline.model.linear.rate, 1.0);
        assert_eq!(pipeline.model.mlp.hidden, [64, 16]);
        assert_eq!(pipeline.schema.classes, ["no", "yes"]);
        assert_eq!(pipeline.batching, crate::config::Batching::Fixed);
        assert_eq!(pipeline.version.every_ms, None);
    }

    #[test]
    fn properties_of_librdkafka_are_named_with_underscores_for_dots() {
        let config = with(&[
            ("TIDEWHEEL_KAFKA__PROPERTIES__SECURITY_PROTOCOL", "sasl_ssl"),
            ("TIDEWHEEL_KAFKA__PROPERTIES__SASL_PASSWORD", "hunter2"),
        ])
        .unwrap();
        assert_eq!(config.kafka.properties["security.protocol"], "sasl_ssl");
        assert_eq!(config.kafka.properties["sasl.password"], "hunter2");
        assert_eq!(config.kafka.properties.len(), 2);
    }

    #[test]
    fn an_empty_text_unsets_an_optional_key() {
        assert_eq!(with(&[]).unwrap().pipeline["elec-2"].events.id.as_deref(), Some("id"));
        assert_eq!(
            with(&[("TIDEWHEEL_PIPELINE__ELEC_2__EVENTS__ID", "")]).unwrap().pipeline["elec-2"].events.id,
            None
        );
    }

    #[test]
    fn a_variable_that_names_no_key_is_a_fault_with_the_nearest_one() {
        for (wrong, right) in [
            ("TIDEWHEEL_KAFKA_BROKERS", "TIDEWHEEL_KAFKA__BROKERS"),
            ("TIDEWHEEL_PIPELINE__ELEC2__BATCH__MAX_ROWS", "TIDEWHEEL_PIPELINE__ELEC_2__BATCH__MAX_ROWS"),
            ("TIDEWHEEL_PIPELINE__ELEC_2__BATCH__MAX_ROW", "TIDEWHEEL_PIPELINE__ELEC_2__BATCH__MAX_ROWS"),
            ("TIDEWHEEL_DATA__DIR__NAME", "TIDEWHEEL_DATA__DIR"),
        ] {
            let fault = fault(wrong, "hunter2");
            assert!(fault.starts_with(wrong), "{fault}");
            assert!(fault.ends_with(&format!("did you mean \"{right}\"?")), "{fault}");
            assert!(
                !fault.contains("hunter2"),
                "the value of a variable that is not ours is not shown: {fault}"
            );
        }
        assert!(fault("TIDEWHEEL_PIPELINE__ELEC_2__BATCH", "1").contains("names a section, not a key"));
    }

    #[test]
    fn a_wrong_value_is_a_fault_of_its_key_that_names_the_variable() {
        assert_eq!(
            fault("TIDEWHEEL_PIPELINE__ELEC_2__BATCH__MAX_ROWS", "many"),
            "pipeline.elec-2.batch.max_rows = \"many\" (from TIDEWHEEL_PIPELINE__ELEC_2__BATCH__MAX_ROWS): \
             expected a whole number from 1 to 100000"
        );
    }

    #[test]
    fn two_pipelines_of_like_names_are_told_apart_by_case_or_refused() {
        let two = fixture() + &fixture().replace("pipeline.x", "pipeline.X").replace("\"x.", "\"X.");
        let set = |name: &str| {
            let env = [(format!("TIDEWHEEL_PIPELINE__{name}__BATCH__MAX_ROWS"), "7".to_string())];
            Config::parse(&two, env).map(|config| config.pipeline["X"].batch.max_rows)
        };
        assert_eq!(set("X").unwrap(), 7);
        assert_eq!(set("x").unwrap(), 1_000);
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_of_our_name_is_left_alone() {
        with(&[
            ("TIDEWHEEL_SERVICE_HOST", "10.0.0.1"),
            ("TIDEWHEEL_SERVICE_PORT", "8080"),
            ("TIDEWHEEL_SERVICE_PORT_HTTP", "8080"),
            ("TIDEWHEEL_PORT", "tcp://10.0.0.1:8080"),
            ("TIDEWHEEL_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("TIDEWHEEL_SERVE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ])
        .unwrap();
        fault("TIDEWHEEL_HTTP_PORT", "8080");
    }
}
