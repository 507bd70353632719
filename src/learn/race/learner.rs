use std::sync::Arc;

use super::duel::{Duel, Verdict};
use super::field::{Field, Track};
use super::predictor::RacePredictor;
use super::space::Space;
use super::stable::{self, Challenger, Stable};
use crate::config::{LearnerKind, ModelConfig};
use crate::learn::encode::{Standardiser, read_under};
use crate::learn::{Columns, Context, Examples, Learner, Objective, Predictions, Predictor, Shape};
use crate::schema::Rows;
use crate::state::{StateError, TensorMap, mismatch, sized};

/// Examples from one look at the duels to the next.
const CHECK: u64 = 16;

/// A loss counts as at most this: a surprise of one in a thousand, a value some four deviations off.
const LOSS_MAX: f64 = 7.0;

/// Learners of one family with different settings that learn the same rows, of which the champion predicts.
///
/// A challenger's turn begins as a copy of the champion with other settings; from then on their losses on the same
/// examples are compared. One that is better becomes the champion, one that is worse is dropped, and one whose turn ends
/// undecided waits for another, twice as long, unless it is among the better half: that one stays. In ChaCha, from which
/// this is, challengers begin untrained and keep their models while they wait; a copy tells sooner whether other
/// settings would do better from here on, and what waits takes no memory.
pub struct Race {
    track: Track,
    /// Examples that are learned together: what a learner takes in one step.
    rows_at_once: usize,
    slots: Vec<Slot>,
    field: Field,
    champion: usize,
    stable: Stable,
    /// Of the target of a regression.
    targets: Option<Standardiser>,
    /// Examples until the next look.
    until_check: u64,
    outs: Vec<Predictions>,
}

/// What is known of a learner that learns.
#[derive(Debug, Clone)]
struct Slot {
    settings: Challenger,
    /// Examples of its turn so far.
    used: u64,
    /// With the champion; of the champion none.
    duel: Duel,
}

impl Slot {
    fn new(settings: Challenger) -> Self {
        Self { settings, used: 0, duel: Duel::default() }
    }
}

impl Race {
    /// A race in which nothing has been learned; the champion has the settings of the family's section.
    pub fn new(config: &ModelConfig, shape: &Shape, columns: &Columns) -> Self {
        let race = &config.race;
        let track = Track { config: config.clone(), shape: shape.clone(), columns: columns.clone() };
        let challengers = race.live.max(2) - 1;
        let space = Space::new(config.seed, race.space.len(), challengers);
        let waiting_max = race.challengers_max.saturating_sub(challengers);
        let mut stable = Stable::new(space, race.lease_rows.max(1), waiting_max);
        let start = Challenger { places: config.race_start(), lease: race.lease_rows.max(1) };
        let mut slots = vec![Slot::new(start.clone())];
        slots.extend((0..challengers).map(|_| Slot::new(stable.next(&start.places))));
        let batches = race.learner == LearnerKind::Mlp;
        Self {
            rows_at_once: if batches { config.mlp.step_rows_max.max(1) } else { 1 },
            field: Field::new(&track, &settings(&slots)),
            outs: vec![Predictions::default(); slots.len()],
            slots,
            champion: 0,
            stable,
            targets: (shape.objective == Objective::Regress).then(|| Standardiser::new(1)),
            until_check: CHECK,
            track,
        }
    }

    /// The value of each key of the space that the champion has.
    pub fn champion(&self) -> Vec<f64> {
        let places = &self.slots[self.champion].settings.places;
        self.track.config.race.space.iter().zip(places).map(|(key, place)| key.value(*place)).collect()
    }

    /// How bad a prediction was: logloss, or half the squared distance in deviations of all targets.
    fn loss(&self, prediction: &[f32], target: f32) -> f64 {
        let Some(targets) = &self.targets else {
            let likely = f64::from(prediction[target as usize].max(1e-30));
            return (-libm::log(likely)).min(LOSS_MAX);
        };
        let gap = (f64::from(target) - f64::from(prediction[0])) * f64::from(targets.scaling().scales()[0]);
        (0.5 * gap * gap).min(LOSS_MAX)
    }

    /// Takes in what all said of an example, row `row` of their predictions.
    fn judge(&mut self, row: usize, target: f32) {
        let best = self.loss(self.outs[self.champion].row(row), target);
        for slot in (0..self.slots.len()).filter(|slot| *slot != self.champion) {
            let by = best - self.loss(self.outs[slot].row(row), target);
            self.slots[slot].duel.update(by);
            self.slots[slot].used += 1;
        }
        if let Some(targets) = &mut self.targets {
            targets.observe(&[target]);
        }
        self.until_check = self.until_check.saturating_sub(1);
    }

    /// Looks at the duels, and ends turns.
    fn check(&mut self) {
        self.until_check = CHECK;
        let delta = self.track.config.race.delta / self.track.config.race.challengers_max as f64;
        let verdict = |slot: &usize| self.slots[*slot].duel.verdict(delta);
        let advantage = |slot: usize| self.slots[slot].duel.mean();
        let challengers = || (0..self.slots.len()).filter(|slot| *slot != self.champion);
        let better = challengers().filter(|slot| verdict(slot) == Verdict::Better);
        if let Some(winner) = better.reduce(|a, b| if advantage(b) > advantage(a) { b } else { a }) {
            self.crown(winner);
            return;
        }
        let ahead = |slot: usize| challengers().filter(|other| advantage(*other) > advantage(slot)).count();
        let half = self.slots.len() / 2;
        let ends: Vec<(usize, Verdict, bool)> = challengers()
            .map(|slot| (slot, verdict(&slot), ahead(slot) < half))
            .filter(|(slot, verdict, _)| {
                *verdict == Verdict::Worse || self.slots[*slot].used >= self.slots[*slot].settings.lease
            })
            .collect();
        for (slot, verdict, stays) in ends {
            let settings = &self.slots[slot].settings;
            if verdict == Verdict::Open {
                let renewed = settings.clone().renewed();
                if stays {
                    self.slots[slot].settings = renewed;
                    continue;
                }
                self.stable.wait(renewed);
            }
            let champion = &self.slots[self.champion].settings.places;
            let next = self.stable.next(champion);
            self.field.enter(&self.track, self.champion, slot, &next.places);
            self.slots[slot] = Slot::new(next);
        }
    }

    /// Makes a challenger the champion; all duels begin anew.
    fn crown(&mut self, winner: usize) {
        self.champion = winner;
        self.stable.clear();
        let lease = self.track.config.race.lease_rows.max(1);
        for slot in &mut self.slots {
            slot.settings.lease = lease;
            (slot.used, slot.duel) = (0, Duel::default());
        }
    }
}

fn settings(slots: &[Slot]) -> Vec<&[f64]> {
    slots.iter().map(|slot| slot.settings.places.as_slice()).collect()
}

impl Learner for Race {
    fn predict(&self, rows: &Rows, out: &mut Predictions) {
        self.field.predict(self.champion, rows, out);
    }

    fn learn(&mut self, examples: Examples<'_>, context: &Context, out: &mut Predictions) {
        let Examples { rows, targets, weights } = examples;
        let objective = self.track.shape.objective;
        out.reset(objective.outputs(), rows.len());
        let mut chunk =
            Rows::with_capacity(rows.numeric_width(), rows.categorical_width(), self.rows_at_once);
        for start in (0..rows.len()).step_by(self.rows_at_once) {
            let end = rows.len().min(start + self.rows_at_once);
            chunk.clear();
            (start..end).for_each(|row| chunk.push_from(rows, row));
            let (targets, weights) = (&targets[start..end], &weights[start..end]);
            let examples = Examples { rows: &chunk, targets, weights };
            self.field.learn(examples, objective, context, &mut self.outs);
            for (row, (target, weight)) in targets.iter().zip(weights).enumerate() {
                out.row_mut(start + row).copy_from_slice(self.outs[self.champion].row(row));
                if objective.importance(*target, *weight).is_some() {
                    self.judge(row, *target);
                }
            }
            if self.until_check == 0 {
                self.check();
            }
        }
    }

    fn publish(&mut self) -> Arc<dyn Predictor> {
        let places = self.slots[self.champion].settings.places.clone();
        Arc::new(RacePredictor { places, champion: self.field.publish(self.champion) })
    }

    /// `learners/`, of each slot `slot/NN/` with `places`, `turn` (lease, used) and `duel`, `champion`, `stable/`,
    /// `until_check`, and of a regression `targets/`.
    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("learners", self.field.save());
        map.nest("stable", self.stable.save());
        map.put_u64("champion", &[self.champion as u64]);
        map.put_u64_one("until_check", self.until_check);
        for (index, slot) in self.slots.iter().enumerate() {
            let mut of_slot = TensorMap::new();
            of_slot.put_f64("places", &slot.settings.places);
            of_slot.put_u64("turn", &[slot.settings.lease, slot.used]);
            slot.duel.save(&mut of_slot);
            map.nest(&format!("slot/{index:02}"), of_slot);
        }
        if let Some(targets) = &self.targets {
            map.nest("targets", targets.save());
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let keys = self.track.config.race.space.len();
        let champion = state.u64_one("champion")? as usize;
        if champion >= self.slots.len() {
            return Err(mismatch("champion", champion, format_args!("below {}", self.slots.len())));
        }
        let until_check = state.u64_one("until_check")?;
        if !(1..=CHECK).contains(&until_check) {
            return Err(mismatch("until_check", until_check, format_args!("1 to {CHECK}")));
        }
        let read = |state: &TensorMap| {
            let places = stable::places(state.f64s("places")?, keys, "places")?;
            let turn = sized(state.u64s("turn")?, 2, "turn")?;
            let lease = stable::leases(turn[..1].to_vec(), "turn")?[0];
            Ok(Slot { settings: Challenger { places, lease }, used: turn[1], duel: Duel::load(state)? })
        };
        let slots = (0..self.slots.len()).map(|index| read_under(state, &format!("slot/{index:02}"), read));
        let slots = slots.collect::<Result<Vec<Slot>, StateError>>()?;
        let stable = read_under(state, "stable", |state| self.stable.load(keys, state))?;
        let targets = match &self.targets {
            None => None,
            Some(_) => Some(read_under(state, "targets", |state| Standardiser::load(1, state))?),
        };
        let load = |state: &TensorMap| Field::load(&self.track, &settings(&slots), state);
        self.field = read_under(state, "learners", load)?;
        (self.slots, self.champion, self.stable) = (slots, champion, stable);
        (self.targets, self.until_check) = (targets, until_check);
        Ok(())
    }
}
