//! A moment as a feature: its text or number becomes milliseconds since 1970, and those become numbers to learn from.

use super::refusal::{Reason, Refusal};
use super::time::{TIME_MS_MAX, TIME_MS_MIN, days_of_month, days_since_1970, fraction_ms, number, offset_s};
use super::values::Found;

/// What a moment becomes, in order. A cycle is a point on a circle, so that its end is next to its beginning.
pub const CYCLES: [&str; 7] =
    ["days", "hour sin", "hour cos", "weekday sin", "weekday cos", "season sin", "season cos"];

pub const EXPECTED: &str = "a moment such as 2026-01-31T12:00:00Z, 2026-01-31 12:00 or 2026-01-31, or a number of seconds \
    or milliseconds since 1970";

const DAY_MS: f64 = 86_400_000.0;
/// Mean length of a year of the Gregorian calendar.
const YEAR_DAYS: f64 = 365.2425;
/// Numbers from here on are milliseconds: as seconds they would be in the year 5138, as milliseconds in 1973.
const MILLISECONDS_FROM: f64 = 1e11;

/// A feature's moment in milliseconds since 1970.
pub fn moment(found: Found<'_>, buffer: &mut Vec<u8>) -> Result<i64, Refusal> {
    let ms = match (found.number(), found.text()) {
        (Some(number), _) => of_number(number.to_f64()),
        (None, Some(text)) => of_text(text.bytes(buffer)),
        (None, None) => None,
    };
    ms.ok_or_else(|| found.refusal(Reason::BadTime, EXPECTED))
}

/// Seconds or milliseconds since 1970, by their size; `None`: beyond the years 0 to 9999.
pub fn of_number(value: f64) -> Option<i64> {
    if !value.is_finite() {
        return None;
    }
    let ms = if value.abs() < MILLISECONDS_FROM { value * 1e3 } else { value };
    within(ms.round() as i64)
}

/// `YYYY-MM-DD`, then maybe a `T` or a space and `hh:mm`, then maybe seconds, a fraction and an offset; UTC without one.
pub fn of_text(text: &[u8]) -> Option<i64> {
    let (&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2], rest) = text.split_first_chunk::<10>()? else {
        return None;
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    if !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * 86_400;
    let Some((&[b'T' | b't' | b' ', h1, h2, b':', n1, n2], rest)) = rest.split_first_chunk::<6>() else {
        return if rest.is_empty() { within(midnight * 1_000) } else { None };
    };
    let (hour, minute) = (number(&[h1, h2])?, number(&[n1, n2])?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (number(&[*s1, *s2])?, rest),
        _ => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, rest) = fraction_ms(rest)?;
    let offset = if rest.is_empty() { 0 } else { offset_s(rest)? };
    within((midnight + hour * 3_600 + minute * 60 + second - offset) * 1_000 + fraction)
}

fn within(ms: i64) -> Option<i64> {
    (TIME_MS_MIN..=TIME_MS_MAX).contains(&ms).then_some(ms)
}

/// Writes what [`CYCLES`] names.
pub fn cycles(ms: i64, out: &mut [f32]) {
    let days = ms as f64 / DAY_MS;
    // 1970 began on a Thursday: three days after a Monday.
    let turns = [days, (days + 3.0) / 7.0, days / YEAR_DAYS];
    out[0] = days as f32;
    for (pair, turn) in out[1..].as_chunks_mut().0.iter_mut().zip(turns) {
        let angle = ((turn - turn.floor()) * std::f64::consts::TAU) as f32;
        *pair = [libm::sinf(angle), libm::cosf(angle)];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_read_as_gnu_date_reads_them() {
        // Expected values: GNU date, `date -u -d TEXT +%s%3N`.
        for (text, expected) in [
            ("2026-01-31", 1_769_817_600_000),
            ("2026-01-31 12:30", 1_769_862_600_000),
            ("2026-01-31T12:30:05", 1_769_862_605_000),
            ("2026-01-31 12:30:05.25", 1_769_862_605_250),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000),
            ("1969-12-31", -86_400_000),
        ] {
            assert_eq!(of_text(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-1-31",
            "2026-01-31 ",
            "2026-01-31 25:00",
            "31/01/2026",
            "2026-01-31x",
        ] {
            assert_eq!(of_text(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds_by_their_size() {
        assert_eq!(of_number(1_769_817_600.0), Some(1_769_817_600_000));
        assert_eq!(of_number(1_769_817_600_000.0), Some(1_769_817_600_000));
        assert_eq!(of_number(-1.5), Some(-1_500));
        assert_eq!((of_number(1e300), of_number(f64::NAN)), (None, None));
    }

    #[test]
    fn a_cycle_comes_back_after_its_period_and_not_before() {
        let at = |ms: i64| {
            let mut out = [0.0; CYCLES.len()];
            cycles(ms, &mut out);
            out
        };
        // Monday, 5 January 1970, 06:00: a quarter of the day, the beginning of the week.
        let monday = at(4 * 86_400_000 + 6 * 3_600_000);
        assert!((monday[0] - 4.25).abs() < 1e-6);
        assert!((monday[1] - 1.0).abs() < 1e-6 && monday[2].abs() < 1e-6, "{monday:?}");
        let week_later = at(11 * 86_400_000 + 6 * 3_600_000);
        assert!(monday[1..5].iter().zip(&week_later[1..5]).all(|(a, b)| (a - b).abs() < 1e-4));
        let day_later = at(5 * 86_400_000 + 6 * 3_600_000);
        assert!((monday[3] - day_later[3]).abs() > 0.1);
    }

    proptest! {
        #[test]
        fn every_moment_gives_finite_numbers(ms in TIME_MS_MIN..=TIME_MS_MAX) {
            let mut out = [f32::NAN; CYCLES.len()];
            cycles(ms, &mut out);
            prop_assert!(out.iter().all(|value| value.is_finite()));
            prop_assert!(out[1..].iter().all(|value| value.abs() <= 1.0));
        }
    }
}
