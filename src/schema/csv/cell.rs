//! What one cell says.

use crate::schema::json::common_f32;

/// Cells that mean a missing value.
pub fn is_missing(cell: &[u8]) -> bool {
    matches!(cell, b"" | b"?" | b"NA" | b"NaN" | b"nan" | b"null" | b"NULL")
}

/// A cell's number, the nearest `f32`, infinite beyond its range; `None`: it is none. More than JSON's numbers: a sign of
/// plus, leading zeros and a point without digits on one side are usual in CSV. Infinities are not.
#[inline]
pub fn number(cell: &[u8]) -> Option<f32> {
    // The common form, with room behind it: what follows a cell in its record is the next one.
    if (1..16).contains(&cell.len()) {
        let mut padded = [0; 16];
        padded[..cell.len()].copy_from_slice(cell);
        if let Some((value, end)) = common_f32(&padded)
            && end == cell.len()
        {
            return Some(value);
        }
        if let Some(value) = whole(cell) {
            return Some(value);
        }
    }
    rare(cell)
}

/// As [`number`]; with `comma` also one whose decimal point is a comma, as in `1,5`.
#[inline]
pub fn decimal(cell: &[u8], comma: bool) -> Option<f32> {
    number(cell).or_else(|| if comma { with_comma(cell) } else { None })
}

#[cold]
fn with_comma(cell: &[u8]) -> Option<f32> {
    let at = cell.iter().position(|byte| *byte == b',')?;
    let mut pointed = [0; 64];
    let pointed = pointed.get_mut(..cell.len())?;
    pointed.copy_from_slice(cell);
    pointed[at] = b'.';
    number(pointed)
}

/// What numbers in the common notations have in common, if they are the same one: `1`, `+1`, `01` and `1.0` are `1`.
/// `None`: it is no such number.
pub fn plain(cell: &[u8]) -> Option<Vec<u8>> {
    let (sign, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let at = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..at], digits.get(at + 1..).unwrap_or_default());
    let mut all = whole.iter().chain(fraction);
    if whole.len() + fraction.len() == 0 || !all.all(u8::is_ascii_digit) {
        return None;
    }
    let whole = &whole[whole.iter().take_while(|digit| **digit == b'0').count()..];
    let zeros = fraction.iter().rev().take_while(|digit| **digit == b'0').count();
    let fraction = &fraction[..fraction.len() - zeros];
    let mut plain = Vec::with_capacity(digits.len() + 2);
    if sign && whole.len() + fraction.len() > 0 {
        plain.push(b'-');
    }
    plain.extend(if whole.is_empty() { b"0" } else { whole });
    if !fraction.is_empty() {
        plain.push(b'.');
        plain.extend(fraction);
    }
    Some(plain)
}

/// At most 15 digits and a sign: exact as an integer, and rounded once.
#[inline]
fn whole(cell: &[u8]) -> Option<f32> {
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(if negative { -(value as f32) } else { value as f32 })
}

fn rare(cell: &[u8]) -> Option<f32> {
    let digit_or_point = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let unsigned = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    // Rust also reads "inf" and "nan".
    unsigned.first().filter(|byte| digit_or_point(byte))?;
    str::from_utf8(cell).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_numbers_are_numbers() {
        for good in ["0", "-0", "+1", "01", ".5", "5.", "-1.25e-3", "1E5", "123456789012345678", "0.056443"] {
            let expected: f32 = good.parse().unwrap();
            assert_eq!(number(good.as_bytes()).unwrap().to_bits(), expected.to_bits(), "{good}");
        }
        assert_eq!(number(b"1e39"), Some(f32::INFINITY));
        for bad in ["", "-", "+", ".", "inf", "-inf", "infinity", "abc", "1,5", "1 2", "0x10", "1e", "é"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_comma_is_a_point_only_where_that_is_said() {
        assert_eq!(decimal(b"-1,5", true), Some(-1.5));
        assert_eq!(decimal(b"1.5", true), Some(1.5));
        assert_eq!(decimal(b"1,5", false), None);
        for bad in ["1,234,5", "1.234,5", ",", "a,5", &"1,".repeat(40)] {
            assert_eq!(decimal(bad.as_bytes(), true), None, "{bad}");
        }
    }

    #[test]
    fn a_number_has_one_plain_form() {
        for (cells, expected) in [
            (["1", "+1", "01", "1.", "1.0", "001.00"].as_slice(), "1"),
            (&["0", "-0", "0.0", ".0", "00"], "0"),
            (&["-2.5", "-2.50", "-02.5"], "-2.5"),
        ] {
            for cell in cells {
                assert_eq!(plain(cell.as_bytes()).as_deref(), Some(expected.as_bytes()), "{cell}");
            }
        }
        for cell in ["", "-", ".", "1e3", "a", "1.0.0", "1,0"] {
            assert_eq!(plain(cell.as_bytes()), None, "{cell}");
        }
    }

    proptest! {
        #[test]
        fn every_float_reads_back_as_itself(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                prop_assert_eq!(number(value.to_string().as_bytes()).unwrap().to_bits(), bits);
                prop_assert_eq!(number(format!("{value:e}").as_bytes()).unwrap().to_bits(), bits);
            }
        }

        #[test]
        fn digits_are_read_as_the_standard_library_reads_them(text in "-?[0-9]{1,8}(\\.[0-9]{0,8})?") {
            prop_assert_eq!(number(text.as_bytes()).map(f32::to_bits), text.parse::<f32>().ok().map(f32::to_bits));
        }
    }
}
