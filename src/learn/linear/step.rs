//! How far one example moves the weights, whatever its importance.
//!
//! A gradient step of importance `h` is `h` infinitely small ones only in its direction: taken at once it overshoots
//! where the loss bends. As in Karampatziakis and Langford, "Online importance weight aware updates" (UAI 2011), the
//! step here is the end of the path that infinitely many small steps take. The whole path lies on the line of the
//! encoded row, so that only the margin has to be followed: with `curve`, the change of the margin for a unit of
//! length, it is `curve` times the length, which obeys an equation in one unknown. For small steps this is the plain
//! gradient step, for large ones the margin grows with the logarithm of the importance, and a residual never changes
//! its sign.

use libm::{expm1f, logf};

use crate::learn::exponential::exp;

/// Below this, the plain gradient step is within one part in two thousand.
const SMALL: f32 = 1e-3;

/// Limits that keep every product in range; the length changes by less than can be represented or matters.
const ODDS_MAX: f32 = 1e30;
const PULL_MAX: f32 = 1e7;

/// The length of a step on the logistic loss, or on the cross-entropy with the shares of the other classes held.
///
/// `likely` and `unlikely` are the probabilities of the label and of all other classes. The change of the margin `x`
/// solves `x + odds * (exp(x) - 1) = pull` with `odds = likely / unlikely` and `pull = curve * importance`. Up to one
/// half, it is found from the exponential's series, to within 1e-3 of itself; else by Newton's method from above (the
/// left side is convex, so that every iterate is an upper bound), to within 3 %, where a few times the wanted change
/// would do.
#[inline]
pub(in crate::learn) fn logistic(likely: f32, unlikely: f32, curve: f32, importance: f32) -> f32 {
    let pull = (curve * importance).min(PULL_MAX);
    let plain = pull * unlikely;
    // All over `1 + odds`: x + likely * (x^2 / 2 + x^3 / 6 + ...) = plain. The root up to x^2 is an upper bound.
    let share = 2.0 / (1.0 + (1.0 + 2.0 * likely * plain).sqrt());
    let x = plain * share;
    if x < 0.5 {
        let excess = likely * x * x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0)));
        let slope = 1.0 + likely * x * (1.0 + x * (0.5 + x * (1.0 / 6.0)));
        return importance * unlikely * share * (1.0 - excess / slope);
    }
    let odds = (likely / unlikely).clamp(1.0 / ODDS_MAX, ODDS_MAX);
    let mut x = x.min(logf(1.0 + pull / odds));
    for _ in 0..2 {
        let grown = odds * exp(x);
        x -= (x + grown - odds - pull) / (1.0 + grown);
    }
    x.max(0.0) / curve
}

/// The length of a step on the squared error: `residual` times the share of it that the step takes away, over `curve`.
#[inline]
pub(in crate::learn) fn squared(residual: f32, curve: f32, importance: f32) -> f32 {
    let pull = curve * importance;
    if pull < SMALL {
        return importance * residual;
    }
    -residual * expm1f(-pull) / curve
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path itself: the ordinary differential equation of infinitely small steps, followed in `f64`.
    fn path(margin: f64, curve: f64, importance: f64) -> f64 {
        // x + odds * expm1(x) - pull rises in x, is negative at 0 and not at pull.
        let (odds, pull) = (margin.exp(), curve * importance);
        let (mut low, mut high) = (0.0, pull);
        for _ in 0..200 {
            let x = 0.5 * (low + high);
            if x + odds * x.exp_m1() < pull { low = x } else { high = x }
        }
        0.5 * (low + high) / curve
    }

    #[test]
    fn a_logistic_step_ends_where_the_path_of_small_steps_ends() {
        let (mut worst, mut worst_small): (f64, f64) = (0.0, 0.0);
        for margin in (-60..=60).map(|m| f64::from(m) / 4.0) {
            for curve in [0.003, 0.03, 0.3, 3.0, 30.0, 300.0] {
                for importance in [0.01, 0.3, 1.0, 10.0, 1e3, 3e4] {
                    let likely = 1.0 / (1.0 + (-margin).exp());
                    let unlikely = 1.0 / (1.0 + margin.exp());
                    let length = logistic(likely as f32, unlikely as f32, curve as f32, importance as f32);
                    let exact = path(margin, curve, importance);
                    let off = (f64::from(length) / exact - 1.0).abs();
                    worst = worst.max(off);
                    if exact * curve < 0.5 {
                        worst_small = worst_small.max(off);
                    }
                }
            }
        }
        assert!(worst < 0.03, "{worst}");
        assert!(worst_small < 1e-3, "{worst_small}");
    }

    #[test]
    fn small_steps_are_the_gradient() {
        for curve in [0.0, 1e-9, 1e-3] {
            let length = logistic(0.25, 0.75, curve, 1.0);
            assert!((length - 0.75).abs() < 1e-4, "{length}");
            assert!((squared(-0.75, curve, 1.0) + 0.75).abs() < 4e-4);
        }
    }

    #[test]
    fn an_importance_is_as_many_examples_in_a_row() {
        let (curve, mut margin) = (0.05_f64, -1.0_f64);
        let once = f64::from(logistic(
            (1.0 / (1.0 + 1.0_f64.exp())) as f32,
            (1.0 / (1.0 + (-1.0_f64).exp())) as f32,
            curve as f32,
            40.0,
        ));
        for _ in 0..40 {
            margin += path(margin, curve, 1.0) * curve;
        }
        assert!((margin - (-1.0 + once * curve)).abs() < 1e-3, "{margin}");
        let mut residual = 2.0_f32;
        (0..40).for_each(|_| residual -= 0.05 * squared(residual, 0.05, 1.0));
        let at_once = 2.0 - 0.05 * squared(2.0, 0.05, 40.0);
        assert!((residual - at_once).abs() < 1e-5, "{residual} and {at_once}");
    }

    #[test]
    fn no_step_overshoots_or_is_not_finite() {
        for curve in [0.0, 1e-30, 1e-3, 1.0, 1e6, 1e17] {
            for importance in [1e-30, 1.0, 1e6] {
                for residual in [-1e12, -1.0, 0.0, 1e-30, 8.0] {
                    let moved = squared(residual, curve, importance) * curve;
                    assert!(
                        moved.abs() <= residual.abs() && moved * residual >= 0.0,
                        "{residual} by {moved}"
                    );
                }
                for unlikely in [0.0, 1e-38, 1e-6, 0.5, 1.0] {
                    let moved = logistic(1.0 - unlikely, unlikely, curve, importance) * curve;
                    let bound = 1.001 * curve * importance * unlikely;
                    assert!((0.0..=bound).contains(&moved), "{unlikely} by {moved}, at most {bound}");
                }
            }
        }
    }
}
