//! What an entry does to the state, in this order: predict, put in pending, join, expire, learn.

use hashbrown::HashTable;

use super::decode::{Decoded, Skips};
use super::effects::{Answers, Effects};
use super::machine::Machine;
use super::outputs::{PredictionWriter, push_dead_letter, push_example, push_named_dead_letter};
use super::probe::{Stage, tell};
use crate::config::OnTimeout;
use crate::join::{Chunk, LabelOutcome, Labelled, Tally, Truth};
use crate::journal::{Entry, Skip};
use crate::learn::{Context, Examples, Predictions};
use crate::monitor::{AlertChange, Baseline, Observed};
use crate::schema::{Events, Label, Origin, Rows};

/// Room that is made for a prediction and its key.
const PREDICTION_BYTES: usize = 320;

/// Buffers that are used again from entry to entry.
#[derive(Default)]
pub(super) struct BatchWork {
    labelled: Labelled,
    /// Of the rows of a batch that carry a usable label: place and truth.
    truths: Vec<(usize, Truth)>,
    served: Predictions,
    own: Predictions,
    delays: Vec<u64>,
    baselines: Vec<Baseline>,
}

impl BatchWork {
    /// A batch of rows.
    pub(super) fn run(
        &mut self,
        machine: &mut Machine,
        entry: &Entry,
        mut decoded: Decoded,
        effects: &mut Effects,
        alerts: &mut Vec<AlertChange>,
    ) {
        machine.accounts.events.read += decoded.rows.events_read;
        machine.accounts.labels.read += decoded.rows.labels_read;
        effects.counts.notices = decoded.rows.notices;
        self.refuse(machine, entry, &decoded, effects, alerts);
        self.begin(machine);
        let events = std::mem::take(&mut decoded.rows.events);
        self.predict(machine, entry, events, &decoded, effects);
        self.join(machine, entry, &decoded, effects);
    }

    /// What is due by the entry's time, without the rows that `skips` names; then everything that was labelled is
    /// learned.
    pub(super) fn expire(
        &mut self,
        machine: &mut Machine,
        entry: &Entry,
        skips: &Skips,
        effects: &mut Effects,
        alerts: &mut Vec<AlertChange>,
    ) {
        if self.labelled.outputs == 0 {
            self.begin(machine);
        }
        let negative = machine.setup.config.join.on_timeout == OnTimeout::Negative;
        let labelled = &mut self.labelled;
        let mut left_out = Vec::new();
        let topic = machine.setup.events_topic.clone();
        let tally: Tally = machine.join.expire(entry.time_ms, |chunk, row| {
            let Origin { partition, offset } = chunk.origins[row];
            if !skips.is_empty() && skips.contains(&(entry.n, topic.to_string(), partition, offset)) {
                left_out.push((partition, offset));
            } else if negative {
                labelled.push(chunk, row, Truth { target: 0.0, weight: 1.0, arrived_ms: -1 });
            }
        });
        if !negative {
            machine.accounts.events.expired += tally.events_expired - left_out.len() as u64;
        }
        for place in left_out {
            leave_out(machine, entry, place, effects, alerts);
        }
        machine.accounts.labels.expired += tally.labels_expired;
        if tally.crowded_out > 0 {
            let (rows_max, version) = (machine.setup.config.join.rows_max as u64, machine.cursor.version);
            let pending = machine.join.pending() as u64;
            machine.monitor.pending_full((pending, rows_max), entry.time_ms, Some(version), alerts);
        }
        self.learn(machine, entry, effects, alerts);
        machine.accounts.events.pending = machine.join.pending() as u64;
        machine.accounts.labels.pending = machine.join.early_labels() as u64;
    }

    fn begin(&mut self, machine: &Machine) {
        let outputs = machine.shape.objective.outputs();
        let widths = (self.labelled.rows.numeric_width(), self.labelled.rows.categorical_width());
        let numeric = machine.shape.numeric + machine.learner.context_width();
        if widths == (numeric, machine.shape.categorical) && self.labelled.outputs == outputs {
            self.labelled.clear();
        } else {
            let rows = Rows::new(numeric, machine.shape.categorical);
            self.labelled = Labelled::new(rows, outputs);
        }
    }

    /// Dead letters for the records that could not be decoded or that a `skip` names.
    fn refuse(
        &self,
        machine: &mut Machine,
        entry: &Entry,
        decoded: &Decoded,
        effects: &mut Effects,
        alerts: &mut Vec<AlertChange>,
    ) {
        for refused in &decoded.rows.refused {
            let record = decoded.records.get(refused.row);
            let skipped = refused.stage == "skip";
            let accounts = &mut machine.accounts;
            let account = match (refused.is_event, skipped) {
                (true, false) => &mut accounts.events.dead_lettered,
                (true, true) => &mut accounts.events.skipped,
                (false, false) => &mut accounts.labels.dead_lettered,
                (false, true) => &mut accounts.labels.skipped,
            };
            *account += 1;
            effects.counts.dead_letter(refused.is_event, refused.kind);
            let topic = &machine.setup.dead_letters_topic;
            push_dead_letter(&mut effects.outputs, topic, &record, refused.stage, &refused.reason);
            if skipped {
                let skip = Skip {
                    entry: entry.n,
                    topic: record.topic().to_owned(),
                    partition: record.partition(),
                    offset: record.offset(),
                    reason: refused.reason.clone(),
                };
                machine.alert_skip(&skip, alerts);
            }
        }
    }

    /// Predicts the batch's events with the revision published before this entry, and lets them wait.
    fn predict(
        &mut self,
        machine: &mut Machine,
        entry: &Entry,
        events: Events,
        decoded: &Decoded,
        effects: &mut Effects,
    ) {
        let in_event = machine.setup.config.events.label.is_some();
        let with_id = machine.setup.config.events.id.is_some();
        let (mut chunk, carried) = admit(machine, entry, events, with_id);
        if chunk.is_empty() {
            return;
        }
        machine.learner.observe(&mut chunk.rows);
        let revision = machine.revision.clone();
        revision.predictor.predict(&chunk.rows, &mut self.served);
        chunk.outputs = self.served.outputs;
        chunk.served.clone_from(&self.served.values);
        machine.cursor.predicted += chunk.len() as u64;
        effects.counts.predicted += chunk.len() as u64;

        let (epoch, topic) = (machine.cursor.epoch, machine.setup.events_topic.clone());
        let writer = PredictionWriter::new(&machine.setup.name, &revision, epoch, entry.time_ms, &topic);
        effects.outputs.reserve(chunk.len(), PREDICTION_BYTES);
        for row in 0..chunk.len() {
            let origin = chunk.origins[row];
            let key = Some(chunk.keys.get(row));
            let partition = Some(origin.partition);
            effects.outputs.push_with(&machine.setup.predictions_topic, partition, key, |value| {
                writer.write(value, &chunk, row);
            });
            tell(&machine.probe, Stage::Predict, entry.n, origin.offset);
        }
        // Readers ask again under later revisions, whose context is their own.
        let width = machine.shape.numeric;
        let bare = |rows: Rows| if rows.numeric_width() == width { rows } else { rows.narrowed(width) };
        let answers = |keys, rows, outputs, values| {
            let rows = bare(rows);
            Some(Answers { keys, rows, predictions: Predictions { outputs, values }, revision })
        };
        if in_event {
            self.label_at_once(machine, entry, &chunk, &carried, decoded, effects);
            effects.answers = answers(chunk.keys, chunk.rows, chunk.outputs, chunk.served);
        } else {
            let (keys, rows, values) = (chunk.keys.clone(), chunk.rows.clone(), chunk.served.clone());
            effects.answers = answers(keys, rows, chunk.outputs, values);
            let matched = machine.join.admit(chunk, &mut self.labelled);
            machine.accounts.labels.matched += matched;
        }
    }

    /// Events that carry their label are examples at once.
    fn label_at_once(
        &mut self,
        machine: &mut Machine,
        entry: &Entry,
        chunk: &Chunk,
        carried: &Carried,
        decoded: &Decoded,
        effects: &mut Effects,
    ) {
        let remember = machine.setup.config.events.id.is_some();
        self.truths.clear();
        for (row, label) in carried.labels.iter().enumerate() {
            let target = label.as_ref().map(|label| machine.classes.target(label));
            let target = match target {
                Some(Ok(target)) => target,
                Some(Err(reason)) => {
                    machine.accounts.events.dead_lettered += 1;
                    let origin = chunk.origins[row];
                    dead_letter(machine, decoded, true, (origin.partition, origin.offset), &reason, effects);
                    continue;
                }
                None => {
                    machine.accounts.events.expired += 1;
                    continue;
                }
            };
            let arrived_ms = carried.timestamps_ms[row];
            self.truths.push((row, Truth { target, weight: 1.0, arrived_ms }));
            tell(&machine.probe, Stage::Join, entry.n, chunk.origins[row].offset);
        }
        if self.truths.len() == chunk.len() {
            self.labelled.append(chunk, self.truths.iter().map(|(_, truth)| *truth));
        } else {
            self.truths.iter().for_each(|(row, truth)| self.labelled.push(chunk, *row, *truth));
        }
        if remember {
            machine.join.finish(self.truths.iter().map(|(row, truth)| (chunk.id_hashes[*row], truth.target)));
        }
    }

    /// Brings the batch's labels to their events.
    fn join(&mut self, machine: &mut Machine, entry: &Entry, decoded: &Decoded, effects: &mut Effects) {
        let labels = &decoded.rows.labels;
        for row in 0..labels.len() {
            let origin = labels.origins[row];
            let target = match machine.classes.target(&labels.labels[row]) {
                Ok(target) => target,
                Err(reason) => {
                    machine.accounts.labels.dead_lettered += 1;
                    dead_letter(machine, decoded, false, (origin.partition, origin.offset), &reason, effects);
                    continue;
                }
            };
            let truth = Truth { target, weight: labels.weights[row], arrived_ms: labels.timestamps_ms[row] };
            let id = labels.id_hashes[row];
            let accounts = &mut machine.accounts.labels;
            match machine.join.label(id, truth, entry.time_ms, &mut self.labelled) {
                LabelOutcome::Matched => accounts.matched += 1,
                LabelOutcome::Pending => {}
                LabelOutcome::Late => accounts.late += 1,
                LabelOutcome::Duplicate => accounts.duplicate += 1,
                LabelOutcome::Correction => accounts.correction += 1,
            }
            tell(&machine.probe, Stage::Join, entry.n, origin.offset);
        }
    }

    /// Learns what was labelled, and judges it.
    fn learn(
        &mut self,
        machine: &mut Machine,
        entry: &Entry,
        effects: &mut Effects,
        alerts: &mut Vec<AlertChange>,
    ) {
        let labelled = &self.labelled;
        if labelled.is_empty() {
            return;
        }
        let context =
            Context { entry: entry.n, seed: machine.setup.config.model.seed, time_ms: entry.time_ms };
        let learned = learn_weighted(machine, labelled, &context, &mut self.own);
        machine.cursor.learned(learned);
        machine.accounts.events.learned += learned;
        machine.accounts.events.scored_only += labelled.len() as u64 - learned;
        effects.counts.learned += learned;
        if machine.probe.is_some() {
            for origin in &labelled.origins {
                tell(&machine.probe, Stage::Learn, entry.n, origin.offset);
            }
        }
        for arrived_ms in labelled.arrived_ms.iter().filter(|ms| **ms >= 0) {
            machine.cursor.arrivals.push(*arrived_ms);
        }

        self.delays.clear();
        self.delays.extend(labelled.sequences.iter().map(|sequence| machine.cursor.predicted - sequence));
        self.baselines.clear();
        self.baselines.extend(
            labelled.baselines.iter().map(|(common, last)| Baseline { common: *common, last: *last }),
        );
        let observed = Observed {
            truths: &labelled.targets,
            served: &labelled.served,
            learner: &self.own.values,
            baselines: &self.baselines,
            delays: &self.delays,
        };
        machine.monitor.observe(&observed, entry.time_ms, Some(machine.cursor.version), alerts);
        if machine.probe.is_some() {
            for origin in &labelled.origins {
                tell(&machine.probe, Stage::Judge, entry.n, origin.offset);
            }
        }
        if let Some(topic) = &machine.setup.examples_topic {
            let classes = machine.classes.names();
            let events_topic = &machine.setup.events_topic;
            for row in (0..labelled.len()).filter(|row| labelled.weights[*row] > 0.0) {
                push_example(&mut effects.outputs, topic, entry.n, labelled, row, &classes, events_topic);
            }
        }
        self.labelled.clear();
    }
}

/// What events carry besides their features.
#[derive(Default)]
struct Carried {
    labels: Vec<Option<Label>>,
    timestamps_ms: Vec<i64>,
}

/// The batch's events as a chunk, without duplicates; the labels beside are those that they carry.
fn admit(machine: &mut Machine, entry: &Entry, events: Events, with_id: bool) -> (Chunk, Carried) {
    let baseline = machine.monitor.baseline();
    let mut fresh = vec![true; events.len()];
    let mut duplicates = 0;
    if with_id {
        let ids = &events.id_hashes;
        let mut seen: HashTable<u32> = HashTable::with_capacity(ids.len());
        for (row, id) in ids.iter().enumerate() {
            let first = seen.find(*id as u64, |other| ids[*other as usize] == *id).is_none();
            fresh[row] = first && !machine.join.knows(*id);
            if first {
                seen.insert_unique(*id as u64, row as u32, |other| ids[*other as usize] as u64);
            }
            duplicates += u64::from(!fresh[row]);
        }
    }
    machine.accounts.events.duplicate += duplicates;
    let mut chunk = Chunk {
        entry: entry.n,
        time_ms: entry.time_ms,
        revision: machine.revision.number,
        baseline: (baseline.common, baseline.last),
        ..Chunk::default()
    };
    let mut carried = Carried::default();
    if duplicates == 0 {
        carried = Carried { labels: events.labels, timestamps_ms: events.timestamps_ms };
        chunk.rows = events.rows;
        chunk.ids = events.ids;
        chunk.id_hashes = events.id_hashes;
        chunk.keys = events.keys;
        chunk.weights = events.weights;
        chunk.origins = events.origins;
    } else {
        chunk.rows = Rows::new(machine.shape.numeric, machine.shape.categorical);
        for row in (0..events.len()).filter(|row| fresh[*row]) {
            carried.labels.push(events.labels[row].clone());
            carried.timestamps_ms.push(events.timestamps_ms[row]);
            chunk.rows.push_from(&events.rows, row);
            chunk.ids.push(events.ids.get(row));
            chunk.id_hashes.push(events.id_hashes[row]);
            chunk.keys.push(events.keys.get(row));
            chunk.weights.push(events.weights[row]);
            chunk.origins.push(events.origins[row]);
        }
    }
    let before = machine.cursor.predicted;
    chunk.sequences = (0..chunk.len() as u64).map(|row| before + row + 1).collect();
    (chunk, carried)
}

/// Learns the rows with a weight, in order; the others are only predicted, where they stand. Returns how many were
/// learned.
fn learn_weighted(
    machine: &mut Machine,
    labelled: &Labelled,
    context: &Context,
    own: &mut Predictions,
) -> u64 {
    let all = Examples { rows: &labelled.rows, targets: &labelled.targets, weights: &labelled.weights };
    if labelled.weights.iter().all(|weight| *weight > 0.0) {
        machine.learner.learn(all, context, own);
        return labelled.len() as u64;
    }
    let outputs = machine.shape.objective.outputs();
    let (mut learned, mut part) = (0, Predictions::new(outputs));
    own.reset(outputs, 0);
    for row in 0..labelled.len() {
        let mut rows = Rows::new(labelled.rows.numeric_width(), labelled.rows.categorical_width());
        rows.push_from(&labelled.rows, row);
        if labelled.weights[row] > 0.0 {
            let (targets, weights) = (&labelled.targets[row..=row], &labelled.weights[row..=row]);
            machine.learner.learn(Examples { rows: &rows, targets, weights }, context, &mut part);
            learned += 1;
        } else {
            machine.learner.predict(&rows, &mut part);
        }
        own.values.extend_from_slice(&part.values);
    }
    learned
}

/// An expired event that a `skip` names: it is not learned, and its record, whose bytes are not at hand any more, is
/// named by a dead letter.
fn leave_out(
    machine: &mut Machine,
    entry: &Entry,
    (partition, offset): (i32, i64),
    effects: &mut Effects,
    alerts: &mut Vec<AlertChange>,
) {
    let topic = machine.setup.events_topic.to_string();
    let reason = "the row made a stage panic when it expired";
    machine.accounts.events.skipped += 1;
    effects.counts.dead_letter(true, "skipped");
    push_named_dead_letter(
        &mut effects.outputs,
        &machine.setup.dead_letters_topic,
        (&topic, partition, offset),
        reason,
    );
    let skip = Skip { entry: entry.n, topic, partition, offset, reason: reason.into() };
    machine.alert_skip(&skip, alerts);
}

fn dead_letter(
    machine: &Machine,
    decoded: &Decoded,
    is_event: bool,
    place: (i32, i64),
    reason: &str,
    effects: &mut Effects,
) {
    effects.counts.dead_letter(is_event, "label_not_declared");
    if let Some(row) = decoded.row_of(&machine.setup.events_topic, is_event, place) {
        let topic = &machine.setup.dead_letters_topic;
        push_dead_letter(&mut effects.outputs, topic, &decoded.records.get(row), "join", reason);
    }
}
