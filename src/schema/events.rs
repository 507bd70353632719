use std::io::Write;

use xxhash_rust::xxh3::xxh3_128;

use super::batch::Events;
use super::error::SchemaError;
use super::label::LabelReader;
use super::notices::Notices;
use super::place::Place;
use super::plan::{Column, Plan, ROLES, Role, TOP, columns};
use super::record::RawRecord;
use super::refusal::{Reason, Refusal};
use super::rows::Rows;
use super::time::event_time;
use super::values::{Found, KEY_BYTES_MAX, id, weight};
use super::walk::{Row, Scratch, Values, walk};
use crate::config::{EventsConfig, SchemaConfig};

/// Decodes event records.
///
/// A number becomes the nearest `f32`, straight from its decimal digits. A category is the XXH3-64 of its text; numbers
/// and booleans are the text that the record has, so `1` and `"1"` are one category, `1` and `1.0` are two.
#[derive(Debug)]
pub struct EventDecoder {
    plan: Plan,
    /// By role; `None`: events do not carry it.
    places: [Option<RolePlace>; ROLES],
    columns: Vec<Column>,
    labels: LabelReader,
    ahead_max_ms: i64,
}

#[derive(Debug)]
struct RolePlace {
    /// As the config has it.
    text: String,
    place: Place,
}

impl EventDecoder {
    pub fn new(events: &EventsConfig, schema: &SchemaConfig) -> Result<Self, SchemaError> {
        let columns = columns(schema);
        let features = place("events.features", &events.features)?;
        if let Some(RolePlace { text, place: Place::Header(_) }) = features {
            return Err(SchemaError::Place {
                key: "events.features",
                place: text,
                problem: "a header holds no object",
            });
        }
        let roles = [
            (Role::Id, "events.id", &events.id),
            (Role::Key, "events.key", &events.key),
            (Role::Time, "events.time", &events.time),
            (Role::Label, "events.label", &events.label),
            (Role::Weight, "events.weight", &events.weight),
        ];
        let mut places = [const { None }; ROLES];
        for (role, key, text) in roles {
            places[role as usize] = place(key, text)?;
        }
        let in_record: Vec<_> = roles
            .iter()
            .filter_map(|&(role, key, _)| Some((role, key, &places[role as usize].as_ref()?.place)))
            .collect();
        let plan = Plan::new(&columns, features.as_ref().map(|features| &features.place), &in_record)?;
        let ahead_max_ms = i64::try_from(events.ahead_max_ms).unwrap_or(i64::MAX);
        Ok(Self { plan, places, columns, labels: LabelReader::new(schema)?, ahead_max_ms })
    }

    /// The features, in the order of their names.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Names of the features, in order.
    pub fn feature_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn numeric_width(&self) -> usize {
        self.columns.iter().map(Column::numeric_width).sum()
    }

    pub fn categorical_width(&self) -> usize {
        self.columns.iter().map(Column::categorical_width).sum()
    }

    /// An empty batch with this schema's columns, with room for so many events.
    pub fn batch(&self, events: usize) -> Events {
        Events::with_capacity(self.numeric_width(), self.categorical_width(), events)
    }

    /// An empty block of rows with this schema's columns.
    pub fn rows(&self) -> Rows {
        Rows::new(self.numeric_width(), self.categorical_width())
    }

    /// Appends the event to `out`, or refuses it and leaves `out` and `notices` as they were.
    pub fn decode(
        &self,
        record: &RawRecord<'_>,
        out: &mut Events,
        notices: &mut Notices,
    ) -> Result<(), Refusal> {
        let before = out.len();
        let mut noted = Notices::default();
        match self.append(record, out, &mut noted) {
            Ok(()) => {
                *notices += noted;
                Ok(())
            }
            Err(refusal) => {
                out.truncate(before);
                Err(refusal)
            }
        }
    }

    /// Appends one row from an object that holds features and nothing else, as HTTP sends it. Fields in which events
    /// carry their id, key, time, label or weight are passed over, so that an event can be sent as it is.
    pub fn decode_features(
        &self,
        json: &[u8],
        rows: &mut Rows,
        scratch: &mut Scratch,
        notices: &mut Notices,
    ) -> Result<(), Refusal> {
        let before = rows.len();
        let mut noted = Notices::default();
        let decoded = open(json, &mut noted).and_then(|text| {
            self.append_row(self.plan.features, text, rows, scratch, &mut noted).map(|_| ())
        });
        match decoded {
            Ok(()) => *notices += noted,
            Err(_) => rows.truncate(before),
        }
        decoded
    }

    fn append_row<'a>(
        &self,
        node: usize,
        text: &'a str,
        rows: &mut Rows,
        scratch: &mut Scratch,
        notices: &mut Notices,
    ) -> Result<Values<'a>, Refusal> {
        rows.push_missing();
        let (numeric, categorical) = rows.last_mut();
        let values = walk(&self.plan, node, text, Row { numeric, categorical }, scratch, notices)?;
        notices.missing_value += (self.columns.len() - values.features) as u64;
        Ok(values)
    }

    fn append(&self, record: &RawRecord<'_>, out: &mut Events, notices: &mut Notices) -> Result<(), Refusal> {
        let text = open(record_value(record)?, notices)?;
        let values = self.append_row(TOP, text, &mut out.rows, &mut out.scratch, notices)?;
        if !values.has_features {
            return Err(Refusal::new(Reason::NotAnObject, "an object with the features")
                .in_field(self.features_place()));
        }
        self.append_id(record, &values, out)?;
        self.append_key(record, &values, out, notices)?;
        self.append_time(record, &values, out, notices)?;
        self.append_label(record, &values, out, notices)?;
        let weight = weight(self.find(Role::Weight, record, &values)?, notices);
        out.weights.push(weight.map_err(|refusal| refusal.in_field(self.place_of(Role::Weight)))?);
        out.timestamps_ms.push(record.timestamp_ms);
        out.origins.push(record.origin());
        Ok(())
    }

    fn append_id(
        &self,
        record: &RawRecord<'_>,
        values: &Values<'_>,
        out: &mut Events,
    ) -> Result<(), Refusal> {
        if self.places[Role::Id as usize].is_some() {
            let found = self.find(Role::Id, record, values)?;
            let id = id(found, &mut out.scratch.text)
                .map_err(|refusal| refusal.in_field(self.place_of(Role::Id)))?;
            out.ids.push(id);
        } else {
            let RawRecord { topic, partition, offset, .. } = record;
            out.ids.push_with(|ids| {
                write!(ids, "{topic}-{partition}-{offset}").expect("writing to memory cannot fail");
            });
        }
        out.id_hashes.push(xxh3_128(out.ids.get(out.ids.len() - 1)));
        Ok(())
    }

    fn append_key(
        &self,
        record: &RawRecord<'_>,
        values: &Values<'_>,
        out: &mut Events,
        notices: &mut Notices,
    ) -> Result<(), Refusal> {
        let Events { ids, keys, scratch, .. } = out;
        let id = ids.get(ids.len() - 1);
        if self.places[Role::Key as usize].is_none() {
            return append_record_key(record.key, id, keys, notices);
        }
        let key = match self.find(Role::Key, record, values)? {
            None => None,
            Some(found) => Some(match found.text() {
                Some(text) => text.bytes(&mut scratch.text),
                None => found.literal().as_bytes(),
            }),
        };
        append_record_key(key, id, keys, notices)
            .map_err(|refusal| refusal.in_field(self.place_of(Role::Key)))
    }

    fn append_time(
        &self,
        record: &RawRecord<'_>,
        values: &Values<'_>,
        out: &mut Events,
        notices: &mut Notices,
    ) -> Result<(), Refusal> {
        let latest =
            (record.timestamp_ms >= 0).then(|| record.timestamp_ms.saturating_add(self.ahead_max_ms));
        let time = match self.find(Role::Time, record, values)? {
            None => {
                notices.no_time += 1;
                record.timestamp_ms
            }
            Some(found) => {
                let (time, clamped) = event_time(found, latest, &mut out.scratch.text)
                    .map_err(|refusal| refusal.in_field(self.place_of(Role::Time)))?;
                notices.clamped_time += u64::from(clamped);
                time
            }
        };
        out.times_ms.push(time);
        Ok(())
    }

    fn append_label(
        &self,
        record: &RawRecord<'_>,
        values: &Values<'_>,
        out: &mut Events,
        notices: &mut Notices,
    ) -> Result<(), Refusal> {
        let label = match self.find(Role::Label, record, values)? {
            None => {
                notices.missing_value += u64::from(self.places[Role::Label as usize].is_some());
                None
            }
            Some(found) => {
                let label = self.labels.read(found, &mut out.scratch.text);
                Some(label.map_err(|refusal| refusal.in_field(self.place_of(Role::Label)))?)
            }
        };
        out.labels.push(label);
        Ok(())
    }

    /// The value with that role, from the record's JSON or from its headers; `None`: null or absent.
    fn find<'a>(
        &self,
        role: Role,
        record: &RawRecord<'a>,
        values: &Values<'a>,
    ) -> Result<Option<Found<'a>>, Refusal> {
        match &self.places[role as usize] {
            None => Ok(None),
            Some(RolePlace { place: Place::Path(_), .. }) => Ok(values.of(role)),
            Some(RolePlace { place: Place::Header(name), text }) => {
                header(record, name).map_err(|refusal| refusal.in_field(text))
            }
        }
    }

    fn place_of(&self, role: Role) -> &str {
        self.places[role as usize].as_ref().map_or("", |place| &place.text)
    }

    fn features_place(&self) -> &str {
        let holder = self.plan.fields.iter().find(|field| field.object == Some(self.plan.features));
        holder.map_or("", |field| &field.place)
    }
}

fn place(key: &'static str, text: &Option<String>) -> Result<Option<RolePlace>, SchemaError> {
    let Some(text) = text else { return Ok(None) };
    Ok(Some(RolePlace { text: text.clone(), place: Place::parse(key, text)? }))
}

pub(super) fn record_value<'a>(record: &RawRecord<'a>) -> Result<&'a [u8], Refusal> {
    record.value.ok_or_else(|| Refusal::new(Reason::NullValue, "a json object"))
}

/// The record's text, without a byte-order mark.
pub(super) fn open<'a>(bytes: &'a [u8], notices: &mut Notices) -> Result<&'a str, Refusal> {
    let unmarked = bytes.strip_prefix(b"\xef\xbb\xbf");
    notices.bom += u64::from(unmarked.is_some());
    utf8(unmarked.unwrap_or(bytes))
}

fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let found: Vec<_> = bytes[at..].iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Refusal::new(Reason::NotUtf8, format!("utf-8 text at byte {at}")).with_value(&found.join(" "))
    })
}

/// The header's text; a header that comes twice is refused, for nobody could say which is meant.
fn header<'a>(record: &RawRecord<'a>, name: &str) -> Result<Option<Found<'a>>, Refusal> {
    let mut headers = record.headers.iter().filter(|header| header.name == name);
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(Refusal::new(Reason::DuplicateField, "each header once"));
    }
    header.value.map(|value| utf8(value).map(Found::Header)).transpose()
}

/// Appends the entity key, or the id where there is none or an empty one.
pub(super) fn append_record_key(
    key: Option<&[u8]>,
    id: &[u8],
    keys: &mut super::Texts,
    notices: &mut Notices,
) -> Result<(), Refusal> {
    match key {
        None | Some([]) => {
            notices.null_key += 1;
            keys.push(id);
        }
        Some(key) if key.len() > KEY_BYTES_MAX => {
            let expected = format!("a key of at most {KEY_BYTES_MAX} bytes, it has {}", key.len());
            return Err(
                Refusal::new(Reason::KeyTooLong, expected).with_value(&String::from_utf8_lossy(&key[..64]))
            );
        }
        Some(key) => keys.push(key),
    }
    Ok(())
}
