/// A schema, or the places of an event's fields, that cannot be decoded by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "{key}: {place:?} is no place in a record: {problem}; expected a field \"id\", a JSON pointer \"/after/id\" or a header \"header:ce_id\""
    )]
    Place { key: &'static str, place: String, problem: &'static str },
    #[error("{key}: {place:?} is a value there and an object elsewhere; expected one of the two")]
    PlaceTwice { key: &'static str, place: String },
    #[error(
        "events.label: {place:?} is also a feature; expected a field that is not learned from, remove it from schema.features"
    )]
    LabelIsFeature { place: String },
    #[error("schema.classes: {class:?} is declared twice; expected each class once")]
    ClassTwice { class: String },
    #[error("schema.classes: {class:?} has {len} bytes; expected 1 to {max}")]
    ClassLength { class: String, len: usize, max: usize },
    #[error("{key}: {count} are too many; expected at most {max}")]
    TooMany { key: &'static str, count: usize, max: usize },
}
