use std::collections::BTreeMap;

use crate::state::{StateError, TensorMap, mismatch, sized};

use super::alert::{Alert, AlertChange, AlertKind, AlertState};

/// Most alerts that are kept, firing and resolved.
pub const ALERTS_MAX: usize = 256;

/// The alert book: what fires, what is resolved, and what has aged out.
///
/// A transition (to firing, to resolved, out) gives one record for the alerts topic. An alert that fires again while
/// it is firing changes nothing but how long it lasts: what it says is what it said when it began. When the book is
/// full, the alert that was resolved longest ago makes room; if all are firing, the new one is refused and counted.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertBook {
    pipeline: String,
    age_ms: u64,
    alerts: BTreeMap<String, Kept>,
    refused: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Kept {
    alert: Alert,
    /// Firing: when it is resolved by itself, or never. Resolved: when it is removed.
    due_ms: Option<u64>,
}

/// Why an alert fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub kind: AlertKind,
    /// What it is about, within the pipeline.
    pub subject: String,
    pub observed: f64,
    pub threshold: f64,
    /// The version in force; none before the first.
    pub version: Option<u64>,
    /// A sentence that an operator can act on.
    pub message: String,
    /// Resolved by itself after so long without another finding; none: until it is resolved.
    pub lasts_ms: Option<u64>,
}

/// Why an alert is resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The value now; none: as it was.
    pub observed: Option<f64>,
    /// The version in force; none before the first.
    pub version: Option<u64>,
    pub message: String,
}

impl AlertBook {
    /// `age_ms`: how long a resolved alert is kept.
    pub fn new(pipeline: &str, age_ms: u64) -> Self {
        Self { pipeline: pipeline.into(), age_ms, alerts: BTreeMap::new(), refused: 0 }
    }

    fn fingerprint(&self, kind: AlertKind, subject: &str) -> String {
        format!("{}/{}/{subject}", self.pipeline, kind.name())
    }

    /// All alerts, by fingerprint.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().map(|kept| &kept.alert)
    }

    pub fn is_firing(&self, kind: AlertKind, subject: &str) -> bool {
        let is_it = |alert: &Alert| {
            alert.kind == kind && alert.subject == subject && alert.state == AlertState::Firing
        };
        self.iter().any(is_it)
    }

    /// How many alerts were refused because the book was full.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// An alert fires, or goes on firing.
    pub fn fire(&mut self, finding: Finding, now_ms: u64, out: &mut Vec<AlertChange>) {
        let fingerprint = self.fingerprint(finding.kind, &finding.subject);
        let due_ms = finding.lasts_ms.map(|lasts_ms| now_ms.saturating_add(lasts_ms));
        let firing = |kept: &&mut Kept| kept.alert.state == AlertState::Firing;
        if let Some(kept) = self.alerts.get_mut(&fingerprint).filter(firing) {
            kept.due_ms = due_ms;
            return;
        }
        if !self.alerts.contains_key(&fingerprint) && !self.make_room(out) {
            self.refused += 1;
            return;
        }
        let alert = Alert {
            fingerprint: fingerprint.clone(),
            kind: finding.kind,
            severity: finding.kind.severity(),
            state: AlertState::Firing,
            subject: finding.subject,
            observed: finding.observed,
            threshold: finding.threshold,
            version: finding.version,
            since_ms: now_ms,
            at_ms: now_ms,
            message: finding.message,
        };
        out.push(AlertChange::Put(alert.clone()));
        self.alerts.insert(fingerprint, Kept { alert, due_ms });
    }

    /// A firing alert is resolved; any other is left as it is.
    pub fn resolve(
        &mut self,
        kind: AlertKind,
        subject: &str,
        resolution: Resolution,
        now_ms: u64,
        out: &mut Vec<AlertChange>,
    ) {
        let fingerprint = self.fingerprint(kind, subject);
        let age_ms = self.age_ms;
        let firing = |kept: &&mut Kept| kept.alert.state == AlertState::Firing;
        if let Some(kept) = self.alerts.get_mut(&fingerprint).filter(firing) {
            kept.resolve(resolution, now_ms, age_ms);
            out.push(AlertChange::Put(kept.alert.clone()));
        }
    }

    /// Every firing alert of these kinds is resolved for the same reason; the others stay until they age out.
    pub fn resolve_all(
        &mut self,
        kinds: impl Fn(AlertKind) -> bool,
        message: &str,
        version: Option<u64>,
        now_ms: u64,
        out: &mut Vec<AlertChange>,
    ) {
        let age_ms = self.age_ms;
        let concerned = |alert: &Alert| alert.state == AlertState::Firing && kinds(alert.kind);
        for kept in self.alerts.values_mut().filter(|kept| concerned(&kept.alert)) {
            let resolution = Resolution { observed: None, version, message: message.into() };
            kept.resolve(resolution, now_ms, age_ms);
            out.push(AlertChange::Put(kept.alert.clone()));
        }
    }

    /// How long resolved alerts are kept from now on.
    pub fn set_age(&mut self, age_ms: u64) {
        self.age_ms = age_ms;
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now_ms: u64, out: &mut Vec<AlertChange>) {
        let age_ms = self.age_ms;
        self.alerts.retain(|fingerprint, kept| {
            if kept.due_ms.is_none_or(|due_ms| due_ms > now_ms) {
                return true;
            }
            if kept.alert.state == AlertState::Resolved {
                out.push(AlertChange::Remove { fingerprint: fingerprint.clone() });
                return false;
            }
            let message = format!("not seen again; it was: {}", kept.alert.message);
            let version = kept.alert.version;
            kept.resolve(Resolution { observed: None, version, message }, now_ms, age_ms);
            out.push(AlertChange::Put(kept.alert.clone()));
            true
        });
    }

    /// When [`Self::tick`] next has something to do.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.alerts.values().filter_map(|kept| kept.due_ms).min()
    }

    /// Whether one more alert fits, if need be in the place of the one that was resolved longest ago.
    fn make_room(&mut self, out: &mut Vec<AlertChange>) -> bool {
        if self.alerts.len() < ALERTS_MAX {
            return true;
        }
        let resolved = |(_, kept): &(&String, &Kept)| kept.alert.state == AlertState::Resolved;
        let oldest = self.alerts.iter().filter(resolved).min_by_key(|(_, kept)| kept.alert.at_ms);
        let Some(fingerprint) = oldest.map(|(fingerprint, _)| fingerprint.clone()) else {
            return false;
        };
        self.alerts.remove(&fingerprint);
        out.push(AlertChange::Remove { fingerprint });
        true
    }

    pub fn save(&self) -> TensorMap {
        let kept = || self.alerts.values();
        let alerts = || self.iter();
        let mut map = TensorMap::new();
        let texts: Vec<&str> = alerts().flat_map(|alert| [alert.subject.as_str(), &alert.message]).collect();
        let ends: Vec<u64> = texts
            .iter()
            .scan(0, |end, text| {
                *end += text.len() as u64;
                Some(*end)
            })
            .collect();
        let codes = |alert: &Alert| [alert.kind as u32, u32::from(alert.state == AlertState::Firing)];
        map.put_u32("codes", &alerts().flat_map(codes).collect::<Vec<_>>());
        let values = alerts().flat_map(|alert| [alert.observed, alert.threshold]);
        map.put_f64("values", &values.collect::<Vec<_>>());
        let times = kept().flat_map(|kept| [kept.alert.since_ms, kept.alert.at_ms]);
        map.put_u64("times", &times.collect::<Vec<_>>());
        let options = kept().flat_map(|kept| [kept.alert.version, kept.due_ms]);
        let pairs = options.flat_map(|value| [u64::from(value.is_some()), value.unwrap_or(0)]);
        map.put_u64("options", &pairs.collect::<Vec<_>>());
        map.put_bytes("texts", texts.concat().into_bytes());
        map.put_u64("text_ends", &ends);
        map.put_u64_one("refused", self.refused);
        map
    }

    /// Takes a saved state over; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let codes = state.u32s("codes")?;
        let count = codes.len() / 2;
        let codes = sized(codes, 2 * count, "codes")?;
        let values = sized(state.f64s("values")?, 2 * count, "values")?;
        let times = sized(state.u64s("times")?, 2 * count, "times")?;
        let options = sized(state.u64s("options")?, 4 * count, "options")?;
        let ends = sized(state.u64s("text_ends")?, 2 * count, "text_ends")?;
        let texts = state.bytes("texts")?;
        let text = |index: usize| {
            let start = if index == 0 { 0 } else { ends[index - 1] as usize };
            let bytes = texts.get(start..ends[index] as usize);
            let text = bytes.and_then(|bytes| str::from_utf8(bytes).ok()).map(str::to_owned);
            text.ok_or_else(|| mismatch("texts", format!("text {index} broken"), "UTF-8"))
        };
        let option = |index: usize| (options[2 * index] != 0).then_some(options[2 * index + 1]);
        let mut alerts = BTreeMap::new();
        for row in 0..count {
            let kind = AlertKind::ALL.get(codes[2 * row] as usize).copied().ok_or_else(|| {
                let expected = format!("kinds below {}", AlertKind::ALL.len());
                mismatch("codes", format!("kind {}", codes[2 * row]), expected)
            })?;
            let firing = codes[2 * row + 1] != 0;
            let subject = text(2 * row)?;
            let fingerprint = self.fingerprint(kind, &subject);
            let alert = Alert {
                fingerprint: fingerprint.clone(),
                kind,
                severity: kind.severity(),
                state: if firing { AlertState::Firing } else { AlertState::Resolved },
                subject,
                observed: values[2 * row],
                threshold: values[2 * row + 1],
                version: option(2 * row),
                since_ms: times[2 * row],
                at_ms: times[2 * row + 1],
                message: text(2 * row + 1)?,
            };
            alerts.insert(fingerprint, Kept { alert, due_ms: option(2 * row + 1) });
        }
        (self.refused, self.alerts) = (state.u64_one("refused")?, alerts);
        Ok(())
    }
}

impl Kept {
    fn resolve(&mut self, resolution: Resolution, now_ms: u64, age_ms: u64) {
        self.alert.state = AlertState::Resolved;
        self.alert.at_ms = now_ms;
        self.alert.observed = resolution.observed.unwrap_or(self.alert.observed);
        self.alert.version = resolution.version;
        self.alert.message = resolution.message;
        self.due_ms = Some(now_ms.saturating_add(age_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(subject: &str, lasts_ms: Option<u64>) -> Finding {
        Finding {
            kind: AlertKind::RowSkipped,
            subject: subject.into(),
            observed: 1.5,
            threshold: f64::MIN_POSITIVE,
            version: subject.len().is_multiple_of(2).then_some(7),
            message: format!("é{subject}"),
            lasts_ms,
        }
    }

    fn resolution() -> Resolution {
        Resolution { observed: Some(0.0), version: Some(8), message: "well again".into() }
    }

    /// What happened, one character a transition.
    fn told(out: &mut Vec<AlertChange>) -> String {
        let letter = |change| match change {
            AlertChange::Put(Alert { state: AlertState::Firing, .. }) => 'F',
            AlertChange::Put(Alert { state: AlertState::Resolved, .. }) => 'R',
            AlertChange::Remove { .. } => 'X',
        };
        out.drain(..).map(letter).collect()
    }

    #[test]
    fn an_alert_fires_is_resolved_and_ages_out_by_entry_time() {
        let (mut book, mut out) = (AlertBook::new("p", 100), Vec::new());
        book.fire(finding("s", None), 10, &mut out);
        book.fire(finding("s", None), 20, &mut out);
        assert_eq!(told(&mut out), "F", "firing again is no transition");
        assert_eq!(book.next_deadline_ms(), None);
        book.resolve(AlertKind::RowSkipped, "s", resolution(), 50, &mut out);
        book.resolve(AlertKind::RowSkipped, "s", resolution(), 60, &mut out);
        let AlertChange::Put(alert) = &out[0] else { panic!("{out:?}") };
        assert_eq!((alert.since_ms, alert.at_ms, alert.observed), (10, 50, 0.0));
        assert_eq!(told(&mut out), "R");
        assert_eq!(book.next_deadline_ms(), Some(150));
        book.tick(149, &mut out);
        assert_eq!(told(&mut out), "");
        book.tick(150, &mut out);
        assert_eq!(out, [AlertChange::Remove { fingerprint: "p/row_skipped/s".into() }]);
        assert_eq!((out[0].key(), out[0].value()), ("p/row_skipped/s", None));
        assert_eq!((book.iter().count(), book.next_deadline_ms()), (0, None));
    }

    #[test]
    fn a_resolved_alert_fires_again_with_a_new_beginning() {
        let (mut book, mut out) = (AlertBook::new("p", 100), Vec::new());
        book.fire(finding("s", None), 10, &mut out);
        book.resolve(AlertKind::RowSkipped, "s", resolution(), 50, &mut out);
        book.fire(finding("s", None), 80, &mut out);
        book.tick(1_000, &mut out);
        assert_eq!(told(&mut out), "FRF");
        assert_eq!(book.iter().next().unwrap().since_ms, 80);
    }

    #[test]
    fn a_happening_is_resolved_by_itself_unless_it_happens_again() {
        let (mut book, mut out) = (AlertBook::new("p", 100), Vec::new());
        book.fire(finding("s", Some(30)), 10, &mut out);
        book.fire(finding("s", Some(30)), 30, &mut out);
        book.tick(59, &mut out);
        assert_eq!(told(&mut out), "F");
        book.tick(60, &mut out);
        assert_eq!(told(&mut out), "R");
        assert_eq!(book.next_deadline_ms(), Some(160));
    }

    #[test]
    fn a_full_book_drops_what_was_resolved_longest_ago_and_never_what_fires() {
        let (mut book, mut out) = (AlertBook::new("p", 100), Vec::new());
        for i in 0..ALERTS_MAX {
            book.fire(finding(&i.to_string(), None), 0, &mut out);
        }
        out.clear();
        book.fire(finding("one more", None), 1, &mut out);
        assert_eq!((told(&mut out).as_str(), book.refused()), ("", 1));
        book.resolve(AlertKind::RowSkipped, "9", resolution(), 2, &mut out);
        book.resolve(AlertKind::RowSkipped, "8", resolution(), 3, &mut out);
        out.clear();
        book.fire(finding("one more", None), 4, &mut out);
        assert_eq!(out[0].key(), "p/row_skipped/9");
        assert_eq!(told(&mut out), "XF");
        assert_eq!((book.iter().count(), book.refused()), (ALERTS_MAX, 1));
    }

    #[test]
    fn a_saved_book_comes_back_whole_and_a_broken_one_changes_nothing() {
        let (mut book, mut out) = (AlertBook::new("p", 100), Vec::new());
        book.fire(finding("s", Some(30)), 10, &mut out);
        book.fire(finding("tt", None), 20, &mut out);
        book.fire(finding("uuu", None), 20, &mut out);
        book.resolve(AlertKind::RowSkipped, "tt", resolution(), 25, &mut out);
        let mut back = AlertBook::new("p", 100);
        back.load(&book.save()).unwrap();
        assert_eq!(back, book);

        let mut broken = book.save();
        broken.put_bytes("texts", vec![0xff; 40]);
        let error = back.load(&broken).unwrap_err().to_string();
        assert!(error.contains("expected UTF-8"), "{error}");
        let mut broken = book.save();
        broken.put_u32("codes", &[0, 0, 99, 0, 0, 0]);
        assert!(back.load(&broken).unwrap_err().to_string().contains("kind 99"));
        assert_eq!(back, book);
    }
}
