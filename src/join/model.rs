//! The join as the words of the design have it: slow, obvious, and without a line of the real one.

use std::collections::VecDeque;

use super::pending::{LabelOutcome, Tally};

/// An example: the number of its event, and its label.
pub(super) type Example = (u64, f32);

#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) timeout_ms: u64,
    pub(super) rows_max: usize,
    pub(super) bytes_max: u64,
    pub(super) early_labels_max: usize,
    pub(super) ids_max: usize,
}

/// Everything oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// Number of the event, time of its entry.
    pending: VecDeque<(u64, u64)>,
    /// Number of the event, label, time of the label's entry.
    early: VecDeque<(u64, f32, u64)>,
    /// Number of the event, its label; none: it expired.
    finished: VecDeque<(u64, Option<f32>)>,
}

impl Model {
    pub(super) fn knows(&self, event: u64) -> bool {
        self.pending.iter().any(|(other, _)| *other == event)
            || self.finished.iter().any(|(other, _)| *other == event)
    }

    pub(super) fn finish(&mut self, event: u64, label: Option<f32>, bounds: &Bounds) {
        self.finished.push_back((event, label));
        self.keep_to(bounds);
    }

    /// What other bounds change at once.
    pub(super) fn keep_to(&mut self, bounds: &Bounds) {
        while self.finished.len() > bounds.ids_max {
            self.finished.pop_front();
        }
    }

    pub(super) fn admit(&mut self, events: &[u64], now_ms: u64, bounds: &Bounds) -> Vec<Example> {
        let mut examples = Vec::new();
        for &event in events {
            match self.early.iter().position(|(other, _, _)| *other == event) {
                Some(place) => {
                    let label = self.early.remove(place).unwrap().1;
                    examples.push((event, label));
                    self.finish(event, Some(label), bounds);
                }
                None => self.pending.push_back((event, now_ms)),
            }
        }
        examples
    }

    pub(super) fn label(
        &mut self,
        event: u64,
        label: f32,
        now_ms: u64,
        bounds: &Bounds,
    ) -> (LabelOutcome, Vec<Example>) {
        if let Some(place) = self.pending.iter().position(|(other, _)| *other == event) {
            self.pending.remove(place);
            self.finish(event, Some(label), bounds);
            return (LabelOutcome::Matched, vec![(event, label)]);
        }
        let finished = self.finished.iter().find(|(other, _)| *other == event).map(|(_, label)| *label);
        let early = self.early.iter().find(|(other, _, _)| *other == event).map(|(_, label, _)| Some(*label));
        let outcome = match finished.or(early) {
            Some(None) => LabelOutcome::Late,
            Some(Some(first)) if first == label => LabelOutcome::Duplicate,
            Some(Some(_)) => LabelOutcome::Correction,
            None => {
                self.early.push_back((event, label, now_ms));
                LabelOutcome::Pending
            }
        };
        (outcome, Vec::new())
    }

    /// The events that leave, oldest first.
    pub(super) fn expire(&mut self, now_ms: u64, bounds: &Bounds) -> (Tally, Vec<u64>) {
        let (mut tally, mut left) = (Tally::default(), Vec::new());
        let late = |since: u64| since + bounds.timeout_ms <= now_ms;
        while let Some(&(event, since)) = self.pending.front()
            && (late(since) || self.pending.len() > bounds.rows_max || self.bytes() > bounds.bytes_max)
        {
            self.pending.pop_front();
            self.finish(event, None, bounds);
            left.push(event);
            tally.events_expired += 1;
            tally.crowded_out += u64::from(!late(since));
        }
        while let Some(&(_, _, since)) = self.early.front()
            && (late(since) || self.early.len() > bounds.early_labels_max)
        {
            self.early.pop_front();
            tally.labels_expired += 1;
            tally.crowded_out += u64::from(!late(since));
        }
        (tally, left)
    }

    /// Bytes of the pending events, as the store on disk gets those of the tests: 92 whatever is in them, three numbers,
    /// a category, two outputs, the id and the key.
    pub(super) fn bytes(&self) -> u64 {
        let row = |event: u64| 92 + 3 * 4 + 8 + 2 * 4 + format!("event-{event}{}", event % 17).len() as u64;
        self.pending.iter().map(|(event, _)| row(*event)).sum()
    }

    /// Events pending, labels pending, finished ids.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.pending.len(), self.early.len(), self.finished.len())
    }

    pub(super) fn next_deadline_ms(&self, bounds: &Bounds) -> Option<u64> {
        let since = self.pending.iter().map(|(_, since)| *since);
        since
            .chain(self.early.iter().map(|(_, _, since)| *since))
            .min()
            .map(|since| since + bounds.timeout_ms)
    }
}

/// The accounts of the design, of events and of labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) events_read: u64,
    pub(super) learned: u64,
    pub(super) events_duplicate: u64,
    pub(super) events_expired: u64,
    pub(super) labels_read: u64,
    pub(super) matched: u64,
    pub(super) labels_late: u64,
    pub(super) labels_again: u64,
    pub(super) labels_expired: u64,
}

impl Ledger {
    pub(super) fn label(&mut self, outcome: LabelOutcome) {
        self.labels_read += 1;
        match outcome {
            LabelOutcome::Matched => {
                self.matched += 1;
                self.learned += 1;
            }
            LabelOutcome::Pending => {}
            LabelOutcome::Late => self.labels_late += 1,
            LabelOutcome::Duplicate | LabelOutcome::Correction => self.labels_again += 1,
        }
    }

    pub(super) fn expire(&mut self, tally: Tally) {
        self.events_expired += tally.events_expired;
        self.labels_expired += tally.labels_expired;
    }

    /// Asserts that every event and every label has exactly one account.
    pub(super) fn adds_up(&self, pending: usize, early: usize) {
        let events = self.learned + self.events_duplicate + self.events_expired + pending as u64;
        assert_eq!(self.events_read, events, "{self:?}");
        let labels = self.matched + self.labels_late + self.labels_again + self.labels_expired + early as u64;
        assert_eq!(self.labels_read, labels, "{self:?}");
    }
}
