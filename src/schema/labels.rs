use xxhash_rust::xxh3::xxh3_128;

use super::batch::Labels;
use super::error::SchemaError;
use super::events::{append_record_key, open, record_value};
use super::label::LabelReader;
use super::notices::Notices;
use super::place::Place;
use super::plan::{Plan, Role, TOP};
use super::record::RawRecord;
use super::refusal::{Reason, Refusal};
use super::values::{id, weight};
use super::walk::{Row, walk};
use crate::config::SchemaConfig;

/// Decodes label records, `{"id", "label", "weight"?}`.
#[derive(Debug)]
pub struct LabelDecoder {
    plan: Plan,
    labels: LabelReader,
}

impl LabelDecoder {
    pub fn new(schema: &SchemaConfig) -> Result<Self, SchemaError> {
        let places = [(Role::Id, "id"), (Role::Label, "label"), (Role::Weight, "weight")]
            .map(|(role, name)| (role, name, Place::Path(vec![name.into()])));
        let places = places.each_ref().map(|(role, name, place)| (*role, *name, place));
        Ok(Self { plan: Plan::new(&[], None, &places)?, labels: LabelReader::new(schema)? })
    }

    /// Appends the label to `out`, or refuses it and leaves `out` and `notices` as they were.
    pub fn decode(
        &self,
        record: &RawRecord<'_>,
        out: &mut Labels,
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

    fn append(&self, record: &RawRecord<'_>, out: &mut Labels, notices: &mut Notices) -> Result<(), Refusal> {
        let text = open(record_value(record)?, notices)?;
        let no_features = Row { numeric: &mut [], categorical: &mut [] };
        let values = walk(&self.plan, TOP, text, no_features, &mut out.scratch, notices)?;
        let buffer = &mut out.scratch.text;
        let id = id(values.of(Role::Id), buffer).map_err(|refusal| refusal.in_field("id"))?;
        out.ids.push(id);
        out.id_hashes.push(xxh3_128(id));
        append_record_key(record.key, id, &mut out.keys, notices)?;
        let Some(label) = values.of(Role::Label) else {
            return Err(Refusal::new(Reason::LabelMissing, "the event's label").in_field("label"));
        };
        out.labels.push(self.labels.read(label, buffer).map_err(|refusal| refusal.in_field("label"))?);
        let weight = weight(values.of(Role::Weight), notices);
        out.weights.push(weight.map_err(|refusal| refusal.in_field("weight"))?);
        out.timestamps_ms.push(record.timestamp_ms);
        out.origins.push(record.origin());
        Ok(())
    }
}
