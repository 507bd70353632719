use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Number};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};

/// A parsed value that still knows where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) struct Node {
    pub origin: Origin,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Value {
    Text(String),
    Whole(i128),
    Number(f64),
    Bool(bool),
    /// TOML's date or time; no key takes one.
    Moment(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// Parses TOML; all of its syntax errors at once.
pub(in crate::config) fn parse(text: &str) -> Result<Node, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::of(text);
    if errors.is_empty() {
        return Ok(Node { origin: Origin::Unwritten, value: Value::Table(lines.table(table.get_ref())) });
    }
    let fault = |error: &toml::de::Error| {
        let origin = error.span().map_or(Origin::Unwritten, |span| Origin::Line(lines.at(span.start)));
        // The message alone: the error's own display would quote the line, which may hold a secret.
        Fault::whole(origin, "valid TOML").problem(error.message().replace('\n', ", "))
    };
    Err(errors.iter().map(fault).collect())
}

/// Parses one TOML value, such as `[32, 32]`, that comes from `origin`.
pub(in crate::config) fn parse_value(text: &str, origin: &Origin) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let mut node = Lines::of(text).node(&value);
    node.set_origin(origin);
    Some(node)
}

/// Where the lines of a text start.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte)
    }

    fn table(&self, table: &DeTable<'_>) -> BTreeMap<String, Node> {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let mut node = self.node(value);
            // The key's line: a value may start lower, and a section's value has the place of one of its headers.
            node.origin = Origin::Line(self.at(key.span().start));
            (AsRef::<str>::as_ref(key.get_ref()).to_owned(), node)
        };
        table.iter().map(entry).collect()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let origin = Origin::Line(self.at(value.span().start));
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(whole) => {
                let beyond = if whole.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
                Value::Whole(i128::from_str_radix(whole.as_str(), whole.radix()).unwrap_or(beyond))
            }
            DeValue::Float(number) => Value::Number(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
            DeValue::Array(list) => Value::List(list.iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { origin, value }
    }
}

/// Parses lines of TOML that come from `origin`, as `knn.k = 1`; the error is what is wrong with them.
pub(in crate::config) fn parse_lines(text: &str, origin: &Origin) -> Result<Node, Vec<Fault>> {
    match parse(text) {
        Ok(mut node) => {
            node.set_origin(origin);
            Ok(node)
        }
        Err(faults) => {
            Err(faults.into_iter().map(|fault| Fault { origin: origin.clone(), ..fault }).collect())
        }
    }
}

impl Node {
    /// Lays another over it: its tables are taken together, its values in place of those that are here.
    pub fn lay_over(&mut self, other: Node) {
        match (&mut self.value, other.value) {
            (Value::Table(table), Value::Table(others)) => {
                for (name, node) in others {
                    match table.get_mut(&name) {
                        Some(here) => here.lay_over(node),
                        None => drop(table.insert(name, node)),
                    }
                }
            }
            (here, value) => (*here, self.origin) = (value, other.origin),
        }
    }

    fn set_origin(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.set_origin(origin)),
            Value::Table(table) => table.values_mut().for_each(|node| node.set_origin(origin)),
            _ => {}
        }
    }

    /// The node at `path`, if it was written.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, part| match &node.value {
            Value::Table(table) => table.get(*part),
            _ => None,
        })
    }

    /// Origin of the node at `path`, or of the nearest section around it that was written.
    pub fn origin_near(&self, path: &[&str]) -> Origin {
        let around = (0..=path.len()).rev().find_map(|parts| self.find(&path[..parts]));
        around.map_or(Origin::Unwritten, |node| node.origin.clone())
    }

    /// As JSON; numbers that are not finite become null, and are refused before.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Text(text) | Value::Moment(text) => text.clone().into(),
            Value::Whole(whole) => Number::from_i128(*whole).map_or(serde_json::Value::Null, Into::into),
            Value::Number(number) => Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into),
            Value::Bool(flag) => (*flag).into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => {
                let entries: Map<_, _> =
                    table.iter().map(|(key, node)| (key.clone(), node.to_json())).collect();
                entries.into()
            }
        }
    }
}

/// As it would stand in a file, on one line.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Whole(whole) => write!(f, "{whole}"),
            Value::Number(number) => write!(f, "{number:?}"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Moment(moment) => f.write_str(moment),
            Value::Table(_) => f.write_str("{…}"),
            Value::List(items) => {
                f.write_str("[")?;
                for (place, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if place > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_the_line_of_its_key() {
        let root = parse("a = 1\n\n[pipeline.x.batch]\nmax_rows = [\n 1,\n 2]\n").unwrap();
        let line = |path: &[&str]| root.find(path).map(|node| node.origin.clone());
        assert_eq!(line(&["a"]), Some(Origin::Line(1)));
        assert_eq!(line(&["pipeline", "x", "batch"]), Some(Origin::Line(3)));
        assert_eq!(line(&["pipeline", "x", "batch", "max_rows"]), Some(Origin::Line(4)));
        assert_eq!(root.origin_near(&["pipeline", "x", "batch", "max_wait_ms"]), Origin::Line(3));
        assert_eq!(root.origin_near(&["kafka", "brokers"]), Origin::Unwritten);
    }

    #[test]
    fn numbers_of_any_size_are_kept_for_the_check_of_their_range() {
        let root = parse("a = 0xff\nb = 99999999999999999999\nc = -9_000\nd = inf\ne = 1e3").unwrap();
        let value = |key: &str| root.find(&[key]).unwrap().value.clone();
        assert_eq!(value("a"), Value::Whole(255));
        assert_eq!(value("b"), Value::Whole(99_999_999_999_999_999_999));
        assert_eq!(value("c"), Value::Whole(-9_000));
        assert_eq!(value("d"), Value::Number(f64::INFINITY));
        assert_eq!(value("e"), Value::Number(1_000.0));
    }

    #[test]
    fn all_syntax_errors_are_found_and_none_quotes_its_line() {
        let faults = parse("a = \nb = 1\nb = 2\n[kafka.properties]\npassword = hunter2\n").unwrap_err();
        let lines: Vec<_> = faults.iter().filter_map(Fault::line).collect();
        assert_eq!(lines, [1, 3, 5], "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.to_string().contains("hunter2")), "{faults:?}");
    }
}
