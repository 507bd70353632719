//! The whole learner; each part has its own tests beside it.

use super::learner::SamKnnLearner;
use super::predictor::Memory;
use crate::config::{LearnerKind, ModelConfig, SamKnnConfig, Vote};
use crate::learn::encode::Standardiser;
use crate::learn::testing::{BINARY, Data, SplitMix, contract, elec2};
use crate::learn::{Learner, Objective};

fn model(sam_knn: SamKnnConfig) -> ModelConfig {
    ModelConfig { learner: LearnerKind::SamKnn, sam_knn, ..ModelConfig::default() }
}

#[test]
fn it_does_what_every_learner_owes() {
    let mut configs = Vec::new();
    for vote in [Vote::Uniform, Vote::Distance] {
        for (rows_max, short_rows_min, long_share, k) in
            [(10, 2, 0.4, 1), (25, 3, 0.8, 3), (5_000, 5, 0.1, 5)]
        {
            configs.push(model(SamKnnConfig {
                rows_max,
                short_rows_min,
                long_share,
                k,
                vote,
                mismatch: 1.0,
            }));
        }
    }
    contract(&configs, &[BINARY, Objective::Classify { classes: 3 }, Objective::Regress], 300);
}

/// A concept of two columns that changes every `every` rows, and comes back; of 100 classes `noise` are wrong.
fn changing(rows: usize, every: usize, noise: u64) -> Data {
    let mut random = SplitMix(9);
    let mut data = Data::new(2, 0);
    for row in 0..rows {
        let (x, y) = (random.unit_f32(), random.unit_f32());
        let first = (row / every).is_multiple_of(2);
        let class = if first { x > 0.5 } else { (x + y) % 1.0 > 0.5 };
        let noisy = random.below(100) < noise;
        data.push(&[x, y * 1e3], &[], f32::from(class != noisy), 1.0);
    }
    data
}

/// A row of the naive implementation: numbers and class.
type Row = (Vec<f32>, f32);

/// The rules of the paper, written down as they are said there, over plain lists (no compression).
struct Naive {
    k: usize,
    rows_min: usize,
    standardiser: Standardiser,
    short: Vec<Row>,
    long: Vec<Row>,
    /// Whether each memory was right, for the last rows.
    right: [Vec<bool>; 3],
    /// Of each window, longest first.
    windows: Vec<Vec<bool>>,
}

impl Naive {
    fn distance(&self, a: &[f32], b: &[f32]) -> f32 {
        let scales = self.standardiser.scaling().scales();
        let squares = a.iter().zip(b).zip(scales).map(|((a, b), scale)| {
            let difference = (a - b) * scale;
            (difference * difference).min(256.0)
        });
        squares.fold(0.0, |sum, square| sum + square)
    }

    /// The `k` nearest, the newest of those at one distance: distance and place.
    fn nearest(&self, rows: &[Row], row: &[f32], skip: Option<usize>) -> Vec<(f32, usize)> {
        let mut all: Vec<(f32, usize)> = (0..rows.len())
            .rev()
            .filter(|at| Some(*at) != skip)
            .map(|at| (self.distance(&rows[at].0, row), at))
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.truncate(self.k);
        all
    }

    fn vote(near: &[(f32, f32)]) -> Option<f32> {
        let nearest = near.first()?.0.sqrt();
        let weight = |class: f32| -> f64 {
            let votes = near.iter().filter(|(_, other)| *other == class);
            votes.map(|(square, _)| (f64::from(nearest) + 1e-6) / (f64::from(*square).sqrt() + 1e-6)).sum()
        };
        Some(if weight(1.0) > weight(0.0) { 1.0 } else { 0.0 })
    }

    fn of(rows: &[Row], near: &[(f32, usize)]) -> Vec<(f32, f32)> {
        near.iter().map(|(distance, at)| (*distance, rows[*at].1)).collect()
    }

    fn clean(&self, memory: &mut Vec<Row>, (row, class): &Row, near: &[(f32, f32)]) {
        let same = near.iter().filter(|(_, other)| other == class);
        let Some(reach) = same.map(|(distance, _)| *distance).reduce(f32::max) else { return };
        let mut wrong: Vec<usize> = self
            .nearest(memory, row, None)
            .into_iter()
            .filter(|(distance, at)| *distance <= reach && memory[*at].1 != *class)
            .map(|(_, at)| at)
            .collect();
        wrong.sort();
        wrong.into_iter().rev().for_each(|at| _ = memory.swap_remove(at));
    }

    fn learn(&mut self, row: Row) -> Option<f32> {
        let in_short = Self::of(&self.short, &self.nearest(&self.short, &row.0, None));
        let in_long = Self::of(&self.long, &self.nearest(&self.long, &row.0, None));
        let mut both = [in_short.clone(), in_long.clone()].concat();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        both.truncate(self.k);
        let answers = [Self::vote(&in_short), Self::vote(&in_long), Self::vote(&both)];
        let rights = |memory: usize| self.right[memory].iter().filter(|right| **right).count();
        let best = if rights(0) >= rights(1) && rights(0) >= rights(2) {
            0
        } else if rights(1) >= rights(2) {
            1
        } else {
            2
        };
        for (right, answer) in self.right.iter_mut().zip(answers) {
            right.push(answer == Some(row.1));
        }
        let mut long = std::mem::take(&mut self.long);
        self.clean(&mut long, &row, &in_short);
        self.long = long;
        self.short.push(row.clone());
        self.adapt();
        self.standardiser.observe(&row.0);
        answers[best]
    }

    fn adapt(&mut self) {
        let rows = self.short.len();
        let mut sizes = vec![rows];
        while sizes[sizes.len() - 1] / 2 >= self.rows_min {
            sizes.push(sizes[sizes.len() - 1] / 2);
        }
        for (at, size) in sizes.iter().enumerate() {
            let window = &self.short[rows - size..];
            let right = |until: usize| {
                let (before, row) = (&window[..until], &window[until]);
                Self::vote(&Self::of(before, &self.nearest(before, &row.0, None))) == Some(row.1)
            };
            if at == self.windows.len() {
                self.windows.push((0..*size).map(right).collect());
            } else {
                let right = right(size - 1);
                self.windows[at].push(right);
                let over = self.windows[at].len() - size;
                self.windows[at].drain(..over);
            }
        }
        let share =
            |window: &Vec<bool>| window.iter().filter(|right| **right).count() as f64 / window.len() as f64;
        let mut best = 0;
        for at in 1..sizes.len() {
            if share(&self.windows[at]) > share(&self.windows[best]) {
                best = at;
            }
        }
        if best > 0 {
            self.windows.drain(..best);
            let mut gone: Vec<Row> = self.short.drain(..rows - sizes[best]).collect();
            for at in 0..self.short.len() {
                let near = Self::of(&self.short, &self.nearest(&self.short, &self.short[at].0, Some(at)));
                self.clean(&mut gone, &self.short[at], &near);
            }
            self.long.extend(gone);
        }
        let rows = self.short.len();
        for right in &mut self.right {
            let over = right.len().saturating_sub(rows);
            right.drain(..over);
        }
    }
}

#[test]
fn it_follows_the_rules_of_the_paper() {
    let data = changing(1_200, 250, 5);
    let config = SamKnnConfig { short_rows_min: 10, k: 3, ..SamKnnConfig::default() };
    let mut learner = SamKnnLearner::of(&config, BINARY, 2);
    let mut naive = Naive {
        k: 3,
        rows_min: 10,
        standardiser: Standardiser::new(2),
        short: Vec::new(),
        long: Vec::new(),
        right: Default::default(),
        windows: Vec::new(),
    };
    let mut shortened = 0;
    for row in 0..data.rows.len() {
        let said = data.part(row..row + 1).teach(&mut learner);
        let before = naive.short.len();
        let answer = naive.learn((data.rows.numeric_row(row).to_vec(), data.targets[row]));
        if let Some(answer) = answer {
            assert_eq!(f32::from(said.row(0)[1] > said.row(0)[0]), answer, "row {row}");
        }
        let (short, long, _) = learner.memories();
        assert_eq!((short.len(), long.len()), (naive.short.len(), naive.long.len()), "row {row}");
        shortened += usize::from(naive.short.len() < before);
    }
    let (_, long, _) = learner.memories();
    let kept: Vec<f32> = long.places().map(|place| long.target(place)).collect();
    assert_eq!(kept, naive.long.iter().map(|row| row.1).collect::<Vec<_>>());
    assert!(shortened > 5 && !kept.is_empty(), "{shortened}");
}

#[test]
fn soon_after_a_change_the_short_memory_has_no_row_from_before_it() {
    let mut learner = SamKnnLearner::of(&SamKnnConfig::default(), BINARY, 2);
    let data = changing(2_400, 1_200, 0);
    let mut longest = 0;
    for row in 0..1_800 {
        data.part(row..row + 1).teach(&mut learner);
        let short = learner.memories().0.len();
        if row < 1_200 {
            longest = longest.max(short);
        }
        assert!(row < 1_400 || short <= row + 1 - 1_200, "{short} rows after row {row}");
    }
    assert!(longest > 200, "{longest}");
}

#[test]
fn what_comes_back_is_known_from_the_long_memory() {
    let data = changing(5_000, 1_000, 5);
    let score = |learner: &mut dyn Learner| data.accuracy(&data.teach(learner));
    let sam = score(&mut SamKnnLearner::of(&SamKnnConfig::default(), BINARY, 2));
    let config = ModelConfig { learner: LearnerKind::Knn, ..ModelConfig::default() };
    let window = score(data.learner(&config, BINARY).as_mut());
    assert!(sam > window + 0.02, "{sam} {window}");
}

#[test]
fn both_memories_together_stay_within_their_rows() {
    let config = SamKnnConfig { rows_max: 300, short_rows_min: 20, ..SamKnnConfig::default() };
    let data = changing(3_000, 400, 5);
    let mut learner = SamKnnLearner::of(&config, BINARY, 2);
    let (mut longest, mut memories) = (0, Vec::new());
    for row in 0..data.rows.len() {
        data.part(row..row + 1).teach(&mut learner);
        let (short, long, memory) = learner.memories();
        assert!(short.len() + long.len() <= 300, "{} {}", short.len(), long.len());
        longest = longest.max(long.len());
        memories.push(memory);
    }
    assert!(longest > 60, "{longest}");
    for memory in [Memory::Short, Memory::Long, Memory::Both] {
        assert!(memories.contains(&memory), "{memory:?} never answers");
    }
}

#[test]
fn more_rows_than_both_memories_have_are_refused() {
    let data = changing(200, 100, 5);
    let mut learner = data.learner(&model(SamKnnConfig::default()), BINARY);
    data.teach(learner.as_mut());
    let small = SamKnnConfig { rows_max: 150, ..SamKnnConfig::default() };
    let error = data.learner(&model(small), BINARY).load(&learner.save()).unwrap_err().to_string();
    assert!(error.contains("row_targets"), "{error}");
}

/// Our own score, so that a change of it is seen.
#[test]
fn its_score_on_the_first_rows_of_elec2_stays() {
    let data = elec2();
    let learner = &mut *data.learner(&model(SamKnnConfig::default()), BINARY);
    let accuracy = data.accuracy(&data.teach(learner));
    assert!((accuracy - 0.8867).abs() < 1e-4, "{accuracy}");
}

#[test]
fn a_regression_follows_a_function_that_changes() {
    let mut random = SplitMix(4);
    let mut data = Data::new(1, 0);
    for row in 0..2_000 {
        let x = random.unit_f32();
        data.push(&[x], &[], if row < 1_000 { 10.0 * x } else { 3.0 - 5.0 * x }, 1.0);
    }
    let mut learner = SamKnnLearner::of(&SamKnnConfig::default(), Objective::Regress, 1);
    let out = data.teach(&mut learner);
    let error = |from: usize| {
        let off = (from..from + 400).map(|row| f64::from(out.row(row)[0] - data.targets[row]).abs());
        off.sum::<f64>() / 400.0
    };
    assert!(error(600) < 0.05 && error(1_600) < 0.05, "{} {}", error(600), error(1_600));
}
