use std::sync::Arc;

use super::{Source, StreamError, Table};

/// A [`Table`] as events: `{"id":"elec2-000001","date":0,…}`, and labels of their own: `{"id":"elec2-000001","label":"1"}`.
#[derive(Debug, Clone)]
pub struct TableStream {
    table: Arc<Table>,
    /// The ids' prefix as the inside of a JSON string, with its dash.
    id_prefix: Vec<u8>,
    /// Each row's entity key, where a column was named for it.
    keys: Option<Arc<[Option<Box<str>>]>>,
}

impl TableStream {
    /// Ids are the prefix, a dash and the row's number from 1 in six digits or more.
    pub fn new(table: Arc<Table>, id_prefix: &str) -> Self {
        Self { table, id_prefix: inside_of_json_string(id_prefix), keys: None }
    }

    /// Other ids, so that several runs into the same topics do not clash.
    pub fn with_id_prefix(self, id_prefix: &str) -> Self {
        Self { id_prefix: inside_of_json_string(id_prefix), ..self }
    }

    /// Takes the entity key from a feature; its value stays in the event. A missing value is no key.
    pub fn with_key_column(self, name: &str) -> Result<Self, StreamError> {
        let features = self.table.features();
        if !features.iter().any(|feature| feature.name == name) {
            let names: Vec<&str> = features.iter().map(|feature| &*feature.name).collect();
            return Err(StreamError::NoColumn { name: name.into(), expected: names.join(", ") });
        }
        let key = |row| {
            let mut fields: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(self.table.fields(row)).expect("the table renders JSON");
            match fields.remove(name)? {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.into_boxed_str()),
                number => Some(number.to_string().into_boxed_str()),
            }
        };
        let keys = Some((0..self.table.rows()).map(key).collect());
        Ok(Self { keys, ..self })
    }

    /// The rows behind the events.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    fn id_json(&self, row: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":""#);
        out.extend_from_slice(&self.id_prefix);
        push_number(row + 1, 6, out);
        out.push(b'"');
    }
}

impl Source for TableStream {
    fn rows(&self) -> u64 {
        self.table.rows()
    }

    fn key(&self, row: u64, out: &mut Vec<u8>) -> bool {
        let key = self.keys.as_ref().and_then(|keys| keys[row as usize].as_ref());
        out.extend_from_slice(key.map_or(b"", |key| key.as_bytes()));
        key.is_some()
    }

    fn event_json(&self, row: u64, out: &mut Vec<u8>) {
        self.id_json(row, out);
        out.push(b',');
        out.extend_from_slice(&self.table.fields(row)[1..]);
    }

    fn label_json(&self, row: u64, out: &mut Vec<u8>) -> bool {
        let Some(target) = self.table.target(row) else { return false };
        self.id_json(row, out);
        out.extend_from_slice(br#","label":"#);
        out.extend_from_slice(&super::json::string(target));
        out.push(b'}');
        true
    }

    fn features_json(&self, row: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.table.fields(row));
    }
}

/// An id's prefix, escaped, with its dash.
pub(super) fn inside_of_json_string(id_prefix: &str) -> Vec<u8> {
    let quoted = super::json::string(&format!("{id_prefix}-"));
    quoted[1..quoted.len() - 1].to_vec()
}

/// Appends a number in at least `digits` digits.
pub(super) fn push_number(number: u64, digits: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut start = buffer.len();
    let mut rest = number;
    while rest > 0 {
        start -= 1;
        buffer[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = start.min(buffer.len() - digits);
    out.extend_from_slice(&buffer[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Stream;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn stream(csv: &str) -> TableStream {
        TableStream::new(Arc::new(Table::parse(csv.as_bytes()).unwrap()), "run")
    }

    #[test]
    fn the_first_row_of_elec2_is_the_event_and_label_of_the_contract() {
        let elec2 = Stream::Elec2.open().unwrap();

        assert_eq!(
            text(|out| elec2.event_json(0, out)),
            r#"{"id":"elec2-000001","date":0,"day":2,"period":0,"nswprice":0.056443,"nswdemand":0.439155,"vicprice":0.003467,"vicdemand":0.422915,"transfer":0.414912}"#
        );
        assert_eq!(
            text(|out| assert!(elec2.label_json(45_311, out))),
            r#"{"id":"elec2-045312","label":"0"}"#
        );
        assert!(!elec2.key(0, &mut Vec::new()));
    }

    #[test]
    fn ids_take_another_prefix_and_grow_past_six_digits() {
        let stream = stream("a,y\n1,0\n").with_id_prefix("b\"2");

        assert_eq!(text(|out| stream.event_json(0, out)), r#"{"id":"b\"2-000001","a":1}"#);
        assert_eq!(text(|out| push_number(1_234_567, 6, out)), "1234567");
        assert_eq!(text(|out| push_number(0, 1, out)), "0");
    }

    #[test]
    fn a_missing_target_gives_no_label() {
        assert!(!stream("a,y\n1,?\n").label_json(0, &mut Vec::new()));
    }

    #[test]
    fn the_key_is_the_value_of_the_named_column() {
        let keyed = stream("shop,a,y\nx 1,5,0\n?,6,1\n").with_key_column("shop").unwrap();

        assert_eq!(text(|out| assert!(keyed.key(0, out))), "x 1");
        assert!(!keyed.key(1, &mut Vec::new()));
        let error = stream("a,y\n1,0\n").with_key_column("shop").unwrap_err();
        assert_eq!(error.to_string(), "no column `shop`, expected one of a");
    }

    #[test]
    fn every_event_and_label_of_elec2_is_json_with_its_own_id() {
        let elec2 = Stream::Elec2.open().unwrap();
        let mut ids = std::collections::HashSet::new();
        for row in 0..elec2.rows() {
            let event: serde_json::Value =
                serde_json::from_str(&text(|out| elec2.event_json(row, out))).unwrap();
            let label: serde_json::Value =
                serde_json::from_str(&text(|out| assert!(elec2.label_json(row, out)))).unwrap();
            assert_eq!(event["id"], label["id"]);
            assert!(ids.insert(event["id"].as_str().unwrap().to_owned()));
        }
        assert_eq!(ids.len(), 45_312);
    }
}
