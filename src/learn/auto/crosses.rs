//! Sparse linear models over hashed codes of columns, and over pairs of them, with a rate a weight (Duchi, Hazan and
//! Singer, 2011; Weinberger et al., "Feature hashing", 2009): what a line cannot follow, steps can.

use super::paged::Paged;
use super::scores::{self, pull};
use crate::learn::encode::read_under;
use crate::learn::{Objective, Shape};
use crate::state::{StateError, TensorMap};

/// Columns up to which all pairs are features.
const PAIRED_MAX: usize = 14;

/// Models: single codes, and codes with pairs.
pub(super) const MODELS: usize = 2;

const RATES: [f32; MODELS] = [0.2, 0.06];

/// Borders of the coarse bins of a standardised number: octiles of the normal distribution.
const OCTILES: [f32; 7] = [-1.15, -0.674, -0.319, 0.0, 0.319, 0.674, 1.15];

/// Weights and their sums of squared gradients, side by side.
#[derive(Debug, Clone)]
pub(super) struct Crosses {
    objective: Objective,
    bits: u32,
    scores: usize,
    paired: bool,
    tables: Vec<Paged>,
}

/// A row's places in the tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Codes {
    fine: Vec<u64>,
    coarse: Vec<u64>,
    /// Of the two tables.
    places: [Vec<usize>; MODELS],
    residuals: Vec<f32>,
    room: Vec<f32>,
}

impl Crosses {
    pub fn new(shape: &Shape, bits: u32) -> Self {
        let scores = scores::scores(shape.objective);
        Self {
            objective: shape.objective,
            bits,
            scores,
            paired: shape.numeric + shape.categorical <= PAIRED_MAX,
            tables: (0..MODELS).map(|_| Paged::new(1 << bits, 2 * scores)).collect(),
        }
    }

    /// Finds the places of a row: `zs` are its standardised numbers.
    pub fn encode(&self, numeric: &[f32], zs: &[f32], categorical: &[u64], codes: &mut Codes) {
        let Codes { fine, coarse, places, .. } = codes;
        fine.clear();
        coarse.clear();
        for (column, (value, z)) in numeric.iter().zip(zs).enumerate() {
            let (small, large) = if value.is_nan() {
                (99, 99)
            } else {
                let small = ((z + 3.2) * 5.0).clamp(0.0, 31.0) as u64;
                (small, OCTILES.iter().filter(|border| **border < *z).count() as u64)
            };
            fine.push(mix((column as u64) << 32 | small));
            coarse.push(mix((column as u64) << 32 | 1 << 31 | large));
        }
        for (column, category) in categorical.iter().enumerate() {
            let code = mix(category ^ mix(1 << 63 | column as u64));
            fine.push(code);
            coarse.push(code);
        }
        let shift = 64 - self.bits;
        for (model, places) in places.iter_mut().enumerate() {
            places.clear();
            places.push(0);
            places.extend(fine.iter().map(|code| (code >> shift) as usize));
            if model == 1 && self.paired {
                for (index, a) in coarse.iter().enumerate() {
                    for b in &coarse[index + 1..] {
                        places.push((mix(a.wrapping_mul(3) ^ b) >> shift) as usize);
                    }
                }
            }
        }
    }

    /// The scores of the models, `[MODELS, scores]`.
    pub fn forward(&self, codes: &Codes, out: &mut [f32]) {
        out.fill(0.0);
        for ((table, places), out) in
            self.tables.iter().zip(&codes.places).zip(out.chunks_exact_mut(self.scores))
        {
            for place in places {
                if let Some(item) = table.get(*place) {
                    out.iter_mut().zip(item).for_each(|(out, weight)| *out += weight);
                }
            }
        }
    }

    pub fn learn(&mut self, codes: &mut Codes, said: &[f32], target: f32, importance: f32) {
        let Codes { places, residuals, room, .. } = codes;
        residuals.resize(self.scores, 0.0);
        room.resize(self.scores, 0.0);
        let importance = importance.min(8.0);
        for (model, table) in self.tables.iter_mut().enumerate() {
            let said = &said[model * self.scores..(model + 1) * self.scores];
            pull(self.objective, said, target, room, residuals);
            for place in &places[model] {
                let (weights, squares) = table.get_mut(*place).split_at_mut(self.scores);
                for ((weight, square), residual) in weights.iter_mut().zip(squares).zip(residuals.iter()) {
                    let gradient = residual * importance;
                    *square += gradient * gradient;
                    *weight += RATES[model] * gradient / (*square + 0.1).sqrt();
                }
            }
        }
    }

    pub fn is_finite(&self) -> bool {
        self.tables.iter().all(Paged::is_finite)
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        for (index, table) in self.tables.iter().enumerate() {
            map.nest(&format!("table/{index}"), table.save());
        }
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let tables = (0..MODELS).map(|index| {
            read_under(state, &format!("table/{index}"), |state| {
                Paged::load(1 << self.bits, 2 * self.scores, state)
            })
        });
        self.tables = tables.collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
