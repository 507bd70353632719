//! The combination: linear models over the experts' log-odds learn how much each is worth (stacking, Wolpert 1992, here
//! online and of second order), and a mixture with fixed share (Herbster and Warmuth, "Tracking the best expert", 1998)
//! over these and the experts themselves is never much worse than the best of all.

use std::ops::Range;

use super::newton::NewtonTraining;
use super::scores::{self, SURE, floats, respond};
use crate::learn::Objective;
use crate::learn::encode::read_under;
use crate::learn::exponential::exp;
use crate::state::{StateError, TensorMap, at_least, mismatch};

/// How much of an example's say is left after the next one, of each linear model.
const FORGET: [f64; 3] = [0.99998, 0.9995, 0.99];

/// Variance of a weight before the first example.
const PRIOR: f64 = 0.01;

/// What each candidate of the mixture gives to all others at every example.
const SHARE: f32 = 2e-4;

/// Rows over which it is counted who is right.
const LONG: f32 = 4_000.0;
const SHORT: f32 = 200.0;

const LANES: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Stack {
    objective: Objective,
    experts: usize,
    scores: usize,
    /// Weights of a linear model: experts and, for one score, a bias; a multiple of eight.
    stride: usize,
    /// `[models, stride]`.
    weights: Vec<f32>,
    /// `[models + experts]`: probabilities.
    mixture: Vec<f32>,
    /// `[2, models + experts + 1]`: shares of rows told right, of the last thousands and of the last hundreds, by each
    /// candidate and by the mixture; of a regression 0.
    right: Vec<f32>,
    /// Rows learned, while they are few.
    learned: f32,
}

#[derive(Debug, Clone)]
pub(super) struct StackTraining {
    models: Vec<NewtonTraining>,
    inputs: Vec<f32>,
    losses: Vec<f32>,
    /// Mean squared error of late, of a regression.
    error: f32,
}

/// What the stack says of one row.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// `[models, scores]`.
    scores: Vec<f32>,
    /// `[models + experts, outputs]`: probabilities, or values.
    candidates: Vec<f32>,
    /// The likeliest class by the mixture.
    mixed: usize,
    /// `[outputs]`.
    pub out: Vec<f32>,
}

impl Stack {
    pub fn new(objective: Objective, experts: usize) -> (Self, StackTraining) {
        let scores = scores::scores(objective);
        let stride = (experts + 1).next_multiple_of(LANES);
        let models = FORGET.len();
        let mut weights = vec![0.0; models * stride];
        for weights in weights.chunks_exact_mut(stride) {
            weights[..experts].fill(1.0 / experts as f32);
        }
        let candidates = models + experts;
        let training = StackTraining {
            models: FORGET.iter().map(|forget| NewtonTraining::new(scores, stride, *forget, PRIOR)).collect(),
            inputs: vec![0.0; stride],
            losses: vec![0.0; candidates],
            error: 1.0,
        };
        let mixture = vec![1.0 / candidates as f32; candidates];
        let right = vec![0.0; 2 * (candidates + 1)];
        (Self { objective, experts, scores, stride, weights, mixture, right, learned: 0.0 }, training)
    }

    /// Combines opinions, `[experts, scores]`.
    pub fn forward(&self, opinions: &[f32], said: &mut Said) {
        let outputs = self.objective.outputs();
        let models = FORGET.len();
        said.scores.resize(models * self.scores, 0.0);
        said.candidates.resize((models + self.experts) * outputs, 0.0);
        said.out.resize(outputs, 0.0);
        for (scores, weights) in
            said.scores.chunks_exact_mut(self.scores).zip(self.weights.chunks_exact(self.stride))
        {
            scores.fill(if self.scores == 1 { weights[self.experts] } else { 0.0 });
            for (weight, opinion) in weights.iter().zip(opinions.chunks_exact(self.scores)) {
                scores.iter_mut().zip(opinion).for_each(|(score, opinion)| *score += weight * opinion);
            }
            scores.iter_mut().for_each(|score| *score = score.clamp(-2.0 * SURE, 2.0 * SURE));
        }
        let all = said.scores.chunks_exact(self.scores).chain(opinions.chunks_exact(self.scores));
        said.out.fill(0.0);
        for ((scores, candidate), share) in
            all.zip(said.candidates.chunks_exact_mut(outputs)).zip(&self.mixture)
        {
            respond(self.objective, scores, candidate);
            said.out.iter_mut().zip(candidate).for_each(|(out, p)| *out += share * *p);
        }
        if self.objective != Objective::Regress {
            let inverse = 1.0 / said.out.iter().sum::<f32>();
            said.out.iter_mut().for_each(|out| *out *= inverse);
            said.mixed = highest(&said.out);
            self.decide(said);
        }
    }

    /// Candidates are mixed by their probabilities, and one whose probabilities are poor may still be right more often:
    /// where one has been for long, and is not less so of late, it says which class is the likeliest.
    fn decide(&self, said: &mut Said) {
        let Some(best) = self.decider() else { return };
        let outputs = said.out.len();
        let class = highest(&said.candidates[best * outputs..(best + 1) * outputs]);
        let top = said.out[said.mixed];
        if class != said.mixed {
            // Just as much to the class as puts it above the likeliest; the others keep their proportions.
            let gap = top - said.out[class];
            let moved = gap / (1.0 + gap) + 0.005;
            said.out.iter_mut().for_each(|p| *p *= 1.0 - moved);
            said.out[class] += moved;
        }
    }

    /// The candidate that says which class is the likeliest, where one does.
    fn decider(&self) -> Option<usize> {
        const BETTER: f32 = 0.0015;
        const WORSE: f32 = 0.01;
        let (long, short) = self.right.split_at(self.right.len() / 2);
        let best = highest(&long[..long.len() - 1]);
        let mixed = long.len() - 1;
        let surely = self.learned >= 500.0 && long[best] >= long[mixed] + BETTER;
        (surely && short[best] >= short[mixed] - WORSE).then_some(best)
    }

    pub fn learn(
        &mut self,
        training: &mut StackTraining,
        opinions: &[f32],
        said: &Said,
        target: f32,
        importance: f32,
    ) {
        if self.objective != Objective::Regress {
            self.count(said, target as usize);
        }
        self.mix(training, said, target, importance.min(8.0));
        let StackTraining { models, inputs, .. } = training;
        let outputs = self.objective.outputs();
        for (index, model) in models.iter_mut().enumerate() {
            let answer = &said.candidates[index * outputs..(index + 1) * outputs];
            inputs.fill(0.0);
            // A class against the rest: exactly the gradient, and the curvature along it.
            let (residual, curvature) = match self.objective {
                Objective::Classify { .. } if self.scores == 1 => {
                    inputs[..self.experts].copy_from_slice(opinions);
                    inputs[self.experts] = 1.0;
                    (target - answer[1], answer[0] * answer[1])
                }
                Objective::Classify { .. } => {
                    let class = target as usize;
                    let rest = (1.0 - answer[class]).max(1e-6);
                    for (input, opinion) in inputs.iter_mut().zip(opinions.chunks_exact(self.scores)) {
                        let others = opinion.iter().zip(answer).enumerate();
                        let mean: f32 = others.filter(|(k, _)| *k != class).map(|(_, (o, p))| o * p).sum();
                        *input = (opinion[class] - mean / rest).clamp(-2.0 * SURE, 2.0 * SURE);
                    }
                    (1.0 - answer[class], answer[class] * rest)
                }
                Objective::Regress => {
                    inputs[..self.experts].copy_from_slice(opinions);
                    inputs[self.experts] = 1.0;
                    ((target - answer[0]).clamp(-SURE, SURE), 1.0)
                }
            };
            let step = model.gain(inputs, curvature.max(0.02), importance.min(8.0)) * f64::from(residual);
            let weights = &mut self.weights[index * self.stride..(index + 1) * self.stride];
            for (weight, gain) in weights.iter_mut().zip(model.direction()) {
                *weight = (f64::from(*weight) + step * gain).clamp(-1e3, 1e3) as f32;
            }
        }
    }

    /// What an example's loss would be more, about, if these experts had never spoken, beyond what such weights have by
    /// chance: in nats, or in variances of the error.
    pub fn worth(&self, training: &StackTraining, experts: Range<usize>, examples: f64) -> f64 {
        // The last forgets too fast to tell.
        let worths = training.models[..FORGET.len() - 1].iter().enumerate().map(|(index, model)| {
            let weights = &self.weights[index * self.stride..(index + 1) * self.stride];
            let memory = (1.0 / (1.0 - FORGET[index])).min(examples);
            let weights: Vec<f64> =
                weights[experts.clone()].iter().map(|weight| f64::from(*weight)).collect();
            (model.saliency(experts.start, &weights) - weights.len() as f64) / (2.0 * memory)
        });
        worths.fold(0.0, f64::max)
    }

    /// Whether one of the experts is heard by itself: it has a share in the mixture, or is the one that decides.
    pub fn heard(&self, experts: Range<usize>) -> bool {
        let models = FORGET.len();
        let candidates = models + experts.start..models + experts.end;
        let decides = self.decider().is_some_and(|best| candidates.contains(&best));
        decides || self.mixture[candidates].iter().any(|share| *share > 0.02)
    }

    /// What experts that rest have learned to count for goes over to the others, as far as they say the same. Then their
    /// weights are 0, and as open as at first.
    pub fn rest(&mut self, training: &mut StackTraining, experts: Range<usize>) {
        for (index, model) in training.models.iter_mut().enumerate() {
            let weights = &mut self.weights[index * self.stride..(index + 1) * self.stride];
            experts.clone().for_each(|expert| model.fix_at_zero(expert, weights));
        }
    }

    /// From 0 to 1: whether the class was told wrong, or how far off the value was beside how far it is of late.
    pub fn error(&self, training: &StackTraining, said: &Said, target: f32) -> f64 {
        match self.objective {
            Objective::Classify { .. } => f64::from(u8::from(highest(&said.out) != target as usize)),
            Objective::Regress => {
                let miss = f64::from((target - said.out[0]).clamp(-SURE, SURE)).abs();
                miss / (miss + f64::from(training.error).sqrt() + 1e-6)
            }
        }
    }

    /// Counts who told a class right.
    fn count(&mut self, said: &Said, class: usize) {
        self.learned = (self.learned + 1.0).min(LONG);
        let outputs = self.objective.outputs();
        let (long, short) = self.right.split_at_mut(self.mixture.len() + 1);
        let (slow, fast) = (1.0 / self.learned, 1.0 / self.learned.min(SHORT));
        let answers = said.candidates.chunks_exact(outputs).map(highest).chain([said.mixed]);
        for ((long, short), answer) in long.iter_mut().zip(short).zip(answers) {
            let right = f32::from(answer == class);
            *long += slow * (right - *long);
            *short += fast * (right - *short);
        }
    }

    /// Weighs the candidates by what they lost.
    fn mix(&mut self, training: &mut StackTraining, said: &Said, target: f32, importance: f32) {
        let StackTraining { losses, error, .. } = training;
        let outputs = self.objective.outputs();
        if self.objective == Objective::Regress {
            let miss = (target - said.out[0]).clamp(-SURE, SURE);
            *error += 0.01 * (miss * miss - *error);
        }
        let sharpness = 0.5 / (*error + 1e-4);
        let mut least = f32::MAX;
        for (loss, candidate) in losses.iter_mut().zip(said.candidates.chunks_exact(outputs)) {
            *loss = match self.objective {
                Objective::Classify { .. } => -scores::ln(candidate[target as usize].max(1e-6)),
                Objective::Regress => {
                    let miss = (target - candidate[0]).clamp(-SURE, SURE);
                    (miss * miss * sharpness).min(10.0)
                }
            };
            least = least.min(*loss);
        }
        let mut total = 0.0;
        for (share, loss) in self.mixture.iter_mut().zip(losses.iter()) {
            *share *= exp((least - loss) * importance);
            total += *share;
        }
        let (keep, even) = ((1.0 - SHARE) / total, SHARE / self.mixture.len() as f32);
        self.mixture.iter_mut().for_each(|share| *share = *share * keep + even);
    }

    pub fn is_finite(&self) -> bool {
        self.weights.iter().chain(&self.mixture).all(|weight| weight.is_finite())
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("weights", &self.weights);
        map.put_f32("mixture", &self.mixture);
        map.put_f32("right", &self.right);
        map.put_f32_one("learned", self.learned);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let weights = floats(state, "weights", self.weights.len())?;
        // Each has at least its share of what all others give.
        let least = f64::from(SHARE) / (2.0 * self.mixture.len() as f64);
        self.mixture = at_least(floats(state, "mixture", self.mixture.len())?, least, "mixture")?;
        let right = floats(state, "right", self.right.len())?;
        if let Some(share) = right.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return Err(mismatch("right", share, "shares from 0 to 1"));
        }
        let learned = state.f32_one("learned")?;
        if !(0.0..=LONG).contains(&learned) {
            return Err(mismatch("learned", learned, format_args!("0 to {LONG}")));
        }
        (self.right, self.learned) = (right, learned);
        self.weights = weights;
        Ok(())
    }
}

/// The first of the highest.
#[inline(always)]
fn highest(numbers: &[f32]) -> usize {
    let mut best = 0;
    for (index, number) in numbers.iter().enumerate().skip(1) {
        if *number > numbers[best] {
            best = index;
        }
    }
    best
}

impl StackTraining {
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32_one("error", self.error);
        for (index, model) in self.models.iter().enumerate() {
            map.nest(&format!("model/{index}"), model.save());
        }
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        self.error = at_least(vec![state.f32_one("error")?], 0.0, "error")?[0];
        for (index, model) in self.models.iter_mut().enumerate() {
            read_under(state, &format!("model/{index}"), |state| model.load(state))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::testing::SplitMix;

    #[test]
    fn a_candidate_that_decides_has_its_class_above_all_others() {
        let mut random = SplitMix(3);
        let (mut stack, _) = Stack::new(Objective::Classify { classes: 4 }, 2);
        let candidates = FORGET.len() + 2;
        stack.learned = 4_000.0;
        // The last candidate has been right more often than all.
        for half in stack.right.chunks_exact_mut(candidates + 1) {
            half.fill(0.5);
            half[candidates - 1] = 0.6;
        }
        for _ in 0..1_000 {
            let mut said = Said { candidates: vec![0.25; 4 * candidates], ..Said::default() };
            let class = random.below(4) as usize;
            said.candidates[4 * (candidates - 1) + class] = 0.3;
            said.out = (0..4).map(|_| random.unit_f32() + 0.01).collect();
            let total: f32 = said.out.iter().sum();
            said.out.iter_mut().for_each(|p| *p /= total);
            said.mixed = highest(&said.out);
            stack.decide(&mut said);
            assert_eq!(highest(&said.out), class);
            assert!((said.out.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    /// Two experts that say the same, and one that says something else.
    fn taught() -> (Stack, StackTraining) {
        let mut random = SplitMix(11);
        let (mut stack, mut training) = Stack::new(Objective::Classify { classes: 2 }, 3);
        let mut said = Said::default();
        for _ in 0..3_000 {
            let (x, y) = (2.0 * random.unit_f32() - 1.0, 2.0 * random.unit_f32() - 1.0);
            let target = f32::from(2.0 * x + y > 0.3 * random.unit_f32());
            let opinions = [3.0 * x, 3.0 * x, 3.0 * y];
            stack.forward(&opinions, &mut said);
            stack.learn(&mut training, &opinions, &said, target, 1.0);
        }
        (stack, training)
    }

    #[test]
    fn what_an_expert_that_rests_was_worth_goes_over_to_one_that_says_the_same() {
        let (mut stack, mut training) = taught();
        let worth =
            |stack: &Stack, training: &StackTraining, experts| stack.worth(training, experts, 3_000.0);
        let (one, both) = (worth(&stack, &training, 0..1), worth(&stack, &training, 0..2));
        assert!(both > 0.05 && one < 0.5 * both, "{one} {both}");
        assert!(worth(&stack, &training, 2..3) > 0.01);
        let (mut before, mut after) = (Said::default(), Said::default());
        stack.forward(&[0.9, 0.9, -0.3], &mut before);
        stack.rest(&mut training, 0..1);
        stack.forward(&[0.0, 0.9, -0.3], &mut after);
        let (all, rest) = (before.scores[0], after.scores[0]);
        assert!(rest > 0.75 * all, "{all} {rest}: without what the other took over it were half");
        let alone = worth(&stack, &training, 1..2);
        assert!(alone > 0.5 * both, "{alone} {both}: now it is the only one that says it");
    }

    #[test]
    fn shares_follow_the_losses_of_what_is_important() {
        let (mut stack, mut training) = Stack::new(Objective::Classify { classes: 2 }, 2);
        let mut said = Said::default();
        for row in 0..12 {
            let (target, importance) = if row % 2 == 0 { (1.0, 4.0) } else { (0.0, 0.1) };
            stack.forward(&[1.0, -1.0], &mut said);
            stack.learn(&mut training, &[1.0, -1.0], &said, target, importance);
        }
        let [right, wrong] = [0, 1].map(|expert| stack.mixture[FORGET.len() + expert]);
        assert!(right > 100.0 * wrong, "{right} {wrong}");
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        let (stack, _) = Stack::new(Objective::Classify { classes: 2 }, 2);
        for (path, value) in [("right", 1.5), ("right", -0.1), ("learned", -1.0), ("learned", 5e3)] {
            let mut state = stack.save();
            let len = if path == "right" { stack.right.len() } else { 1 };
            state.put_f32(path, &vec![value; len]);
            let error = stack.clone().load(&state).unwrap_err().to_string();
            assert!(error.starts_with(&format!("tensor {path:?} is ")), "{error}");
        }
    }
}
