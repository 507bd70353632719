//! `config/` is what the types say: the annotated reference names every key with its meaning, range, default and change
//! class, and each shipped file is valid.

use std::collections::BTreeMap;

use super::check::{Node, Value, expected, parse};
use super::json_schema::{Leaf, NAME, leaves};
use super::{Config, LearnerKind, Task};

const REFERENCE: &str = include_str!("../../config/reference.toml");
const DEMO: &str = include_str!("../../config/demo.toml");
const ELEC2: &str = include_str!("../../config/elec2.toml");
const SEA_ABRUPT: &str = include_str!("../../config/sea_abrupt.toml");

/// Shown with other values than their defaults, since a file with these would be none.
const SHOWN_OTHERWISE: [&str; 1] = ["pipeline.example.schema.classes"];

/// What stands above a key in the reference, and whether the key is behind a `#`.
struct Entry {
    comment: String,
    off: bool,
}

/// The reference's entries by dotted path; maps and sections have that of their header.
fn entries() -> BTreeMap<String, Entry> {
    let (mut entries, mut section, mut comment) = (BTreeMap::new(), String::new(), String::new());
    for line in REFERENCE.lines() {
        let off = line.starts_with('#') && line[1..].starts_with(char::is_alphabetic);
        let code = if off { &line[1..] } else { line };
        if let Some(text) = code.strip_prefix("# ") {
            comment.extend([text.trim(), " "]);
            continue;
        }
        let path = if let Some(header) = code.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
            section.clone()
        } else if let Some((key, _)) = code.split_once(" = ") {
            format!("{section}.{key}")
        } else {
            comment.clear();
            continue;
        };
        let entry = Entry { comment: std::mem::take(&mut comment), off };
        assert!(entries.insert(path.clone(), entry).is_none(), "{path} is there twice");
    }
    entries
}

fn example(leaf: &Leaf) -> Vec<&'static str> {
    leaf.path.iter().map(|part| if *part == NAME { "example" } else { part }).collect()
}

/// Whether `node` is the default; 0 is the "never" of a period that has none.
fn is_default(node: &Node, default: &serde_json::Value) -> bool {
    match (&node.value, default) {
        (Value::Whole(0), serde_json::Value::Null) => true,
        (Value::Whole(whole), serde_json::Value::Number(number)) => number.as_i128() == Some(*whole),
        _ => node.to_json() == *default,
    }
}

#[test]
fn the_reference_explains_every_key_with_meaning_range_and_change_class() {
    let entries = entries();
    for leaf in leaves() {
        let path = example(&leaf).join(".");
        let Some(Entry { comment, .. }) = entries.get(&path) else {
            panic!("{path} is not in the reference")
        };
        let meaning = leaf.key.description().split_whitespace().collect::<Vec<_>>().join(" ");
        for part in
            [meaning, format!("Takes {}", expected(leaf.key)), format!("change: {}.", leaf.key.change())]
        {
            assert!(comment.contains(&part), "{path}: {part:?} is not in {comment:?}");
        }
        for word in leaf.key.words() {
            assert!(comment.contains(&format!("{word:?}")), "{path}: {word:?} is not explained");
        }
    }
}

#[test]
fn the_reference_shows_every_default_and_keys_without_one_as_comments() {
    let (entries, root) = (entries(), parse(REFERENCE).unwrap());
    for leaf in leaves() {
        let (path, key) = (example(&leaf), leaf.path.join("."));
        let dotted = path.join(".");
        match (root.find(&path), leaf.key.default()) {
            (None, default) => {
                assert!(entries[&dotted].off, "{key} is not there");
                assert!(
                    default.is_some_and(serde_json::Value::is_null),
                    "{key} is off, but has the default {default:?}"
                );
            }
            (Some(_), None) => assert!(entries[&dotted].comment.contains("required"), "{key} has no default"),
            (Some(_), _) if SHOWN_OTHERWISE.contains(&dotted.as_str()) => {}
            (Some(node), Some(default)) => {
                assert!(is_default(node, default), "{key}: {node} is shown, not {default}")
            }
        }
    }
}

#[test]
fn the_reference_has_no_key_that_the_program_does_not_know() {
    let known: Vec<String> = leaves().iter().map(|leaf| example(leaf).join(".")).collect();
    for path in entries().into_keys() {
        let of_a_key = |known: &String| *known == path || path.starts_with(&format!("{known}."));
        let section = known.iter().any(|known| known.starts_with(&format!("{path}.")));
        assert!(section || known.iter().any(of_a_key), "{path} is in the reference only");
    }
}

#[test]
fn the_reference_with_all_its_keys_is_a_valid_file() {
    let config = Config::parse(REFERENCE, []).unwrap();
    let with_label_in_events: Vec<_> = REFERENCE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(code) if code.starts_with(char::is_alphabetic) => code,
            _ => line,
        })
        .collect();
    // Keys that exclude one another, and nothing else, keep the file from being valid with every key in it.
    let error = Config::parse(&with_label_in_events.join("\n"), []).unwrap_err();
    assert_eq!(error.faults().len(), 1, "{error}");
    assert_eq!(error.faults()[0].key, "pipeline.example.events.label");
    assert_eq!(config.pipeline["example"].model, Default::default());
}

#[test]
fn every_shipped_file_is_valid_and_none_of_the_streams_is_scored_by_another_task() {
    for (file, name, features) in [(DEMO, "elec2", 8), (ELEC2, "elec2", 8), (SEA_ABRUPT, "sea_abrupt", 3)] {
        let config = Config::parse(file, []).unwrap_or_else(|error| panic!("{name}: {error}"));
        let pipeline = &config.pipeline[name];
        assert_eq!(config.pipeline.len(), 1);
        assert_eq!(pipeline.schema.task, Task::Binary);
        assert_eq!(pipeline.schema.classes, ["0", "1"]);
        assert_eq!(pipeline.schema.features.len(), features);
        assert_eq!(pipeline.model.learner, LearnerKind::Linear);
        assert_eq!(pipeline.events.id.as_deref(), Some("id"));
    }
}

#[test]
fn the_demo_and_the_service_learn_the_same_from_the_same_stream() {
    let [demo, service] =
        [DEMO, ELEC2].map(|file| Config::parse(file, []).unwrap().pipeline["elec2"].clone());
    assert_eq!(demo.schema, service.schema);
    assert_eq!(demo.model, service.model);
    assert_eq!(demo.events, service.events);
    assert_eq!(demo.labels, service.labels);
    assert_eq!(demo.outputs, service.outputs);
    assert_eq!(demo.monitor, service.monitor);
}
