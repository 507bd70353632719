use crate::learn::{Context, Examples, Learner, Objective, Predictions};
use crate::monitor::{Baseline, Baselines};
use crate::schema::Rows;

use super::judge::Judge;

/// When labels come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Row i is predicted after the rows before i - `label_delay` are learned.
    pub label_delay: usize,
    /// So many rows, at least 1, are predicted, then learned.
    pub batch: usize,
}

impl Protocol {
    /// Each row is learned before the next is predicted.
    pub const AT_ONCE: Self = Self { label_delay: 0, batch: 1 };
}

/// Predicts and learns rows as they come, and has every prediction judged.
pub struct Prequential {
    learner: Box<dyn Learner>,
    protocol: Protocol,
    objective: Objective,
    context: Context,
    judge: Judge,
    /// The labels learned so far.
    labels: Baselines,
    /// Rows that are not predicted yet: fewer than a batch.
    coming: Labelled,
    /// Rows that are predicted and not learned yet, with their contexts; those before `learned` are.
    waiting: Labelled,
    learned: usize,
    /// Working memory.
    batch: Labelled,
    out: Predictions,
}

/// Rows with their labels.
#[derive(Debug, Clone, Default)]
pub struct Labelled {
    pub rows: Rows,
    pub targets: Vec<f32>,
    pub weights: Vec<f32>,
}

impl Labelled {
    pub fn new(numeric: usize, categorical: usize) -> Self {
        Self { rows: Rows::new(numeric, categorical), targets: Vec::new(), weights: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.targets.clear();
        self.weights.clear();
    }

    fn push_from(&mut self, other: &Self, row: usize) {
        self.rows.push_from(&other.rows, row);
        self.targets.push(other.targets[row]);
        self.weights.push(other.weights[row]);
    }

    fn append(&mut self, other: &Self) {
        self.rows.append(&other.rows);
        self.targets.extend_from_slice(&other.targets);
        self.weights.extend_from_slice(&other.weights);
    }

    fn examples(&self) -> Examples<'_> {
        Examples { rows: &self.rows, targets: &self.targets, weights: &self.weights }
    }
}

impl Prequential {
    /// `numeric` and `categorical` are the widths of the rows, `seed` is the model's.
    pub fn new(
        learner: Box<dyn Learner>,
        (numeric, categorical): (usize, usize),
        objective: Objective,
        seed: u64,
        protocol: Protocol,
        judge: Judge,
    ) -> Self {
        let protocol = Protocol { batch: protocol.batch.max(1), ..protocol };
        let wide = numeric + learner.context_width();
        Self {
            labels: judge.baselines(),
            learner,
            protocol,
            objective,
            context: Context { entry: 1, seed, time_ms: 0 },
            judge,
            coming: Labelled::new(numeric, categorical),
            waiting: Labelled::new(wide, categorical),
            learned: 0,
            batch: Labelled::new(wide, categorical),
            out: Predictions::default(),
        }
    }

    /// What the predictions so far were worth.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Takes in the next rows of the stream. How they are cut into calls changes nothing, but for a learner whose random
    /// choices go by the entry: what it learns in a call is one.
    pub fn push(&mut self, chunk: &Labelled) {
        if self.protocol == Protocol::AT_ONCE {
            if self.learner.context_width() == 0 {
                self.at_once(chunk);
            } else {
                self.one_by_one(chunk);
            }
            return;
        }
        for row in 0..chunk.rows.len() {
            self.coming.push_from(chunk, row);
            if self.coming.rows.len() == self.protocol.batch {
                self.predict_batch();
            }
        }
    }

    /// The stream ends: what is left is predicted and learned.
    pub fn finish(&mut self) {
        if !self.coming.rows.is_empty() {
            self.predict_batch();
        }
        self.learn_until(self.waiting.rows.len());
    }

    /// The learner in its present state, and the judge.
    pub fn into_parts(self) -> (Box<dyn Learner>, Judge) {
        (self.learner, self.judge)
    }

    /// A learner without context says itself what it would have predicted: many rows a call, no work twice.
    fn at_once(&mut self, chunk: &Labelled) {
        self.learner.learn(chunk.examples(), &self.context, &mut self.out);
        self.context.entry += 1;
        for row in 0..chunk.rows.len() {
            let baseline = self.labels.baseline();
            self.judge.update(chunk.targets[row], self.out.row(row), baseline);
            self.know(chunk.targets[row], chunk.weights[row]);
        }
    }

    /// A row's context knows the labels of all rows before it, so rows come one at a time.
    fn one_by_one(&mut self, chunk: &Labelled) {
        let (numeric, categorical) = (chunk.rows.numeric_width(), chunk.rows.categorical_width());
        for row in 0..chunk.rows.len() {
            let mut one = Labelled::new(numeric, categorical);
            one.push_from(chunk, row);
            self.learner.observe(&mut one.rows);
            self.at_once(&one);
        }
    }

    fn predict_batch(&mut self) {
        // The batch begins at this row of those that wait.
        let begin = self.waiting.rows.len();
        self.learn_until(begin.saturating_sub(self.protocol.label_delay));
        let empty = Labelled::new(self.coming.rows.numeric_width(), self.coming.rows.categorical_width());
        let mut batch = std::mem::replace(&mut self.coming, empty);
        self.learner.observe(&mut batch.rows);
        self.learner.predict(&batch.rows, &mut self.out);
        let baseline: Baseline = self.labels.baseline();
        for (row, target) in batch.targets.iter().enumerate() {
            self.judge.update(*target, self.out.row(row), baseline);
        }
        self.waiting.append(&batch);
        self.forget_learned();
    }

    /// Learns the waiting rows before row `end` of them.
    fn learn_until(&mut self, end: usize) {
        if self.learned >= end {
            return;
        }
        self.batch.clear();
        for row in self.learned..end {
            self.batch.push_from(&self.waiting, row);
        }
        self.learner.learn(self.batch.examples(), &self.context, &mut self.out);
        self.context.entry += 1;
        for row in self.learned..end {
            self.know(self.waiting.targets[row], self.waiting.weights[row]);
        }
        self.learned = end;
    }

    /// Once half of what waits is learned, it goes: moving the rest costs less than a row for each.
    fn forget_learned(&mut self) {
        const ROWS_MIN: usize = 1_024;
        if self.learned < ROWS_MIN.max(self.waiting.rows.len() / 2) {
            return;
        }
        let (wide, categorical) = (self.waiting.rows.numeric_width(), self.waiting.rows.categorical_width());
        let mut rest = Labelled::new(wide, categorical);
        (self.learned..self.waiting.rows.len()).for_each(|row| rest.push_from(&self.waiting, row));
        self.waiting = rest;
        self.learned = 0;
    }

    fn know(&mut self, target: f32, weight: f32) {
        if self.objective.importance(target, weight).is_some() {
            self.labels.update(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::{DriftConfig, Task};
    use crate::learn::Predictor;
    use crate::state::{StateError, TensorMap};

    /// Notes its calls: `o` and `p` and `l` with the first numeric value of each row.
    struct Noting(Arc<Mutex<Vec<String>>>, usize);

    impl Noting {
        fn note(&self, what: &str, rows: &Rows) {
            let values = (0..rows.len()).map(|row| rows.numeric_row(row)[0].to_string());
            let width = rows.numeric_width();
            self.0.lock().unwrap().push(format!("{what}{width} {}", values.collect::<Vec<_>>().join(",")));
        }
    }

    impl Learner for Noting {
        fn context_width(&self) -> usize {
            self.1
        }

        fn observe(&mut self, rows: &mut Rows) {
            rows.widen(self.1);
            self.note("o", rows);
        }

        fn predict(&self, rows: &Rows, out: &mut Predictions) {
            self.note("p", rows);
            out.reset(2, rows.len());
        }

        fn learn(&mut self, examples: Examples<'_>, _: &Context, out: &mut Predictions) {
            self.note("l", examples.rows);
            out.reset(2, examples.rows.len());
        }

        fn publish(&mut self) -> Arc<dyn Predictor> {
            unreachable!("nothing is served")
        }

        fn save(&self) -> TensorMap {
            TensorMap::new()
        }

        fn load(&mut self, _: &TensorMap) -> Result<(), StateError> {
            Ok(())
        }
    }

    fn calls(label_delay: usize, batch: usize, context: usize, cuts: &[usize]) -> (Vec<String>, Judge) {
        let noted = Arc::new(Mutex::new(Vec::new()));
        let judge = Judge::new(Task::Binary, 2, 100, &DriftConfig::default());
        let protocol = Protocol { label_delay, batch };
        let objective = Objective::Classify { classes: 2 };
        let learner = Box::new(Noting(noted.clone(), context));
        let mut prequential = Prequential::new(learner, (1, 0), objective, 1, protocol, judge);
        let mut next = 0;
        for cut in cuts {
            let mut chunk = Labelled::new(1, 0);
            for row in next..next + cut {
                chunk.rows.push(&[row as f32], &[]);
                chunk.targets.push((row % 2) as f32);
                chunk.weights.push(1.0);
            }
            next += cut;
            prequential.push(&chunk);
        }
        prequential.finish();
        let (_, judge) = prequential.into_parts();
        let noted = noted.lock().unwrap().clone();
        (noted.into_iter().filter(|call| !call.starts_with('o') || context > 0).collect(), judge)
    }

    #[test]
    fn without_delay_and_context_rows_are_learned_as_they_are_read() {
        assert_eq!(calls(0, 1, 0, &[3, 2]).0, ["l1 0,1,2", "l1 3,4"]);
    }

    #[test]
    fn a_learner_with_a_context_observes_each_row_after_the_one_before_is_learned() {
        assert_eq!(calls(0, 1, 2, &[2, 1]).0, ["o3 0", "l3 0", "o3 1", "l3 1", "o3 2", "l3 2"]);
    }

    #[test]
    fn under_a_delay_a_row_is_predicted_when_the_rows_before_it_less_the_delay_are_learned() {
        let expected = ["p1 0", "p1 1", "p1 2", "l1 0", "p1 3", "l1 1", "p1 4", "l1 2,3,4"];
        assert_eq!(calls(2, 1, 0, &[5]).0, expected);
        assert_eq!(calls(2, 1, 0, &[1, 3, 1]).0, expected, "cuts do not matter");
        let wide = calls(1, 1, 1, &[3]).0;
        assert_eq!(wide, ["o2 0", "p2 0", "o2 1", "p2 1", "l2 0", "o2 2", "p2 2", "l2 1,2"]);
    }

    #[test]
    fn a_batch_is_predicted_whole_then_learned() {
        let expected = ["p1 0,1", "l1 0,1", "p1 2,3", "l1 2,3", "p1 4", "l1 4"];
        assert_eq!(calls(0, 2, 0, &[5]).0, expected);
        assert_eq!(calls(1, 2, 0, &[4]).0, ["p1 0,1", "l1 0", "p1 2,3", "l1 1,2,3"]);
    }

    #[test]
    fn a_long_stream_under_a_delay_learns_every_row_once_in_order() {
        let (calls, judge) = calls(700, 1, 0, &[5_000, 1]);
        let learned: Vec<String> = calls
            .iter()
            .filter_map(|call| call.strip_prefix("l1 "))
            .flat_map(|rows| rows.split(',').map(String::from).collect::<Vec<_>>())
            .collect();
        assert_eq!(learned, (0..5_001).map(|row| row.to_string()).collect::<Vec<_>>());
        assert_eq!(judge.rows(), 5_001);
    }

    #[test]
    fn baselines_are_under_the_same_delay() {
        // Labels alternate: the label before is never right, the one before that always.
        for (delay, expected) in [(0, 0.0), (1, 1.0 - 2.0 / 1_000.0), (2, 0.0)] {
            let (_, judge) = calls(delay, 1, 0, &[1_000]);
            let numbers = judge.numbers();
            let accuracy = numbers.classification().unwrap().no_change_accuracy.unwrap();
            assert!((accuracy - expected).abs() < 1e-9, "{delay}: {accuracy}");
        }
    }
}
