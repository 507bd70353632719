/// What a CSV value became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Missing,
}

/// A value that stands for "not known" in a CSV file.
pub(super) fn is_missing(value: &str) -> bool {
    matches!(value, "" | "?" | "NA" | "NaN")
}

/// Writes a CSV value as JSON: a JSON number as it stands, another finite number (`.5`, `+1`) in JSON's way, a missing
/// value as `null`, anything else as a string.
pub(super) fn write_value(value: &str, out: &mut Vec<u8>) -> Kind {
    if is_missing(value) {
        out.extend_from_slice(b"null");
        return Kind::Missing;
    }
    if is_json_number(value.as_bytes()) {
        out.extend_from_slice(value.as_bytes());
        return Kind::Number;
    }
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            out.extend_from_slice(number.to_string().as_bytes());
            Kind::Number
        }
        _ => {
            out.extend_from_slice(&string(value));
            Kind::Text
        }
    }
}

/// A JSON string, quoted and escaped.
pub(super) fn string(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).expect("a str is always serialisable")
}

/// The number grammar of RFC 8259, section 6.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let unsigned = match exponent {
            [b'+' | b'-', unsigned @ ..] => unsigned,
            unsigned => unsigned,
        };
        let count = digits(unsigned);
        return count > 0 && count == unsigned.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> String {
        let mut out = Vec::new();
        write_value(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_numbers_stand_as_they_are() {
        for number in ["0", "-0.0", "12.50", "1e5", "1E+05", "-3.4e-2"] {
            assert_eq!(written(number), number);
        }
    }

    #[test]
    fn numbers_that_json_does_not_know_are_rewritten() {
        assert_eq!(written(".5"), "0.5");
        assert_eq!(written("+3"), "3");
        assert_eq!(written("007"), "7");
        assert_eq!(written("1."), "1");
    }

    #[test]
    fn everything_else_is_a_string() {
        assert_eq!(written("inf"), r#""inf""#);
        assert_eq!(written("1e999x"), r#""1e999x""#);
        assert_eq!(written("a\"b\\\u{1}"), r#""a\"b\\\u0001""#);
        assert_eq!(written("nan"), r#""nan""#);
    }

    #[test]
    fn what_is_written_is_always_json() {
        for value in ["1e", "--1", "1.e5", "0x10", "١", "1e+", "-", "{", "\u{7f}", "NA", "?"] {
            let json = written(value);
            assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{value}: {json}");
        }
    }
}
