use std::sync::Arc;

use super::forward::{Input, Pass};
use super::native::NativeTrainer;
use super::network::Network;
use super::optimiser::Counts;
use super::tensors::TensorTrainer;
use crate::config::{MlpConfig, MlpEngine};
use crate::state::{StateError, TensorMap};

/// What trains a network: one step is [`Engine::begin`], [`Engine::accumulate`] for some blocks of rows, and
/// [`Engine::finish`]. All engines save the same state.
#[derive(Debug)]
pub(super) enum Engine {
    Native(Box<NativeTrainer>),
    Burn(Box<TensorTrainer>),
}

impl Engine {
    /// Starts from a network whose optimiser has not stepped yet.
    pub fn new(config: &MlpConfig, network: &Network) -> Self {
        match config.engine {
            MlpEngine::Native => Self::Native(Box::new(NativeTrainer::new(config, network))),
            MlpEngine::Burn => Self::Burn(Box::new(TensorTrainer::new(config, network))),
        }
    }

    /// Begins a step of `network`, which is the one that the engine has trained so far.
    pub fn begin(&mut self, network: &Network) {
        match self {
            Self::Native(trainer) => trainer.begin(network),
            Self::Burn(trainer) => trainer.begin(),
        }
    }

    /// Adds rows to the step: `pass` is what the network said of them, `slopes` are those of the mini-batch's loss by
    /// its outputs, `[rows, outputs]`.
    pub fn accumulate(&mut self, input: Input<'_>, pass: &Pass, slopes: &[f32]) {
        match self {
            Self::Native(trainer) => trainer.accumulate(input, pass, slopes),
            Self::Burn(trainer) => trainer.accumulate(input, slopes),
        }
    }

    /// Takes the step, and gives whether there was one: a gradient that is not finite changes nothing, and is counted.
    pub fn finish(&mut self, network: &mut Arc<Network>) -> bool {
        match self {
            Self::Native(trainer) => trainer.finish(network),
            Self::Burn(trainer) => trainer.finish(network),
        }
    }

    pub fn counts(&self) -> Counts {
        match self {
            Self::Native(trainer) => trainer.counts(),
            Self::Burn(trainer) => trainer.counts(),
        }
    }

    /// Steps at this rate from now on.
    pub fn set_rate(&mut self, rate: f64) {
        match self {
            Self::Native(trainer) => trainer.set_rate(rate),
            Self::Burn(trainer) => trainer.set_rate(rate),
        }
    }

    /// Takes over the inputs that `network` got in its first layer.
    pub fn grow(&mut self, network: &Network) {
        match self {
            Self::Native(trainer) => trainer.grow(network),
            Self::Burn(trainer) => trainer.grow(network),
        }
    }

    /// `steps`, `refused`, and what the optimiser remembers, `first` and `second`, in the form of the network.
    pub fn save(&self) -> TensorMap {
        match self {
            Self::Native(trainer) => trainer.save(),
            Self::Burn(trainer) => trainer.save(),
        }
    }

    /// Goes on from a network and what any engine saved with it.
    pub fn load(config: &MlpConfig, network: &Network, state: &TensorMap) -> Result<Self, StateError> {
        Ok(match config.engine {
            MlpEngine::Native => Self::Native(Box::new(NativeTrainer::load(config, network, state)?)),
            MlpEngine::Burn => Self::Burn(Box::new(TensorTrainer::load(config, network, state)?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Optimiser;

    const SIZES: [usize; 4] = [3, 5, 4, 2];
    const ROWS: usize = 6;
    const ENGINES: [MlpEngine; 2] = [MlpEngine::Native, MlpEngine::Burn];

    fn config(engine: MlpEngine, optimiser: Optimiser) -> MlpConfig {
        MlpConfig {
            engine,
            hidden: vec![5, 4],
            optimiser,
            rate: 0.05,
            step_rows_max: 256,
            clip_norm: 0.0,
            weight_decay: 0.0,
            warmup_steps: 0,
        }
    }

    fn inputs(step: usize) -> Vec<f32> {
        (0..ROWS * SIZES[0]).map(|at| ((at * 7 + step * 5) % 11) as f32 / 5.0 - 1.0).collect()
    }

    /// A step in two blocks, on half the squared distance of the outputs from 1, mean over the rows.
    fn step(engine: &mut Engine, network: &mut Arc<Network>, inputs: &[f32]) -> bool {
        engine.begin(network);
        for dense in inputs.chunks(4 * SIZES[0]) {
            let input = Input { rows: dense.len() / SIZES[0], dense, ones: &[] };
            let mut pass = Pass::default();
            network.forward(input, &mut pass);
            let slopes: Vec<f32> = pass.outputs().iter().map(|value| (value - 1.0) / ROWS as f32).collect();
            engine.accumulate(input, &pass, &slopes);
        }
        engine.finish(network)
    }

    /// The loss of [`step`] in `f64`, by the definition.
    fn loss(flat: &[f64], inputs: &[f32]) -> f64 {
        let mut total = 0.0;
        for row in inputs.chunks_exact(SIZES[0]) {
            let mut values: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
            let mut start = 0;
            for (index, pair) in SIZES.windows(2).enumerate() {
                let bias = start + pair[0] * pair[1];
                values = (0..pair[1])
                    .map(|out| {
                        let products = (0..pair[0]).map(|at| values[at] * flat[start + at * pair[1] + out]);
                        let sum = products.sum::<f64>() + flat[bias + out];
                        if index < 2 { sum.max(0.0) } else { sum }
                    })
                    .collect();
                start = bias + pair[1];
            }
            total += values.iter().map(|value| (value - 1.0).powi(2) / 2.0).sum::<f64>() / ROWS as f64;
        }
        total
    }

    fn slopes(flat: &[f64], inputs: &[f32]) -> Vec<f64> {
        let nudged = |at: usize, by: f64| {
            let mut flat = flat.to_vec();
            flat[at] += by;
            loss(&flat, inputs)
        };
        (0..flat.len()).map(|at| (nudged(at, 1e-6) - nudged(at, -1e-6)) / 2e-6).collect()
    }

    /// Steps both engines and, by the textbook in `f64`, a vector; compares them after each step.
    fn compare(optimiser: Optimiser, textbook: impl Fn(i32, &mut [f64; 2], f64) -> f64) {
        for kind in ENGINES {
            let mut network = Arc::new(Network::initial(&SIZES, SIZES[0], 4));
            let mut engine = Engine::new(&config(kind, optimiser), &network);
            let mut expected: Vec<f64> = network.to_flat().into_iter().map(f64::from).collect();
            let mut memory = vec![[0.0; 2]; expected.len()];
            for at in 1..=4 {
                let gradient = slopes(&expected, &inputs(at));
                assert!(gradient.iter().filter(|slope| slope.abs() > 1e-3).count() > expected.len() / 2);
                for ((value, memory), slope) in expected.iter_mut().zip(&mut memory).zip(gradient) {
                    *value -= 0.05 * textbook(at as i32, memory, slope);
                }
                assert!(step(&mut engine, &mut network, &inputs(at)));
                for (value, expected) in network.to_flat().iter().zip(&expected) {
                    let off = (f64::from(*value) - expected).abs();
                    assert!(off < 2e-5, "{kind:?} step {at}: {value} {expected}");
                }
            }
        }
    }

    #[test]
    fn sgd_steps_are_the_textbooks() {
        compare(Optimiser::Sgd, |_, _, slope| slope);
    }

    #[test]
    fn adagrad_steps_are_the_papers() {
        compare(Optimiser::Adagrad, |_, [_, second], slope| {
            *second += slope * slope;
            if *second > 0.0 { slope / second.sqrt() } else { 0.0 }
        });
    }

    #[test]
    fn adam_steps_are_the_papers() {
        // Algorithm 1 of Kingma and Ba (2015).
        compare(Optimiser::Adam, |step, [first, second], slope| {
            *first = 0.9 * *first + 0.1 * slope;
            *second = 0.999 * *second + 0.001 * slope * slope;
            let (first, second) =
                (*first / (1.0 - 0.9_f64.powi(step)), *second / (1.0 - 0.999_f64.powi(step)));
            first / (second.sqrt() + 1e-8)
        });
    }

    #[test]
    fn growing_keeps_weights_and_memory_of_the_inputs_that_were_there() {
        for kind in ENGINES {
            let mut network = Arc::new(Network::initial(&SIZES, 3, 4));
            let mut engine = Engine::new(&config(kind, Optimiser::Adam), &network);
            step(&mut engine, &mut network, &inputs(0));
            let before = engine.save();
            Arc::make_mut(&mut network).grow(5, 3, 4);
            engine.grow(&network);
            let after = engine.save();
            let path = "first/layers/0/weights";
            let (old, new) = (before.f32s(path).unwrap(), after.f32s(path).unwrap());
            assert_eq!((&new[..15], &new[15..]), (&old[..], &[0.0; 10][..]));
            let path = "second/layers/1/weights";
            assert_eq!(after.get(path).unwrap(), before.get(path).unwrap());
            let dense: Vec<f32> = (0..10).map(|at| at as f32).collect();
            let input = Input { rows: 2, dense: &dense, ones: &[] };
            let mut pass = Pass::default();
            network.forward(input, &mut pass);
            engine.begin(&network);
            engine.accumulate(input, &pass, &[1.0, -1.0, 0.5, 0.25]);
            let weights = network.layers[0].weights.clone();
            assert!(engine.finish(&mut network));
            assert!(network.layers[0].weights[15..] != weights[15..], "the new ones learn");
            assert_eq!(network.sizes(), [5, 5, 4, 2]);
        }
    }

    #[test]
    fn a_step_that_is_not_finite_changes_nothing_and_is_counted() {
        for (kind, optimiser) in ENGINES.into_iter().flat_map(|kind| {
            [Optimiser::Sgd, Optimiser::Adam, Optimiser::Adagrad].map(|optimiser| (kind, optimiser))
        }) {
            let mut network = Arc::new(Network::initial(&SIZES, 3, 4));
            let mut engine = Engine::new(&config(kind, optimiser), &network);
            step(&mut engine, &mut network, &inputs(0));
            let before = (network.to_flat(), engine.save());
            let dense = inputs(1);
            let input = Input { rows: ROWS, dense: &dense, ones: &[] };
            let mut pass = Pass::default();
            network.forward(input, &mut pass);
            // Of 1e30 the gradient and the step are finite, but not the square that Adam would remember.
            for (refused, slope) in (1..).zip([f32::NAN, f32::INFINITY, 1e30]) {
                engine.begin(&network);
                engine.accumulate(input, &pass, &[slope; ROWS * 2]);
                assert!(!engine.finish(&mut network), "{kind:?} {optimiser:?} {slope}");
                assert_eq!(engine.counts(), Counts { steps: 1, refused });
                assert_eq!(network.to_flat(), before.0);
                let kept = engine.save();
                let memory = kept.iter().filter(|(path, _)| *path != "refused");
                assert!(memory.eq(before.1.iter().filter(|(path, _)| *path != "refused")));
            }
            assert!(step(&mut engine, &mut network, &inputs(2)), "it goes on");
        }
    }

    #[test]
    fn engines_agree_over_a_thousand_steps_and_load_each_other_s_states() {
        for optimiser in [Optimiser::Sgd, Optimiser::Adam, Optimiser::Adagrad] {
            let [mut native, mut burn] = ENGINES.map(|kind| {
                let config = MlpConfig {
                    rate: 0.003,
                    clip_norm: 0.5,
                    weight_decay: 0.01,
                    warmup_steps: 50,
                    ..config(kind, optimiser)
                };
                let network = Arc::new(Network::initial(&SIZES, SIZES[0], 4));
                (config.clone(), Engine::new(&config, &network), network)
            });
            for at in 0..1_000 {
                for (_, engine, network) in [&mut native, &mut burn] {
                    assert!(step(engine, network, &inputs(at)));
                }
            }
            let norm = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let (a, b) = (native.2.to_flat(), burn.2.to_flat());
            let off: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
            assert!(norm(&off) < 1e-5 * norm(&a), "{optimiser:?}: {} of {}", norm(&off), norm(&a));

            let (from_native, from_burn) = (native.1.save(), burn.1.save());
            let crossed = Engine::load(&burn.0, &native.2, &from_native).unwrap().save();
            assert_eq!(crossed.digest(), from_native.digest());
            let crossed = Engine::load(&native.0, &burn.2, &from_burn).unwrap().save();
            assert_eq!(crossed.digest(), from_burn.digest());
        }
    }
}
