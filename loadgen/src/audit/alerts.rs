use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Check, Record};

/// The alerts topic: alerts of the contract's form, keyed by their fingerprint.
pub(super) struct Alerts {
    pub records: u64,
    pub firing: u64,
    pub resolved: u64,
    pub tombstones: u64,
    /// By fingerprint: the contents met.
    known: BTreeMap<String, Vec<u128>>,
    described: Check,
    keyed: Check,
}

/// The fields of an alert, `state` and `fingerprint` apart.
const FIELDS: [&str; 9] =
    ["kind", "severity", "subject", "observed", "threshold", "version", "since", "at", "message"];

#[derive(Deserialize)]
struct Value {
    fingerprint: String,
    state: State,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum State {
    Firing,
    Resolved,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            records: 0,
            firing: 0,
            resolved: 0,
            tombstones: 0,
            known: BTreeMap::new(),
            described: Check::new("alerts: all fields, and a state that is firing or resolved"),
            keyed: Check::new("alerts: the key is the fingerprint; tombstones are of known ones"),
        }
    }
}

impl Alerts {
    /// Counts distinct records: one that is sent again after a restart is the same alert.
    pub fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
        let Some(value) = record.value else {
            self.tombstones += 1;
            let known = self.known.contains_key(&key);
            self.keyed.expect(known, || format!("{record}: a tombstone of {key:?}"));
            return;
        };
        let parsed = serde_json::from_slice::<Value>(value);
        let missing = parsed.as_ref().map_or_else(
            |error| error.to_string(),
            |value| {
                let missing = FIELDS.iter().filter(|field| !value.rest.contains_key(**field));
                missing.map(|field| format!("no {field}. ")).collect()
            },
        );
        self.described.expect(missing.is_empty(), || format!("{record}: {missing}"));
        let Ok(Value { fingerprint, state, .. }) = parsed else { return };
        let fault = || format!("{record}: key {key:?}, fingerprint {fingerprint:?}");
        self.keyed.expect(key == fingerprint, fault);
        let content = record.content();
        let contents = self.known.entry(fingerprint).or_default();
        if !contents.contains(&content) {
            contents.push(content);
            match state {
                State::Firing => self.firing += 1,
                State::Resolved => self.resolved += 1,
            }
        }
    }

    pub fn finish(self) -> Vec<Check> {
        vec![self.described, self.keyed]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(state: &str) -> String {
        let fields: String = FIELDS.iter().map(|field| format!(r#","{field}":null"#)).collect();
        format!(r#"{{"fingerprint":"f","state":"{state}"{fields}}}"#)
    }

    fn read(records: &[(&str, Option<&str>)]) -> Alerts {
        let mut alerts = Alerts::default();
        for (key, value) in records {
            let (key, value) = (Some(key.as_bytes()), value.map(str::as_bytes));
            alerts.record(&Record { topic: "a", key, value, ..Record::default() });
        }
        alerts
    }

    fn faults(alerts: Alerts) -> u64 {
        alerts.finish().iter().map(|check| check.faults).sum()
    }

    #[test]
    fn firing_resolved_and_tombstones_are_counted_without_repeats() {
        let (firing, resolved) = (value("firing"), value("resolved"));
        let alerts = read(&[("f", Some(&firing)), ("f", Some(&firing)), ("f", Some(&resolved)), ("f", None)]);

        assert_eq!((alerts.firing, alerts.resolved, alerts.tombstones), (1, 1, 1));
        assert_eq!(faults(alerts), 0);
    }

    #[test]
    fn another_key_another_state_or_a_missing_field_is_a_fault() {
        assert_eq!(faults(read(&[("g", Some(&value("firing")))])), 1);
        assert_eq!(faults(read(&[("f", Some(&value("pending")))])), 1);
        assert_eq!(faults(read(&[("f", Some(&value("firing").replace("since", "then")))])), 1);
        assert_eq!(faults(read(&[("f", None)])), 1);
    }
}
