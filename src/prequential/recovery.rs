use serde::Serialize;

use super::series::Series;

/// Rows that a loss is averaged over.
const WINDOW: u64 = 256;
/// A loss this much above its later level is back at it.
const BACK: f64 = 1.1;
/// A drift that is found so soon after another is part of it.
const SAME: u64 = 1_000;

/// How soon the loss was back after a drift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recovery {
    /// The row at which the drift was found.
    pub drift: u64,
    /// Rows from there until the mean loss of the following rows (256, or one step of the curve) is within 10 % of
    /// `later_loss`; none where the next drift came too soon to tell.
    pub examples: Option<u64>,
    /// Mean loss of the second half of the rows before the next drift or the end: logloss, or the absolute error.
    pub later_loss: Option<f64>,
}

/// Recoveries from `drifts`, those close together as one.
pub fn recoveries(drifts: &[u64], series: &Series) -> Vec<Recovery> {
    let mut begins: Vec<u64> = Vec::new();
    let mut latest = None;
    for drift in drifts {
        if latest.is_none_or(|latest| drift - latest >= SAME) {
            begins.push(*drift);
        }
        latest = Some(*drift);
    }
    let ends = begins.iter().skip(1).copied().chain([series.rows()]);
    begins.iter().zip(ends).map(|(drift, end)| recovery(*drift, end, series)).collect()
}

fn recovery(drift: u64, end: u64, series: &Series) -> Recovery {
    let step = series.span();
    let window = WINDOW.max(step);
    let unknown = Recovery { drift, examples: None, later_loss: None };
    if end < drift + 4 * window {
        return unknown;
    }
    let Some(later) = series.loss(drift + (end - drift) / 2, end) else { return unknown };
    let first = drift.next_multiple_of(step);
    let starts = (first..=end - window).step_by(step as usize);
    let back = starts
        .into_iter()
        .find(|start| series.loss(*start, start + window).is_some_and(|loss| loss <= BACK * later));
    Recovery { drift, examples: back.map(|start| start - drift), later_loss: Some(later) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prequential::series::Sum;

    fn series(losses: &[(u64, f64)]) -> Series {
        let mut series = Series::default();
        for (rows, loss) in losses {
            (0..*rows).for_each(|_| series.push(Sum { loss: *loss, ..Sum::default() }));
        }
        series
    }

    #[test]
    fn a_recovery_lasts_until_the_loss_is_near_its_later_level() {
        let series = series(&[(5_000, 0.2), (1_000, 0.8), (9_000, 0.3)]);
        let said = recoveries(&[5_120, 5_200], &series);
        assert_eq!(said.len(), 1, "two drifts close together are one");
        let examples = said[0].examples.unwrap();
        // Up to 10 % of 256 rows may still be bad ones.
        assert!((860..=880).contains(&examples), "{examples}");
        assert!((said[0].later_loss.unwrap() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn each_drift_is_judged_until_the_next() {
        let series = series(&[(2_000, 0.1), (4_000, 0.5), (4_000, 0.7)]);
        let said = recoveries(&[2_048, 6_016, 9_900], &series);
        let examples: Vec<_> = said.iter().map(|recovery| recovery.examples).collect();
        assert_eq!(examples, [Some(0), Some(0), None]);
        assert_eq!(recoveries(&[], &series), []);
    }
}
