use super::json::Number;
use super::refusal::{Reason, Refusal};
use super::values::Found;

/// 0000-01-01T00:00:00Z and the last millisecond of 9999, the times that RFC 3339 can write.
pub(super) const TIME_MS_MIN: i64 = -62_167_219_200_000;
pub(super) const TIME_MS_MAX: i64 = 253_402_300_799_999;

const EXPECTED: &str = "rfc 3339 text such as 2026-01-31T12:00:00Z, or milliseconds since 1970 as a number";

/// An event's time in milliseconds since 1970, at most `latest_ms`, and whether it had to be clamped to that.
pub fn event_time(
    found: Found<'_>,
    latest_ms: Option<i64>,
    buffer: &mut Vec<u8>,
) -> Result<(i64, bool), Refusal> {
    let time = match (found.number(), found.text()) {
        (Some(number), _) => Some(milliseconds(number)),
        (None, Some(text)) => rfc3339(text.bytes(buffer)),
        (None, None) => None,
    };
    let Some(time) = time else { return Err(found.refusal(Reason::BadTime, EXPECTED)) };
    let clamped = latest_ms.filter(|&latest| time > latest);
    let time = clamped.unwrap_or(time);
    if !(TIME_MS_MIN..=TIME_MS_MAX).contains(&time) {
        return Err(found.refusal(Reason::BadTime, "a time within the years 0 to 9999"));
    }
    Ok((time, clamped.is_some()))
}

/// The nearest whole millisecond, the ends of the range for what is beyond it.
fn milliseconds(number: Number<'_>) -> i64 {
    if number.integer
        && let Ok(time) = number.text.parse()
    {
        return time;
    }
    number.to_f64().round() as i64
}

/// RFC 3339, section 5.6, to the millisecond (what is finer is cut off); `None`: it is not that.
///
/// A leap second is the first of the next minute. A space may stand for the T.
fn rfc3339(text: &[u8]) -> Option<i64> {
    let (
        &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2],
        rest,
    ) = text.split_first_chunk::<19>()?
    else {
        return None;
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    if !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, rest) = fraction_ms(rest)?;
    let offset_s = offset_s(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_s;
    Some(seconds * 1_000 + fraction_ms)
}

/// The milliseconds of the fraction that `rest` may begin with, and what comes after it.
pub(super) fn fraction_ms(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let digit = |at: usize| if at < len { i64::from(digits[at] - b'0') } else { 0 };
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), &digits[len..]))
}

pub(super) fn offset_s(rest: &[u8]) -> Option<i64> {
    match *rest {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            let offset = hours * 3_600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

pub(super) fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

pub(super) fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `days_from_civil` of H. Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the
/// leap day is a year's last.
pub(super) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[test]
    fn times_as_rfc_3339_writes_them_are_read() {
        // Expected values: GNU date, `date -d TEXT +%s%3N`.
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1985-04-12T23:20:50.52Z", 482_196_050_520),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000),
            ("2000-02-29t12:00:00.123999z", 951_825_600_123),
            ("2026-01-31 12:00:00+05:30", 1_769_841_000_000),
            ("1990-12-31T23:59:60Z", 662_688_000_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130),
        ] {
            assert_eq!(rfc3339(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_not_read() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00ZZ",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00é",
            "1769860800000",
        ] {
            assert_eq!(rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_that_the_time_crate_writes_is_read_back(ms in TIME_MS_MIN..=TIME_MS_MAX) {
            let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap();
            prop_assert_eq!(rfc3339(time.format(&Rfc3339).unwrap().as_bytes()), Some(ms));
        }

        #[test]
        fn any_text_of_the_right_shape_is_read_as_the_time_crate_reads_it(
            text in "[0-9]{3}[048]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])"
        ) {
            let theirs = OffsetDateTime::parse(&text, &Rfc3339).ok();
            let theirs = theirs.map(|time| time.unix_timestamp_nanos().div_euclid(1_000_000) as i64);
            prop_assert_eq!(rfc3339(text.as_bytes()), theirs);
        }
    }
}
