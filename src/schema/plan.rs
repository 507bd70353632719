use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::error::SchemaError;
use super::moment::CYCLES;
use super::place::Place;
use super::words::TEXT_COLUMNS;
use crate::config::{ColumnKind, SchemaConfig};

/// What a value outside the features is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Id,
    Key,
    Time,
    Label,
    Weight,
}

pub const ROLES: usize = 5;

/// A feature, in the order of the features' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    /// Where its values begin: among a row's categorical values for a category, else among the numeric ones.
    pub index: usize,
}

impl Column {
    /// Numeric values that it has in a row.
    pub fn numeric_width(&self) -> usize {
        match self.kind {
            ColumnKind::Numeric => 1,
            ColumnKind::Categorical => 0,
            ColumnKind::Time => CYCLES.len(),
            ColumnKind::Text => TEXT_COLUMNS,
        }
    }

    /// Categorical values that it has in a row.
    pub fn categorical_width(&self) -> usize {
        usize::from(self.kind == ColumnKind::Categorical)
    }

    /// Names of its values, in their order: its own, or for several its own with something behind it.
    pub fn names(&self) -> Vec<String> {
        let name = &self.name;
        match self.kind {
            ColumnKind::Numeric | ColumnKind::Categorical => vec![name.clone()],
            ColumnKind::Time => CYCLES.iter().map(|cycle| format!("{name} {cycle}")).collect(),
            ColumnKind::Text => (0..TEXT_COLUMNS).map(|bucket| format!("{name} {bucket}")).collect(),
        }
    }

    pub(super) fn slot(&self) -> Slot {
        match self.kind {
            ColumnKind::Numeric => Slot::Numeric(self.index),
            ColumnKind::Categorical => Slot::Categorical(self.index),
            ColumnKind::Time => Slot::Time(self.index),
            ColumnKind::Text => Slot::Text(self.index),
        }
    }
}

/// The columns of a schema, in the order of their names.
pub fn columns(schema: &SchemaConfig) -> Vec<Column> {
    let (mut numeric, mut categorical) = (0, 0);
    let column = |(name, &kind): (&String, &ColumnKind)| {
        let index = if kind == ColumnKind::Categorical { categorical } else { numeric };
        let column = Column { name: name.clone(), kind, index };
        numeric += column.numeric_width();
        categorical += column.categorical_width();
        column
    };
    schema.features.iter().map(column).collect()
}

/// A feature's place in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    Numeric(usize),
    Categorical(usize),
    /// The first of its numeric values.
    Time(usize),
    /// The first of its numeric values.
    Text(usize),
}

/// A field that matters.
#[derive(Debug)]
pub struct Field {
    /// Its name in the record, unescaped.
    pub name: String,
    /// What it is called in messages.
    pub place: String,
    pub slot: Option<Slot>,
    /// Bit `role as u8` is set when the value has that role.
    pub roles: u8,
    /// The object that its value is.
    pub object: Option<usize>,
    /// The column of a numeric feature that has no role.
    pub plain_number: Option<usize>,
    /// The object that it is in.
    node: usize,
    quoted: Quoted,
}

/// A field's name and a colon, as they are mostly written, made to be compared quickly.
#[derive(Debug)]
struct Quoted {
    /// The first 16 bytes, zeros after them.
    head: u128,
    mask: u128,
    bytes: Box<[u8]>,
}

/// An object whose fields are looked at.
#[derive(Debug)]
struct Node {
    /// The first of its fields.
    first: usize,
    /// XXH3-64 of each field's name, with the field, sorted.
    by_hash: Vec<(u64, usize)>,
}

/// The fields that matter, by the object that they are in.
#[derive(Debug)]
pub struct Plan {
    pub fields: Vec<Field>,
    nodes: Vec<Node>,
    /// The object that holds the features.
    pub features: usize,
}

/// The record's own object.
pub const TOP: usize = 0;

impl Plan {
    /// `places` are those of the roles with their keys in the config; those in headers are left out of the plan.
    pub fn new(
        columns: &[Column],
        features: Option<&Place>,
        places: &[(Role, &'static str, &Place)],
    ) -> Result<Self, SchemaError> {
        let features: &[String] = match features {
            Some(Place::Path(path)) => path,
            _ => &[],
        };
        let mut values: BTreeMap<Vec<String>, (Option<Slot>, u8)> = BTreeMap::new();
        for column in columns {
            let path = [features, std::slice::from_ref(&column.name)].concat();
            values.insert(path, (Some(column.slot()), 0));
        }
        for (role, _, place) in places {
            if let Place::Path(path) = place {
                let value = values.entry(path.clone()).or_default();
                if *role == Role::Label && value.0.is_some() {
                    return Err(SchemaError::LabelIsFeature { place: display(path) });
                }
                value.1 |= 1 << *role as u8;
            }
        }
        let mut objects: BTreeSet<&[String]> = BTreeSet::from([&[][..]]);
        for path in values.keys().map(|path| &path[..path.len() - 1]).chain([features]) {
            objects.extend((0..=path.len()).map(|len| &path[..len]));
        }
        if let Some(path) = values.keys().find(|path| objects.contains(path.as_slice())) {
            let key = places.iter().find(|(_, _, place)| matches!(place, Place::Path(p) if p == path));
            let key = key.map_or("schema.features", |(_, key, _)| key);
            return Err(SchemaError::PlaceTwice { key, place: display(path) });
        }
        Ok(Self::build(&values, &objects.into_iter().collect::<Vec<_>>(), features))
    }

    fn build(
        values: &BTreeMap<Vec<String>, (Option<Slot>, u8)>,
        objects: &[&[String]],
        features: &[String],
    ) -> Self {
        let object_at = |path: &[String]| objects.iter().position(|&object| object == path);
        let mut plan =
            Plan { fields: Vec::new(), nodes: Vec::new(), features: object_at(features).unwrap_or(TOP) };
        for (node, &object) in objects.iter().enumerate() {
            let first = plan.fields.len();
            let within = |path: &[String]| path.split_last().is_some_and(|(_, holder)| holder == object);
            for (path, &(slot, roles)) in values.iter().filter(|(path, _)| within(path)) {
                let plain_number = match slot {
                    Some(Slot::Numeric(column)) if roles == 0 => Some(column),
                    _ => None,
                };
                plan.fields.push(Field { slot, roles, plain_number, ..Field::new(node, path) });
            }
            for path in objects.iter().filter(|path| within(path)) {
                plan.fields.push(Field { object: object_at(path), ..Field::new(node, path) });
            }
            let fields = plan.fields.iter().enumerate().skip(first);
            let mut by_hash: Vec<_> =
                fields.map(|(at, field)| (xxh3_64(field.name.as_bytes()), at)).collect();
            by_hash.sort_unstable();
            plan.nodes.push(Node { first, by_hash });
        }
        plan
    }

    /// The field of object `node` with that name, whose XXH3-64 is `hash`.
    pub fn find(&self, node: usize, hash: u64, name: &[u8]) -> Option<usize> {
        let by_hash = &self.nodes[node].by_hash;
        let from = by_hash.partition_point(|&(other, _)| other < hash);
        let same = by_hash[from..].iter().take_while(|&&(other, _)| other == hash);
        same.map(|&(_, field)| field).find(|&field| self.fields[field].name.as_bytes() == name)
    }

    /// Where a decoder remembers which field came after which: one place for each field, then one for each object's
    /// beginning.
    pub fn turns(&self) -> usize {
        self.fields.len() + self.nodes.len()
    }

    pub fn first_turn(&self, node: usize) -> usize {
        self.fields.len() + node
    }

    /// A first guess at the field after `turn`: that of the next name.
    pub fn guess(&self, turn: usize) -> usize {
        match turn.checked_sub(self.fields.len()) {
            Some(node) => self.nodes[node].first,
            None => turn + 1,
        }
    }
}

impl Field {
    fn new(node: usize, path: &[String]) -> Self {
        let name = path.last().expect("a field's path has a name").clone();
        let quoted = Quoted::new(&name);
        Self {
            name,
            place: display(path),
            slot: None,
            roles: 0,
            object: None,
            plain_number: None,
            node,
            quoted,
        }
    }

    /// Whether this is a field of object `node` and `rest` begins with its name and a colon; then, how long they are.
    #[inline]
    pub fn begins(&self, node: usize, rest: &[u8]) -> Option<usize> {
        (self.node == node && self.quoted.begins(rest)).then_some(self.quoted.bytes.len())
    }
}

impl Quoted {
    fn new(name: &str) -> Self {
        let quoted = format!("\"{name}\":").into_bytes();
        let in_head = quoted.len().min(16);
        let mut head = [0; 16];
        head[..in_head].copy_from_slice(&quoted[..in_head]);
        let mut mask = [0; 16];
        mask[..in_head].fill(0xff);
        Self { head: u128::from_le_bytes(head), mask: u128::from_le_bytes(mask), bytes: quoted.into() }
    }

    /// Whether `rest` begins with the name and a colon.
    #[inline]
    fn begins(&self, rest: &[u8]) -> bool {
        match rest.first_chunk() {
            Some(first) if u128::from_le_bytes(*first) & self.mask != self.head => false,
            Some(_) if self.bytes.len() <= 16 => true,
            _ => rest.starts_with(&self.bytes),
        }
    }
}

/// A path as the config has it: a plain name at the top level, a JSON pointer below.
pub fn display(path: &[String]) -> String {
    match path {
        [name] => name.clone(),
        _ => path.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<Column> {
        let column =
            |(index, &name): (usize, &&str)| Column { name: name.into(), kind: ColumnKind::Numeric, index };
        names.iter().enumerate().map(column).collect()
    }

    fn plan(features: Option<&str>, places: &[(Role, &str)]) -> Result<Plan, SchemaError> {
        let features = features.map(|place| Place::parse("events.features", place).unwrap());
        let places: Vec<_> = places
            .iter()
            .map(|&(role, place)| (role, "events.id", Place::parse("events.id", place).unwrap()))
            .collect();
        let places: Vec<_> = places.iter().map(|(role, key, place)| (*role, *key, place)).collect();
        Plan::new(&columns(&["a", "b"]), features.as_ref(), &places)
    }

    fn find<'p>(plan: &'p Plan, node: usize, name: &str) -> Option<&'p Field> {
        plan.find(node, xxh3_64(name.as_bytes()), name.as_bytes()).map(|field| &plan.fields[field])
    }

    #[test]
    fn a_field_is_found_in_its_own_object_only() {
        let plan = plan(Some("/after"), &[(Role::Id, "/after/a"), (Role::Time, "ts")]).unwrap();

        let after = find(&plan, TOP, "after").unwrap().object.unwrap();
        assert_eq!(after, plan.features);
        let a = find(&plan, after, "a").unwrap();
        assert_eq!(
            (a.slot, a.roles, a.place.as_str()),
            (Some(Slot::Numeric(0)), 1 << Role::Id as u8, "/after/a")
        );
        assert_eq!(find(&plan, TOP, "ts").unwrap().roles, 1 << Role::Time as u8);
        assert!(find(&plan, TOP, "a").is_none());
        assert!(find(&plan, after, "ts").is_none());
    }

    #[test]
    fn a_place_cannot_be_a_value_and_an_object() {
        let error = plan(None, &[(Role::Id, "/a/id")]).unwrap_err();
        assert_eq!(error, SchemaError::PlaceTwice { key: "schema.features", place: "a".into() });
        let error = plan(Some("/after"), &[(Role::Id, "after")]).unwrap_err();
        assert_eq!(error, SchemaError::PlaceTwice { key: "events.id", place: "after".into() });
    }

    #[test]
    fn the_label_cannot_be_a_feature() {
        let error = plan(None, &[(Role::Label, "a")]).unwrap_err();
        assert_eq!(error, SchemaError::LabelIsFeature { place: "a".into() });
    }

    #[test]
    fn quoted_names_of_every_length_are_told_from_their_prefixes() {
        for len in 0..40 {
            let name = "x".repeat(len);
            let quoted = Quoted::new(&name);
            for rest in ["", "1}", "1234567890123456}"] {
                assert!(quoted.begins(format!("\"{name}\":{rest}").as_bytes()), "{len}");
                assert!(!quoted.begins(format!("\"{name}x\":{rest}").as_bytes()), "{len}");
                assert!(!quoted.begins(format!("\"{name}\"").as_bytes()), "{len}");
            }
        }
    }
}
