use super::table::{LANES, Line, Table};

/// Bounds within which everything stays finite, and which no stream of scaled values comes near.
const VALUE_MAX: f32 = 1e15;
const SQUARES_MAX: f32 = 1e30;
const WEIGHT_MAX: f32 = 1e6;

/// FTRL-Proximal, each coordinate with a rate of its own (McMahan et al., KDD 2013, algorithm 1): a slot holds `z` and
/// `n`, the weight follows from them.
///
/// ```text
/// weight = 0                                                        where |z| <= l1
///          (sign(z) l1 - z) / ((beta + sqrt(n)) / rate + l2)        otherwise
/// sigma  = (sqrt(n + g^2) - sqrt(n)) / rate
/// z, n   = z + g - sigma weight, n + g^2
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proximal {
    /// One over the rate.
    pub slowness: f32,
    pub beta: f32,
    pub l1: f32,
    pub l2: f32,
}

impl Proximal {
    #[inline(always)]
    pub fn weight(self, z: f32, n: f32) -> f32 {
        self.weight_of_root(z, n.sqrt())
    }

    #[inline(always)]
    fn weight_of_root(self, z: f32, root: f32) -> f32 {
        let weight = (self.l1.copysign(z) - z) / ((self.beta + root) * self.slowness + self.l2);
        let weight = if weight > WEIGHT_MAX { WEIGHT_MAX } else { weight };
        let weight = if weight < -WEIGHT_MAX { -WEIGHT_MAX } else { weight };
        if z.abs() <= self.l1 { 0.0 } else { weight }
    }

    /// What is added to `z` and to `n`.
    #[inline(always)]
    fn change(self, z: f32, n: f32, gradient: f32) -> (f32, f32) {
        let root = n.sqrt();
        // Its square stays finite, and so does all that follows.
        let gradient = bounded(gradient);
        let square = gradient * gradient;
        let sigma = ((n + square).sqrt() - root) * self.slowness;
        (gradient - sigma * self.weight_of_root(z, root), square)
    }

    /// Learns a row of one score, whose loss has the slope `slope` there. `values` and `squares` are what was gathered,
    /// and are overwritten.
    #[inline]
    pub fn step(
        self,
        table: &mut Table,
        slots: &[u32],
        row: &[f32],
        slope: f32,
        values: &mut [f32],
        squares: &mut [f32],
    ) {
        self.changes(row, slope, values, squares);
        for (slot, (dz, dn)) in slots.iter().zip(values.iter().zip(squares)) {
            let (z, n) = table.change(*slot);
            *z = bounded(*z + dz);
            *n = (*n + *dn).min(SQUARES_MAX);
        }
    }

    /// A loop of its own, not inlined: there, the compiler knows that the slices do not overlap, and takes many at a
    /// time.
    #[inline(never)]
    fn changes(self, row: &[f32], slope: f32, values: &mut [f32], squares: &mut [f32]) {
        for ((z, n), value) in values.iter_mut().zip(squares).zip(row) {
            (*z, *n) = self.change(*z, *n, slope * value);
        }
    }

    /// Learns a row of many scores, each with its slope: whole lines, zeros behind the scores.
    #[inline]
    pub fn step_lines(self, table: &mut Table, slots: &[u32], row: &[f32], slopes: &[f32]) {
        let (slopes, _) = slopes.as_chunks::<LANES>();
        for (slot, value) in slots.iter().zip(row) {
            for (by, slopes) in slopes.iter().enumerate() {
                let Line { values, squares } = table.change_line(*slot, by);
                for lane in 0..LANES {
                    let (dz, dn) = self.change(values[lane], squares[lane], slopes[lane] * value);
                    values[lane] = bounded(values[lane] + dz);
                    squares[lane] = (squares[lane] + dn).min(SQUARES_MAX);
                }
            }
        }
    }
}

#[inline(always)]
fn bounded(value: f32) -> f32 {
    let value = if value > VALUE_MAX { VALUE_MAX } else { value };
    if value < -VALUE_MAX { -VALUE_MAX } else { value }
}
