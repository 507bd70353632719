use serde::{Deserialize, Serialize};

use crate::state::{StateError, TensorMap};

/// Where every event read has ended so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAccounts {
    pub read: u64,
    pub learned: u64,
    /// Labelled, but of weight 0.
    pub scored_only: u64,
    pub pending: u64,
    /// No label came in time; or the event should carry its label and does not.
    pub expired: u64,
    pub duplicate: u64,
    pub dead_lettered: u64,
    /// Left out because a row made a stage panic.
    pub skipped: u64,
}

/// Where every label record read has ended so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelAccounts {
    pub read: u64,
    pub matched: u64,
    /// Came before its event.
    pub pending: u64,
    /// Its event had expired.
    pub late: u64,
    pub expired: u64,
    pub duplicate: u64,
    /// Another value for an event that has a label; the first one stands.
    pub correction: u64,
    pub dead_lettered: u64,
    pub skipped: u64,
}

/// Every record read has exactly one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    pub events: EventAccounts,
    pub labels: LabelAccounts,
}

impl EventAccounts {
    fn all(&mut self) -> [(&'static str, &mut u64); 8] {
        [
            ("read", &mut self.read),
            ("learned", &mut self.learned),
            ("scored_only", &mut self.scored_only),
            ("pending", &mut self.pending),
            ("expired", &mut self.expired),
            ("duplicate", &mut self.duplicate),
            ("dead_lettered", &mut self.dead_lettered),
            ("skipped", &mut self.skipped),
        ]
    }
}

impl LabelAccounts {
    fn all(&mut self) -> [(&'static str, &mut u64); 9] {
        [
            ("read", &mut self.read),
            ("matched", &mut self.matched),
            ("pending", &mut self.pending),
            ("late", &mut self.late),
            ("expired", &mut self.expired),
            ("duplicate", &mut self.duplicate),
            ("correction", &mut self.correction),
            ("dead_lettered", &mut self.dead_lettered),
            ("skipped", &mut self.skipped),
        ]
    }
}

impl Accounts {
    /// Whether what was read is what the accounts hold together.
    pub fn add_up(&self) -> bool {
        let mut copy = *self;
        let sum = |all: &[(&str, &mut u64)]| all[1..].iter().map(|(_, count)| **count).sum::<u64>();
        sum(&copy.events.all()) == self.events.read && sum(&copy.labels.all()) == self.labels.read
    }

    /// Source (`events` or `labels`), account and count of each.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let mut copy = *self;
        let events: Vec<_> = copy.events.all().into_iter().map(|(name, n)| ("events", name, *n)).collect();
        let labels: Vec<_> = copy.labels.all().into_iter().map(|(name, n)| ("labels", name, *n)).collect();
        events.into_iter().chain(labels)
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        for (source, account, count) in self.iter() {
            map.put_u64_one(format!("{source}/{account}"), count);
        }
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let mut loaded = Self::default();
        for (name, count) in loaded.events.all() {
            *count = state.u64_one(&format!("events/{name}"))?;
        }
        for (name, count) in loaded.labels.all() {
            *count = state.u64_one(&format!("labels/{name}"))?;
        }
        *self = loaded;
        Ok(())
    }
}
