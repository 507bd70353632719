use serde::{Deserialize, Serialize};

/// One step of a pipeline: numbered from 1 without gaps, stamped with a time that never goes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub n: u64,
    /// Milliseconds since 1970: the epoch's wall-clock start plus monotonic time since.
    pub time_ms: u64,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A new owner.
    Epoch {
        epoch: u64,
        build: String,
        /// Architecture and the SIMD level that run-time dispatch chooses.
        cpu: String,
        threads: u32,
        /// The effective configuration without secrets and connection settings.
        config: serde_json::Value,
    },
    /// Records of the sources, in the order topic, partition, offset.
    Batch { parts: Vec<Part> },
    /// Time passed while something waits for a deadline.
    Tick,
    /// What comes from outside.
    Control { action: Action, by: String, why: String },
    /// A row of an earlier entry that cannot be used.
    Skip(Skip),
}

/// What a batch holds of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub topic: String,
    pub partition: i32,
    /// Offset of the first record.
    pub first: i64,
    /// Offset of the last record; transaction markers and aborted records leave gaps between the two.
    pub last: i64,
    pub count: u64,
    /// XXH3-128 of the records, 32 hex digits.
    pub hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Store a version now.
    Store,
    /// Begin again with an untrained model (`run --reset model`).
    ResetModel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Skip {
    /// Number of the `batch` that the row is in.
    pub entry: u64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub reason: String,
}

impl Entry {
    /// The bytes that the journal holds.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an entry has only string keys and finite numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_documented_form() {
        let entry = Entry {
            n: 7,
            time_ms: 1_700_000_000_123,
            body: Body::Batch {
                parts: vec![Part {
                    topic: "elec2.events".into(),
                    partition: 0,
                    first: 10,
                    last: 12,
                    count: 3,
                    hash: "00ff".into(),
                }],
            },
        };
        let json = r#"{"n":7,"time_ms":1700000000123,"kind":"batch","parts":[{"topic":"elec2.events","partition":0,"first":10,"last":12,"count":3,"hash":"00ff"}]}"#;
        assert_eq!(String::from_utf8(entry.to_json()).unwrap(), json);
        assert_eq!(serde_json::from_str::<Entry>(json).unwrap(), entry);

        let skip = r#"{"n":9,"time_ms":5,"kind":"skip","entry":7,"topic":"t","partition":0,"offset":11,"reason":"it panics"}"#;
        let back: Entry = serde_json::from_str(skip).unwrap();
        assert_eq!(String::from_utf8(back.to_json()).unwrap(), skip);
    }
}
