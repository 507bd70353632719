/// A number's literal, and its value as far as it was cheap to have while scanning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number<'a> {
    pub text: &'a str,
    /// All digits before the exponent as one integer; meaningless when there are more than 19.
    mantissa: u64,
    /// The value is mantissa · 10^exponent.
    exponent: i64,
    digits: usize,
    /// Neither a fraction nor an exponent was written.
    pub integer: bool,
}

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// 10^n, by which a value grows when n digits follow it.
const SHIFTS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Digits that always fit into a `u64`.
const DIGITS_MAX: usize = 19;

const EXACT_MAX: u64 = 1 << 53;

/// An exponent beyond this is far out of the range of any float.
const EXPONENT_MAX: i64 = 1 << 40;

impl<'a> Number<'a> {
    /// Reads the number at `start`; returns it and where it ends, or where it is malformed and what was expected there.
    pub fn scan(text: &'a str, start: usize) -> Result<(Self, usize), (usize, &'static str)> {
        let bytes = text.as_bytes();
        let negative = bytes.get(start) == Some(&b'-');
        let first = start + usize::from(negative);
        let mut mantissa = 0;
        let mut at = digits(bytes, first, &mut mantissa);
        let mut digits_all = at - first;
        if digits_all == 0 {
            return Err((at, "a digit"));
        }
        if digits_all > 1 && bytes[first] == b'0' {
            return Err((first, "a number without leading zeros"));
        }
        let mut exponent = 0;
        let mut integer = true;
        if bytes.get(at) == Some(&b'.') {
            let end = digits(bytes, at + 1, &mut mantissa);
            let count = end - (at + 1);
            if count == 0 {
                return Err((end, "a digit after the decimal point"));
            }
            digits_all += count;
            exponent -= count as i64;
            integer = false;
            at = end;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            let (written, end) = exponent_part(bytes, at + 1)?;
            exponent += written;
            integer = false;
            at = end;
        }
        Ok((Self { text: &text[start..at], mantissa, exponent, digits: digits_all, integer }, at))
    }

    /// The nearest `f32`, ties to even, infinite beyond its range: always what `str::parse::<f32>` gives.
    ///
    /// By way of a double where that is exact (Clinger, "How to read floating point numbers accurately", 1990): up to
    /// 2^53 and 10^22 both operands are exact, so the double is the nearest one, and rounding it again is the nearest
    /// float unless the double lies just between two floats.
    #[inline]
    pub fn to_f32(self) -> f32 {
        if let Some(double) = self.exact_ratio()
            && !is_between_floats(double)
            && (double >= f64::from(f32::MIN_POSITIVE) || self.mantissa == 0)
        {
            let sign = u32::from(self.negative()) << 31;
            return f32::from_bits((double as f32).to_bits() | sign);
        }
        self.parse_f32()
    }

    #[cold]
    fn parse_f32(self) -> f32 {
        self.text.parse().expect("a json number is a number to rust")
    }

    /// The nearest `f64`, ties to even, infinite beyond its range.
    pub fn to_f64(self) -> f64 {
        self.text.parse().expect("a json number is a number to rust")
    }

    /// An integer that doubles, and so most senders' numbers, cannot tell from its neighbours.
    #[inline]
    pub fn is_rounded_integer(self) -> bool {
        self.integer && (self.digits > DIGITS_MAX || self.mantissa > EXACT_MAX)
    }

    fn negative(self) -> bool {
        self.text.as_bytes()[0] == b'-'
    }

    /// The magnitude, correctly rounded, where one exact multiplication or division gives it.
    #[inline]
    fn exact_ratio(self) -> Option<f64> {
        if self.digits > DIGITS_MAX || self.mantissa > EXACT_MAX {
            return None;
        }
        let mantissa = self.mantissa as f64;
        let tens = TENS.get(usize::try_from(self.exponent.unsigned_abs()).ok()?)?;
        Some(if self.exponent < 0 { mantissa / tens } else { mantissa * tens })
    }
}

/// A number as most are, at most six digits, a point and up to seven digits more, and where it ends in `bytes`; `None`:
/// it is another or stands within the last bytes, so [`Number::scan`] has to look.
///
/// The same value that [`Number::to_f32`] gives.
#[inline]
pub fn common_f32(bytes: &[u8]) -> Option<(f32, usize)> {
    let window: &[u8; 16] = bytes.first_chunk()?;
    let negative = window[0] == b'-';
    // Shifted and not branched upon: signs cannot be predicted.
    let digits = u64::from_le_bytes(*window.first_chunk()?) >> (8 * u32::from(negative));
    let (mut whole, mut whole_len, mut rest) = (0, 0, digits);
    while (rest as u8).is_ascii_digit() {
        whole = whole * 10 + u64::from(rest as u8 - b'0');
        whole_len += 1;
        rest >>= 8;
    }
    let leading_zero = digits as u8 == b'0' && whole_len > 1;
    if whole_len == 0 || whole_len > 6 || leading_zero || rest as u8 != b'.' {
        return None;
    }
    let point = usize::from(negative) + whole_len;
    let (count, fraction) = digits_of_word(u64::from_le_bytes(*window.get(point + 1..)?.first_chunk()?));
    let end = point + 1 + count;
    if count == 0 || count == 8 || matches!(window[end], b'e' | b'E') {
        return None;
    }
    // At most 13 digits over at most 10^7: both are exact, and the quotient is far from the ends of a float's range.
    let double = (whole * SHIFTS[count] + fraction) as i64 as f64 / TENS[count];
    if is_between_floats(double) {
        return None;
    }
    Some((f32::from_bits((double as f32).to_bits() | u32::from(negative) << 31), end))
}

/// Whether `double` is just between two floats, so that rounding it again could go the wrong way.
#[inline]
fn is_between_floats(double: f64) -> bool {
    const MASK: u64 = (1 << 29) - 1;
    double.to_bits() & MASK == 1 << 28
}

/// Reads digits from `at` on into `value`, wrapping; returns where they end.
#[inline]
fn digits(bytes: &[u8], mut at: usize, value: &mut u64) -> usize {
    while let Some(word) = bytes.get(at..at + 8) {
        let (count, eight) =
            digits_of_word(u64::from_le_bytes(word.try_into().expect("eight bytes were taken")));
        *value = value.wrapping_mul(SHIFTS[count]).wrapping_add(eight);
        at += count;
        if count < 8 {
            return at;
        }
    }
    while let Some(&byte) = bytes.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// How many digits the eight characters of `word` begin with, and their value. No branches: how long a number is cannot
/// be predicted.
#[inline]
fn digits_of_word(word: u64) -> (usize, u64) {
    let digits = word ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is no digit; a carry can only mark bytes above a true mark.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let count = others.trailing_zeros() as usize / 8;
    // The digits move to the end, and zeros come before them. In two steps: a shift by 64 does not exist.
    let shift = 64 - 8 * count as u32;
    let digits = (digits << (shift / 2)) << (shift - shift / 2);
    // Pairs, then fours and eights: D. Lemire, "Quickly parsing eight digits" (2018).
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    const MASK: u64 = 0x0000_00ff_0000_00ff;
    let high = (pairs & MASK).wrapping_mul(0x000f_4240_0000_0064);
    let low = (pairs >> 16 & MASK).wrapping_mul(0x0000_2710_0000_0001);
    (count, high.wrapping_add(low) >> 32)
}

/// The exponent whose sign or first digit is at `at`, and where it ends.
fn exponent_part(bytes: &[u8], mut at: usize) -> Result<(i64, usize), (usize, &'static str)> {
    let negative = bytes.get(at) == Some(&b'-');
    if let Some(b'+' | b'-') = bytes.get(at) {
        at += 1;
    }
    let first = at;
    let mut value = 0;
    while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
        value = (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX);
        at += 1;
    }
    if at == first {
        return Err((at, "a digit in the exponent"));
    }
    Ok((if negative { -value } else { value }, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(text: &str) -> Result<f32, (usize, &'static str)> {
        let (number, end) = Number::scan(text, 0)?;
        assert_eq!(&text[..end], number.text);
        // The short cut agrees wherever it answers.
        let padded = format!("{text},                        ");
        if let Some((value, common_end)) = common_f32(padded.as_bytes()) {
            assert_eq!((value.to_bits(), common_end), (number.to_f32().to_bits(), end), "{text}");
        }
        Ok(number.to_f32())
    }

    #[test]
    fn only_the_grammar_of_rfc_8259_is_a_number() {
        for good in ["0", "-0", "0.0", "-0.5", "10", "1e5", "1E+5", "1.5e-5", "0e0"] {
            assert_eq!(scan(good), Ok(good.parse().unwrap()), "{good}");
        }
        for bad in
            ["", "-", "+1", ".5", "01", "-01", "00", "1.", "1.e5", "1e", "1e+", "-.5", "NaN", "Infinity"]
        {
            assert!(scan(bad).is_err(), "{bad}");
            assert_eq!(common_f32(format!("{bad},                        ").as_bytes()), None, "{bad}");
        }
        // What follows a number is not its matter.
        assert_eq!(Number::scan("1.5,", 0).unwrap().1, 3);
        assert_eq!(Number::scan("0x10", 0).unwrap().1, 1);
    }

    #[test]
    fn hard_cases_round_as_the_standard_library_does() {
        let long = format!("0.{}1", "0".repeat(100_000));
        let wide = format!("1{}", "0".repeat(100_000));
        for text in [
            "16777217",            // between two floats, exactly
            "16777217.0000000001", // just above
            "1.00000005960464477539062500001",
            "1.000000059604644775390625", // between two floats
            "8388608.5000000001",
            "3.4028235e38",
            "340282356779733661637539395458142568447",
            "340282356779733661637539395458142568448",
            "1e39",
            "1e-45",
            "7e-46",
            "0.7e-45",
            "1.1754943e-38",
            "9007199254740993",
            "18446744073709551616",
            "99999999999999999999",
            "1e99999999999999999999999999",
            "1e-99999999999999999999999999",
            "0e99999999999999999999999999",
            "-0",
            &long,
            &wide,
        ] {
            let expected: f32 = text.parse().unwrap();
            assert_eq!(scan(text).unwrap().to_bits(), expected.to_bits(), "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn common_numbers_take_the_short_cut() {
        for text in ["0.5", "-0.0", "1.25", "123456.1234567", "-999999.9999999", "0.0000001"] {
            let (value, end) = common_f32(format!("{text},                        ").as_bytes()).unwrap();
            assert_eq!(
                (value.to_bits(), end),
                (text.parse::<f32>().unwrap().to_bits(), text.len()),
                "{text}"
            );
        }
        for text in ["1234567.5", "1.12345678", "1.5e3", "7"] {
            assert_eq!(common_f32(format!("{text},                        ").as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_beyond_two_to_the_53_are_known_as_rounded() {
        let rounded = |text| Number::scan(text, 0).unwrap().0.is_rounded_integer();
        assert!(!rounded("9007199254740992"));
        assert!(rounded("9007199254740993"));
        assert!(rounded("-9007199254740993"));
        assert!(rounded("123456789012345678901234567890"));
        assert!(!rounded("9007199254740993.0"));
    }

    proptest! {
        #[test]
        fn any_float_as_written_by_anyone_comes_back_as_the_nearest(bits: u32, wide: u64, places in 0usize..25) {
            for text in [
                format!("{}", f32::from_bits(bits)),
                format!("{:e}", f32::from_bits(bits)),
                format!("{}", f64::from_bits(wide)),
                format!("{:e}", f64::from_bits(wide)),
                format!("{:.places$}", f64::from_bits((wide % (1 << 52)) | (0x3ff << 52))),
                format!("{:.places$}", f64::from(f32::from_bits(bits)) * (1.0 + f64::EPSILON)),
                format!("{wide}e-{places}"),
                format!("{:.1$}", (wide % 20_000_000) as f64 / 1e6 - 10.0, places % 8),
                format!("{}.{:07}", wide >> 44, bits % 10_000_000),
            ] {
                if text.contains(['N', 'i']) {
                    continue;
                }
                let expected: f32 = text.parse().unwrap();
                prop_assert_eq!(scan(&text).unwrap().to_bits(), expected.to_bits(), "{}", text);
            }
        }
    }
}
