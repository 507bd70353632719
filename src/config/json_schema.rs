//! The JSON Schema of the configuration, generated from its types; whatever checks, overrides or explains keys walks it.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Config;

/// Extension that says when a changed key takes effect: `restart` (at the next epoch) or `reset` (refused, since the
/// state was made for the old value). No key is `live`: the file is read once, at start.
const CHANGE: &str = "x-tidewheel-change";

/// Stands for the name of a pipeline in the path of a [`Leaf`].
pub(super) const NAME: &str = "NAME";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::schema_for!(Config).to_value();
    schema["title"] = "Tidewheel configuration".into();
    let mut marks = Vec::new();
    collect_marks(Key::of(&schema, &schema), "restart", &mut marks);
    for (pointer, change) in marks {
        schema.pointer_mut(&pointer).expect("the pointer was just walked")[CHANGE] = change.into();
    }
    sorted(schema)
});

impl Config {
    /// JSON Schema (draft 2020-12) of the whole file; each key that is no section has `x-tidewheel-change`.
    pub fn json_schema() -> Value {
        SCHEMA.clone()
    }
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Fixed keys.
    Section,
    /// Keys of the user's own.
    Map,
    List,
    /// One of some words.
    Word,
    Text,
    Whole,
    Number,
    Bool,
}

/// A key of the schema: its own annotations, and the type that they are about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    root: &'a Value,
    own: &'a Value,
    target: &'a Value,
    /// May be left out, and then is "none".
    pub optional: bool,
}

/// A key that is no section, with its path; the names of pipelines are [`NAME`].
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub path: Vec<&'static str>,
    pub key: Key<'static>,
}

impl Key<'static> {
    pub fn root() -> Self {
        Self::of(&SCHEMA, &SCHEMA)
    }
}

impl<'a> Key<'a> {
    fn of(root: &'a Value, own: &'a Value) -> Self {
        let mut key = Self { root, own, target: own, optional: false };
        if let Some(choices) = own["anyOf"].as_array() {
            key.optional = choices.iter().any(|choice| choice["type"] == "null");
            key.target = choices.iter().find(|choice| choice["type"] != "null").unwrap_or(own);
        }
        if let Some(pointer) = key.target["$ref"].as_str() {
            key.target =
                root.pointer(pointer.trim_start_matches('#')).expect("schemars writes what it refers to");
        }
        key.optional |= key.types().any(|name| name == "null");
        key
    }

    /// Pointer of the definition of the key's type, where it has a definition.
    fn definition(&self) -> Option<&'a str> {
        let choice =
            self.own["anyOf"].as_array().and_then(|all| all.iter().find(|one| one["$ref"].is_string()));
        choice.unwrap_or(self.own)["$ref"].as_str().map(|pointer| pointer.trim_start_matches('#'))
    }

    fn types(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = &self.target["type"];
        names.as_array().into_iter().flatten().chain([names]).filter_map(Value::as_str)
    }

    /// A keyword of the key itself, or of its type.
    fn keyword(&self, name: &str) -> Option<&'a Value> {
        self.own.get(name).or_else(|| self.target.get(name))
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.keyword(name).and_then(Value::as_f64)
    }

    pub fn kind(&self) -> Kind {
        if self.target["properties"].is_object() {
            return Kind::Section;
        }
        if self.target["enum"].is_array() || self.target["oneOf"].is_array() {
            return Kind::Word;
        }
        match self.types().find(|name| *name != "null") {
            Some("object") => Kind::Map,
            Some("array") => Kind::List,
            Some("integer") => Kind::Whole,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Bool,
            _ => Kind::Text,
        }
    }

    /// Whether numbers are kept as `f32`.
    pub fn is_f32(&self) -> bool {
        self.keyword("format").is_some_and(|format| format == "float")
    }

    /// The words that a [`Kind::Word`] takes.
    pub fn words(&self) -> Vec<&'a str> {
        let plain = self.target["enum"].as_array().into_iter().flatten();
        let described = self.target["oneOf"].as_array().into_iter().flatten();
        let described =
            described.flat_map(|one| one["enum"].as_array().into_iter().flatten().chain(one.get("const")));
        plain.chain(described).filter_map(Value::as_str).collect()
    }

    /// The keys of a [`Kind::Section`], by name.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, Key<'a>)> + use<'a> {
        let root = self.root;
        let properties: Option<&Map<_, _>> = self.target["properties"].as_object();
        properties.into_iter().flatten().map(move |(name, own)| (name.as_str(), Self::of(root, own)))
    }

    /// Names of the keys that a section must have.
    pub fn required(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.target["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// What the values of a map, or the items of a list, are.
    pub fn inner(&self) -> Option<Key<'a>> {
        let inner = self.target.get("items").or_else(|| self.target.get("additionalProperties"))?;
        inner.is_object().then(|| Self::of(self.root, inner))
    }

    #[cfg(test)]
    pub fn default(&self) -> Option<&'a Value> {
        self.own.get("default")
    }

    pub fn change(&self) -> &'a str {
        self.own[CHANGE].as_str().unwrap_or_default()
    }

    #[cfg(test)]
    pub fn description(&self) -> &'a str {
        self.keyword("description").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Marks for the leaves below `key`: their own, or what the section around them says.
fn collect_marks<'a>(key: Key<'a>, inherited: &'a str, marks: &mut Vec<(String, &'static str)>) {
    let at = key.definition().unwrap_or_default();
    for (name, child) in key.keys() {
        let change = child.own[CHANGE].as_str().unwrap_or(inherited);
        let inner = if child.kind() == Kind::Map { child.inner() } else { None };
        if let Some(section) =
            [Some(child), inner].into_iter().flatten().find(|key| key.kind() == Kind::Section)
        {
            collect_marks(section, change, marks);
        } else {
            let change = if change == "reset" { "reset" } else { "restart" };
            marks.push((format!("{at}/properties/{name}"), change));
        }
    }
}

/// Sorts keys, whether or not a dependency has switched serde_json to the order of insertion.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Map::from_iter(entries).into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Every key that is no section.
pub(super) fn leaves() -> Vec<Leaf> {
    fn collect(key: Key<'static>, path: &mut Vec<&'static str>, leaves: &mut Vec<Leaf>) {
        for (name, child) in key.keys() {
            path.push(name);
            match (child.kind(), child.inner()) {
                (Kind::Section, _) => collect(child, path, leaves),
                (Kind::Map, Some(inner)) if inner.kind() == Kind::Section => {
                    path.push(NAME);
                    collect(inner, path, leaves);
                    path.pop();
                }
                _ => leaves.push(Leaf { path: path.clone(), key: child }),
            }
            path.pop();
        }
    }
    let mut leaves = Vec::new();
    collect(Key::root(), &mut Vec::new(), &mut leaves);
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_of(path: &str) -> &'static str {
        let leaf = leaves().into_iter().find(|leaf| leaf.path.join(".") == path);
        leaf.unwrap_or_else(|| panic!("no key {path}")).key.change()
    }

    #[test]
    fn every_key_has_a_meaning_and_a_change_class_and_none_claims_to_be_live() {
        let leaves = leaves();
        assert!(leaves.len() > 70, "only {} keys", leaves.len());
        for Leaf { path, key } in leaves {
            assert!(!key.description().is_empty(), "{path:?} has no meaning");
            assert!(["restart", "reset"].contains(&key.change()), "{path:?} has no change class");
        }
    }

    #[test]
    fn what_the_state_was_made_for_is_reset_and_the_rest_is_restart() {
        for path in [
            "pipeline.NAME.schema.task",
            "pipeline.NAME.schema.features",
            "pipeline.NAME.schema.classes_max",
            "pipeline.NAME.model.learner",
            "pipeline.NAME.model.mlp.hidden",
            "pipeline.NAME.events.topic",
            "pipeline.NAME.events.id",
            "pipeline.NAME.events.label",
            "pipeline.NAME.labels.topic",
        ] {
            assert_eq!(change_of(path), "reset", "{path}");
        }
        for path in [
            "data.dir",
            "kafka.properties",
            "pipeline.NAME.events.partitions",
            "pipeline.NAME.labels.partitions",
            "pipeline.NAME.batch.max_rows",
            "pipeline.NAME.monitor.drift.delta",
        ] {
            assert_eq!(change_of(path), "restart", "{path}");
        }
    }

    #[test]
    fn every_number_has_a_lowest_and_a_highest_value_and_a_default_within() {
        for Leaf { path, key } in leaves() {
            let number = if key.kind() == Kind::List { key.inner().unwrap_or(key) } else { key };
            if !matches!(number.kind(), Kind::Whole | Kind::Number) {
                continue;
            }
            let low = number.number("minimum").or(number.number("exclusiveMinimum"));
            let high = number.number("maximum").or(number.number("exclusiveMaximum"));
            let (Some(low), Some(high)) = (low, high) else { panic!("{path:?} has no limits") };
            assert!(low < high, "{path:?}: {low} to {high}");
            if let Some(default) = key.default().and_then(Value::as_f64) {
                assert!(
                    (low..=high).contains(&default),
                    "{path:?}: default {default} is not in {low} to {high}"
                );
            }
        }
    }
}
