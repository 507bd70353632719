//! Logarithm and normal distribution, from basic operations in a fixed order, so equal on every machine; without
//! branches, so that the compiler takes several at a time.

use crate::learn::exponential::exp;

/// Natural logarithm to within 1.5e-7 of itself (or of 1, near 1); for positive normal numbers.
///
/// The polynomial of Moshier's Cephes library (`logf`).
#[inline(always)]
pub(in crate::learn) fn ln(x: f32) -> f32 {
    /// Bits of the square root of one half: mantissas are taken from there up to the square root of two.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF) - 1.0;
    let square = m * m;
    let p = 7.037_683_6e-2;
    let p = p * m - 1.151_461e-1;
    let p = p * m + 1.167_699_9e-1;
    let p = p * m - 1.242_014_1e-1;
    let p = p * m + 1.424_932_3e-1;
    let p = p * m - 1.666_805_8e-1;
    let p = p * m + 2.000_071_5e-1;
    let p = p * m - 2.499_999_4e-1;
    let p = p * m + 3.333_333e-1;
    let tail = p * m * square + exponent * -2.121_944_4e-4 - 0.5 * square;
    m + tail + exponent * 0.693_359_4
}

/// `x ln x`, 0 for what is not above the smallest normal number.
#[inline(always)]
pub(super) fn x_ln_x(x: f32) -> f32 {
    let product = x * ln(x);
    if x > f32::MIN_POSITIVE { product } else { 0.0 }
}

/// Probability that a standard normal number is at most `z`, to within 3e-7.
///
/// Formula 7.1.26 of Abramowitz and Stegun.
#[inline(always)]
pub(super) fn normal_cdf(z: f32) -> f32 {
    let x = z.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let tail = 0.5 * p * t * exp(-x * x);
    if z > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_right_over_the_whole_range() {
        let mut worst = 0.0_f64;
        let mut x = f32::MIN_POSITIVE;
        while x < 1e38 {
            let right = libm::log(f64::from(x));
            worst = worst.max((f64::from(ln(x)) - right).abs() / right.abs().max(1.0));
            x *= 1.000_37;
        }
        assert!(worst < 1.5e-7, "{worst}");
        assert_eq!(ln(1.0), 0.0);
        assert_eq!([x_ln_x(0.0), x_ln_x(1.0), x_ln_x(1e-45)], [0.0; 3]);
    }

    #[test]
    fn the_normal_distribution_is_right_and_stays_in_its_interval() {
        let mut worst = 0.0_f64;
        for step in -80_000..=80_000 {
            let z = step as f32 * 1e-4;
            let right = 0.5 * libm::erfc(-f64::from(z) * std::f64::consts::FRAC_1_SQRT_2);
            worst = worst.max((f64::from(normal_cdf(z)) - right).abs());
            assert!((0.0..=1.0).contains(&normal_cdf(z)), "{z}");
        }
        assert!(worst < 3e-7, "{worst}");
        assert_eq!(normal_cdf(1e30), 1.0);
        assert!(normal_cdf(-1e30) < 1e-30);
    }
}
