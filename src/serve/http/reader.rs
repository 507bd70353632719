use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::problem::{Kind, Problem};
use crate::schema::KEY_BYTES_MAX;

/// One row of a request: an object whose members are taken as they come, as JSON text.
pub trait RowSink {
    /// The member that holds many rows.
    const MANY: &'static str;
    /// The members that a row may have.
    const MEMBERS: &'static [&'static str];

    /// Takes member `MEMBERS[member]` of the row that is being read.
    fn member(&mut self, member: usize, json: &str) -> Result<(), Problem>;

    /// The row has ended; `given` tells for each of `MEMBERS` whether it came.
    fn end_row(&mut self, given: &[bool]) -> Result<(), Problem>;
}

/// Reads a body that is one row, `{"features": …}`, or many, `{"rows": [{"features": …}, …]}`, in one pass; tells how
/// many rows there were.
pub fn read_rows<S: RowSink>(body: &[u8], rows_max: usize, sink: &mut S) -> Result<usize, Problem> {
    let mut reader =
        Reader { sink, rows_max, rows: 0, row: None, place: "the body", expected: "an object", fault: None };
    let mut json = serde_json::Deserializer::from_slice(body);
    let outcome = json.deserialize_any(Top(&mut reader)).and_then(|()| json.end());
    let Reader { rows, row, place, expected, fault, .. } = reader;
    let Err(error) = outcome else {
        return Ok(rows);
    };
    let in_row = |problem: Problem| match row {
        Some(row) => problem.in_row(row),
        None => problem,
    };
    if let Some(fault) = fault {
        return Err(in_row(fault));
    }
    Err(match error.classify() {
        Category::Data => in_row(
            Problem::new(Kind::InvalidField, format!("{place} is not {expected}: {error}"))
                .with("field", place)
                .with("expected", expected),
        ),
        Category::Syntax | Category::Eof | Category::Io => Problem::new(Kind::InvalidJson, error.to_string())
            .with("line", error.line())
            .with("column", error.column()),
    })
}

struct Reader<'a, S> {
    sink: &'a mut S,
    rows_max: usize,
    rows: usize,
    /// The row that is being read, when there may be many.
    row: Option<usize>,
    place: &'static str,
    expected: &'static str,
    fault: Option<Problem>,
}

/// Most members that a row may have.
const MEMBERS_MAX: usize = 8;

impl<S: RowSink> Reader<'_, S> {
    /// Ends the reading with `problem`; the error is a messenger only.
    fn fail<T, E: Error>(&mut self, problem: Problem) -> Result<T, E> {
        self.fault = Some(problem);
        Err(E::custom("refused"))
    }

    fn take<T, E: Error>(&mut self, outcome: Result<T, Problem>) -> Result<T, E> {
        outcome.or_else(|problem| self.fail(problem))
    }

    /// Reads the members of a row from the one on that `name` names; none: the row is empty.
    fn row<'de, A: MapAccess<'de>>(&mut self, mut name: Option<Name>, map: &mut A) -> Result<(), A::Error> {
        let mut given = [false; MEMBERS_MAX];
        while let Some(member) = name {
            match member {
                Name::Member(member) => {
                    if std::mem::replace(&mut given[member], true) {
                        return self.fail(twice(S::MEMBERS[member]));
                    }
                    let value: &RawValue = map.next_value()?;
                    let outcome = self.sink.member(member, value.get());
                    self.take(outcome)?;
                }
                Name::Many => {
                    return self.fail(Problem::field(S::MANY, "beside a row", "one row or many, not both"));
                }
                Name::Unknown(name) => return self.fail(unknown::<S>(&name)),
            }
            name = map.next_key_seed(NameSeed::<S>::new())?;
        }
        let outcome = self.sink.end_row(&given[..S::MEMBERS.len()]);
        self.take(outcome)?;
        self.rows += 1;
        Ok(())
    }
}

fn twice(member: &str) -> Problem {
    Problem::field(member, "given twice", "each member once")
}

fn unknown<S: RowSink>(name: &str) -> Problem {
    let expected = format!("only the members {} or {}", S::MEMBERS.join(", "), S::MANY);
    Problem::field(&super::problem::shortened(name), "an unknown member", &expected)
}

enum Name {
    Member(usize),
    Many,
    Unknown(String),
}

/// Reads a member's name without keeping its text where it is a known one.
struct NameSeed<S>(std::marker::PhantomData<S>);

impl<S: RowSink> NameSeed<S> {
    fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, S: RowSink> DeserializeSeed<'de> for NameSeed<S> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<S: RowSink> Visitor<'_> for NameSeed<S> {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        Ok(match S::MEMBERS.iter().position(|member| *member == name) {
            Some(member) => Name::Member(member),
            None if name == S::MANY => Name::Many,
            None => Name::Unknown(name.to_owned()),
        })
    }
}

/// The body.
struct Top<'r, 'a, S>(&'r mut Reader<'a, S>);

impl<'de, S: RowSink> Visitor<'de> for Top<'_, '_, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object with {} or {}", S::MEMBERS[0], S::MANY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        match map.next_key_seed(NameSeed::<S>::new())? {
            Some(Name::Many) => {
                (reader.place, reader.expected) = (S::MANY, "an array of rows");
                map.next_value_seed(Many(&mut *reader))?;
                reader.row = None;
                match map.next_key_seed(NameSeed::<S>::new())? {
                    None => Ok(()),
                    Some(Name::Many) => reader.fail(twice(S::MANY)),
                    Some(Name::Member(member)) => {
                        let expected = format!("{} alone, or one row", S::MANY);
                        reader.fail(Problem::field(S::MEMBERS[member], "beside many rows", &expected))
                    }
                    Some(Name::Unknown(name)) => reader.fail(unknown::<S>(&name)),
                }
            }
            name => reader.row(name, &mut map),
        }
    }
}

/// The array of rows.
struct Many<'r, 'a, S>(&'r mut Reader<'a, S>);

impl<'de, S: RowSink> DeserializeSeed<'de> for Many<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: RowSink> Visitor<'de> for Many<'_, '_, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let reader = self.0;
        reader.expected = "an array of objects";
        loop {
            reader.row = Some(reader.rows);
            if rows.next_element_seed(One(&mut *reader))?.is_none() {
                break;
            }
        }
        reader.row = None;
        if reader.rows == 0 {
            let problem = Problem::new(Kind::NoRows, format!("{} is empty, expected 1 row or more", S::MANY));
            return reader.fail(problem.with("field", S::MANY));
        }
        Ok(())
    }
}

/// One of many rows.
struct One<'r, 'a, S>(&'r mut Reader<'a, S>);

impl<'de, S: RowSink> DeserializeSeed<'de> for One<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let reader = &mut *self.0;
        if reader.rows == reader.rows_max {
            reader.row = None;
            let detail = format!("{} has more than {} rows", S::MANY, reader.rows_max);
            let problem = Problem::new(Kind::TooManyRows, detail);
            return reader.fail(problem.with("field", S::MANY).with("rows_max", reader.rows_max));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: RowSink> Visitor<'de> for One<'_, '_, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let name = map.next_key_seed(NameSeed::<S>::new())?;
        self.0.row(name, &mut map)
    }
}

/// Reads an entity key, where there is one: a string that is not empty, or `null`.
pub fn key(json: &str) -> Result<Option<String>, Problem> {
    match serde_json::from_str::<Option<String>>(json) {
        Ok(None) => Ok(None),
        Ok(Some(key)) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key)),
        _ => Err(Problem::field("key", json, &format!("a string of 1 to {KEY_BYTES_MAX} bytes"))),
    }
}
