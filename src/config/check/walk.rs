use std::collections::BTreeMap;

use super::fault::{Fault, nearest_word};
use super::tree::{Node, Value};
use crate::config::json_schema::{Key, Kind, NAME, leaves};

/// Every place where a tree is not what the schema says: unknown and missing keys, types, words, ranges, lengths.
pub(super) fn walk(root: &Node) -> Vec<Fault> {
    let mut walk = Walk { path: Vec::new(), faults: Vec::new() };
    walk.node(root, Key::root());
    walk.faults
}

struct Walk {
    path: Vec<String>,
    faults: Vec<Fault>,
}

impl Walk {
    fn node(&mut self, node: &Node, key: Key<'static>) {
        match (key.kind(), &node.value) {
            (Kind::Section, Value::Table(table)) => self.section(node, key, table),
            (Kind::Map, Value::Table(table)) => self.map(node, key, table),
            (Kind::List, Value::List(items)) => self.list(node, key, items),
            (Kind::Word, Value::Text(word)) if !key.words().contains(&word.as_str()) => {
                let nearest = nearest_word(word, key.words());
                let fault = self.fault(node, expected(key)).problem("unknown word").nearest(nearest);
                self.faults.push(fault);
            }
            (Kind::Text, Value::Text(text)) if text.is_empty() && key.number("minLength") >= Some(1.0) => {
                let fault = self.fault(node, "at least one character");
                self.faults.push(fault);
            }
            (Kind::Whole | Kind::Number, Value::Whole(whole)) => self.range(node, key, *whole as f64),
            (Kind::Number, Value::Number(number)) => self.range(node, key, *number),
            (Kind::Word | Kind::Text, Value::Text(_)) | (Kind::Bool, Value::Bool(_)) => {}
            _ => {
                let fault = self.fault(node, expected(key));
                self.faults.push(fault);
            }
        }
    }

    fn section(&mut self, node: &Node, key: Key<'static>, table: &BTreeMap<String, Node>) {
        for (name, child) in table {
            self.path.push(name.clone());
            match key.keys().find(|(known, _)| known == name) {
                Some((_, known)) => self.node(child, known),
                None => self.unknown(child, key),
            }
            self.path.pop();
        }
        for name in key.required().filter(|name| !table.contains_key(*name)) {
            let expected =
                key.keys().find(|(known, _)| *known == name).map_or(String::new(), |(_, key)| expected(key));
            self.path.push(name.into());
            self.faults.push(Fault::new(&self.path, node.origin.clone(), expected).problem("missing"));
            self.path.pop();
        }
    }

    fn map(&mut self, node: &Node, key: Key<'static>, table: &BTreeMap<String, Node>) {
        let (min, max) = (key.number("minProperties"), key.number("maxProperties"));
        self.count(node, table.len(), min, max, "entries");
        let Some(inner) = key.inner() else { return };
        for (name, child) in table {
            self.path.push(name.clone());
            self.node(child, inner);
            self.path.pop();
        }
    }

    fn list(&mut self, node: &Node, key: Key<'static>, items: &[Node]) {
        self.count(node, items.len(), key.number("minItems"), key.number("maxItems"), "items");
        let Some(inner) = key.inner() else { return };
        for (place, item) in items.iter().enumerate() {
            self.path.push(format!("[{place}]"));
            self.node(item, inner);
            self.path.pop();
        }
    }

    fn count(&mut self, node: &Node, len: usize, min: Option<f64>, max: Option<f64>, what: &str) {
        let min = min.unwrap_or(0.0);
        if len as f64 >= min && max.is_none_or(|max| len as f64 <= max) {
            return;
        }
        let expected = match max {
            Some(max) => format!("{min} to {max} {what}"),
            None => format!("at least {min} {what}"),
        };
        let fault = self.fault(node, expected).problem(format!("{len} {what}"));
        self.faults.push(fault);
    }

    fn range(&mut self, node: &Node, key: Key<'static>, number: f64) {
        // What an f32 makes of it decides: 1e-60 is 0 there.
        let number = if key.is_f32() { f64::from(number as f32) } else { number };
        let within = number.is_finite()
            && key.number("minimum").is_none_or(|min| number >= min)
            && key.number("maximum").is_none_or(|max| number <= max)
            && key.number("exclusiveMinimum").is_none_or(|min| number > min)
            && key.number("exclusiveMaximum").is_none_or(|max| number < max);
        if !within {
            let fault = self.fault(node, expected(key)).problem("out of range");
            self.faults.push(fault);
        }
    }

    /// The key at the end of the path is none of the section's.
    fn unknown(&mut self, node: &Node, section: Key<'static>) {
        let name = self.path.last().map_or("", String::as_str);
        let known: Vec<_> = section.keys().map(|(known, _)| known).collect();
        let nearest = nearest_word(name, known.iter().copied()).or_else(|| self.elsewhere(name));
        let expected = format!("one of {}", known.join(", "));
        let fault = self.fault(node, expected).problem("unknown key").nearest(nearest);
        self.faults.push(fault);
    }

    /// Path of the one key of another section that has this very name.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let pipeline = self.path.get(1).filter(|_| self.path[0] == "pipeline").map_or(NAME, String::as_str);
        let mut found = leaves().into_iter().filter(|leaf| leaf.path.last() == Some(&name));
        let (first, second) = (found.next()?, found.next());
        let path: Vec<_> =
            first.path.iter().map(|part| if *part == NAME { pipeline } else { part }).collect();
        second.is_none().then(|| path.join("."))
    }

    fn fault(&self, node: &Node, expected: impl Into<String>) -> Fault {
        let fault = Fault::new(&self.path, node.origin.clone(), expected);
        // A section's content says nothing, and is long.
        if matches!(node.value, Value::Table(_)) { fault } else { fault.value(node) }
    }
}

/// What a key takes, in words.
pub(in crate::config) fn expected(key: Key<'_>) -> String {
    match key.kind() {
        Kind::Section => {
            let keys: Vec<_> = key.keys().map(|(name, _)| name).collect();
            format!("a section of {}", keys.join(", "))
        }
        Kind::Map => key.inner().map_or("a section".into(), |inner| match inner.kind() {
            Kind::Section => "a section for each name".into(),
            _ => format!("a section of names, each with {}", expected(inner)),
        }),
        Kind::List => format!("a list, each item {}", key.inner().map_or(String::new(), expected)),
        Kind::Word => match key.words()[..] {
            [only] => format!("{only:?}"),
            ref words => format!(
                "one of {}",
                words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
            ),
        },
        Kind::Text => "a text".into(),
        Kind::Bool => "true or false".into(),
        Kind::Whole => format!("a whole number{}", limits(key)),
        Kind::Number => format!("a number{}", limits(key)),
    }
}

/// ` from 1 to 256`, ` above 0 and below 1`, ` above 0, at most 10`.
fn limits(key: Key<'_>) -> String {
    let [min, max, above, below] =
        ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map(|name| key.number(name));
    match (min, max, above, below) {
        (Some(min), Some(max), ..) => format!(" from {min} to {max}"),
        (_, Some(max), Some(above), _) => format!(" above {above}, at most {max}"),
        (_, _, Some(above), Some(below)) => format!(" above {above} and below {below}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::config::check::tests::{added, changed, faults, fixture, one, says};

    #[test]
    fn the_fixture_has_no_fault_and_leaves_every_other_key_at_its_default() {
        let config = Config::parse(&fixture(), []).unwrap();
        assert_eq!(config.kafka, Default::default());
        assert_eq!(config.http, Default::default());
        assert_eq!(config.data, Default::default());
        assert_eq!(config.log, Default::default());
        let x = &config.pipeline["x"];
        assert_eq!(x.model, Default::default());
        assert_eq!(x.join, Default::default());
        assert_eq!(x.version, Default::default());
        assert_eq!(x.monitor, Default::default());
        assert_eq!((x.events.partitions, x.events.ahead_max_ms, x.schema.classes_max), (1, 86_400_000, 32));
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest_known_one() {
        says(
            added("[pipeline.x.batch]\nmax_row = 100\n"),
            &[
                "pipeline.x.batch.max_row = 100 (line 10): unknown key, expected one of max_rows, max_wait_ms; did you mean \"max_rows\"?",
            ],
        );
        says(added("[htpp]\nworkers = 1\n"), &["htpp (line 9): unknown key", "did you mean \"http\"?"]);
        says(changed("id = \"id\"", "max_wait_ms = 5"), &["did you mean \"pipeline.x.batch.max_wait_ms\"?"]);
    }

    #[test]
    fn missing_keys_are_named_with_the_line_of_their_section() {
        says(
            changed("topic = \"x.events\", ", ""),
            &["pipeline.x.events.topic (line 2): missing, expected a text"],
        );
        says(
            changed("task = \"binary\"", ""),
            &["schema.task (line 5)", "\"binary\", \"multiclass\", \"regression\""],
        );
        says(one(""), &["pipeline: missing, expected a section for each name"]);
        says(one("[pipeline]"), &["pipeline (line 1): 0 entries, expected 1 to 256 entries"]);
    }

    #[test]
    fn wrong_types_are_named_with_what_was_expected() {
        says(
            added("[http]\nworkers = \"2\"\n"),
            &["http.workers = \"2\" (line 10): expected a whole number from 1 to 256"],
        );
        says(added("[http]\nworkers = 1.5\n"), &["http.workers = 1.5", "a whole number"]);
        says(added("[http]\nlisten = 8080\n"), &["http.listen = 8080", "a text"]);
        says(added("[kafka]\ncreate_topics = 1\n"), &["kafka.create_topics = 1", "true or false"]);
        says(added("[log]\nlevel = 2024-01-01\n"), &["log.level = 2024-01-01", "a text"]);
        says(
            added("[pipeline.x.model.mlp]\nhidden = 32\n"),
            &["hidden = 32", "a list, each item a whole number from 1 to 4096"],
        );
        says(
            added("[pipeline.x.model.mlp]\nhidden = [32, \"a\"]\n"),
            &["hidden[1] = \"a\" (line 10)", "from 1 to 4096"],
        );
        says(
            added("[pipeline.x.model]\nmlp = 3\n"),
            &["model.mlp = 3", "a section of clip_norm, engine, hidden, optimiser, rate"],
        );
        says(
            changed("labels = {topic = \"x.labels\"}", "labels = \"x.labels\""),
            &["a section of partitions, topic"],
        );
        says(
            changed("a = \"numeric\"", "a = 1"),
            &["schema.features.a = 1", "one of \"numeric\", \"categorical\""],
        );
    }

    #[test]
    fn numbers_out_of_their_range_are_named_with_the_range() {
        for (more, range) in [
            ("[http]\nworkers = 0\n", "a whole number from 1 to 256"),
            ("[http]\nworkers = -1\n", "a whole number from 1 to 256"),
            ("[pipeline.x.batch]\nmax_rows = 0\n", "a whole number from 1 to 100000"),
            (
                "[pipeline.x.batch]\nmax_rows = 99999999999999999999999999\n",
                "a whole number from 1 to 100000",
            ),
            ("[pipeline.x.model.linear]\nrate = 0\n", "a number above 0, at most 100"),
            ("[pipeline.x.model.linear]\nrate = 1e-60\n", "a number above 0, at most 100"),
            ("[pipeline.x.model.linear]\nrate = nan\n", "a number above 0, at most 100"),
            ("[pipeline.x.model.linear]\nrate = inf\n", "a number above 0, at most 100"),
            ("[pipeline.x.monitor.drift]\ndelta = 1\n", "a number above 0 and below 1"),
            ("[pipeline.x.model.mlp]\nhidden = []\n", "1 to 8 items"),
            ("[pipeline.x.model.mlp]\nhidden = [0]\n", "a whole number from 1 to 4096"),
        ] {
            says(added(more), &[range]);
        }
        says(
            changed("features = {a = \"numeric\", \"b.c\" = \"categorical\"}", "features = {}"),
            &["1 to 10000 entries"],
        );
        let many: String = (0..10_001).map(|column| format!("f{column} = \"numeric\"\n")).collect();
        let text = fixture().replace("features = {a = \"numeric\", \"b.c\" = \"categorical\"}", "");
        says(
            one(&format!("{text}[pipeline.x.schema.features]\n{many}")),
            &["10001 entries, expected 1 to 10000 entries"],
        );
    }

    #[test]
    fn words_that_are_none_of_the_known_ones_are_named_with_the_nearest() {
        says(
            changed("\"binary\"", "\"binar\""),
            &["schema.task = \"binar\" (line 6)", "did you mean \"binary\"?"],
        );
        says(added("[log]\nformat = \"JSON\"\n"), &["log.format = \"JSON\"", "did you mean \"json\"?"]);
        says(
            added("[pipeline.x.journal]\nkind = \"files\"\n"),
            &["expected one of \"file\", \"kafka\"", "did you mean \"file\"?"],
        );
    }

    #[test]
    fn text_that_is_no_toml_is_refused_with_its_line() {
        says(one("[pipeline.x\n"), &["the file (line 1): ", "expected valid TOML"]);
        says(added("[pipeline.x.schema]\n"), &["(line 9): duplicate key"]);
    }

    #[test]
    fn all_faults_of_a_file_are_found_at_once() {
        let text = fixture()
            .replace("task = \"binary\"", "task = \"binay\"")
            .replace("topic = \"x.events\", ", "")
            .replace("id = \"id\"", "idd = \"id\"")
            + "[http]\nworkers = 0\nlisten = 1\n[kafka]\nbroker = \"a\"\n";
        let keys: Vec<_> =
            faults(&text).into_iter().map(|fault| (fault.line().unwrap(), fault.key)).collect();
        let expected = [
            (2, "pipeline.x.events.idd"),
            (2, "pipeline.x.events.topic"),
            (6, "pipeline.x.schema.task"),
            (10, "http.workers"),
            (11, "http.listen"),
            (13, "kafka.broker"),
        ];
        assert_eq!(keys, expected.map(|(line, key)| (line, key.to_string())));
    }
}
