use super::text::{hex, is_high_surrogate, is_low_surrogate};
use super::{Number, Text};
use crate::schema::refusal::{Reason, Refusal};

/// A place in a record's text.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// A value that is neither an object nor an array.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    Text(Text<'a>),
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes white space.
    #[inline]
    pub fn space(&mut self) {
        while let Some(byte) = self.peek()
            && byte <= b' '
            && matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
        {
            self.at += 1;
        }
    }

    /// Passes `byte` if it comes next.
    #[inline]
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Passes a colon and the white space around it.
    #[inline]
    pub fn colon(&mut self) -> Result<(), Refusal> {
        self.space();
        if !self.eat(b':') {
            return Err(self.malformed("a colon"));
        }
        self.space();
        Ok(())
    }

    /// Reads the name that comes next in an object.
    pub fn name(&mut self) -> Result<Text<'a>, Refusal> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("a field's name in double quotes"));
        }
        self.string()
    }

    /// Reads a value that is neither an object nor an array.
    pub fn scalar(&mut self) -> Result<Scalar<'a>, Refusal> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number().map(Scalar::Number),
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b'n') => self.literal("null", Scalar::Null),
            Some(b't') => self.literal("true", Scalar::Bool(true)),
            Some(b'f') => self.literal("false", Scalar::Bool(false)),
            Some(b'N' | b'I') => {
                Err(self.malformed("a value; json has no NaN and no Infinity: null is missing"))
            }
            _ => Err(self.malformed("a value")),
        }
    }

    pub fn number(&mut self) -> Result<Number<'a>, Refusal> {
        match Number::scan(self.text, self.at) {
            Ok((number, end)) => {
                self.at = end;
                Ok(number)
            }
            Err((at, expected)) => {
                self.at = at;
                Err(self.malformed(expected))
            }
        }
    }

    fn literal(&mut self, word: &'static str, value: Scalar<'a>) -> Result<Scalar<'a>, Refusal> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(
                self.malformed("a value: null, true, false, a number, a string, an object or an array")
            );
        }
        self.at += word.len();
        Ok(value)
    }

    /// Reads the string whose opening quote comes next.
    pub fn string(&mut self) -> Result<Text<'a>, Refusal> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        loop {
            self.at = plain_end(bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.malformed("no control character in a string")),
                None => return Err(self.malformed("a closing quote")),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Passes the escape whose backslash comes next.
    fn escape(&mut self) -> Result<(), Refusal> {
        let bytes = self.text.as_bytes();
        match bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let Some(code) = hex(&bytes[self.at + 2..]) else {
                    return Err(self.malformed("four hexadecimal digits after \\u"));
                };
                let low = || bytes[self.at + 6..].strip_prefix(b"\\u").and_then(hex);
                if is_low_surrogate(code) || is_high_surrogate(code) && !low().is_some_and(is_low_surrogate) {
                    return Err(self.malformed("surrogates in pairs, high before low"));
                }
                self.at += if is_high_surrogate(code) { 12 } else { 6 };
            }
            _ => return Err(self.malformed("one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u")),
        }
        Ok(())
    }

    /// What is at this place is not what the grammar wants.
    #[cold]
    pub fn malformed(&self, expected: &'static str) -> Refusal {
        let at = self.text.floor_char_boundary(self.at);
        let found = if at == self.text.len() { "end of record" } else { &self.text[at..] };
        Refusal::new(Reason::NotJson, format!("{expected} at byte {}", self.at)).with_value(found)
    }
}

/// The first byte from `at` on that a string cannot simply hold: a quote, a backslash or a control character.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..at + 8) {
        let special = special_bytes(u64::from_le_bytes(word.try_into().expect("eight bytes were taken")));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// Marks the high bit of the first (lowest) byte that is special, and perhaps of bytes after it; 0: none is.
///
/// "Determine if a word has a byte less than n", in S. E. Anderson's Bit Twiddling Hacks: borrows can only mark
/// bytes above a true mark.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGH;
    below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(json: &str) -> Option<Vec<u8>> {
        let mut scanner = Scanner::new(json);
        let text = scanner.string().ok()?;
        assert_eq!(scanner.at, json.len());
        Some(text.bytes(&mut Vec::new()).to_vec())
    }

    #[test]
    fn escapes_become_the_characters_they_stand_for() {
        for (json, expected) in [
            (r#""""#, ""),
            (r#""plain""#, "plain"),
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u0041\u00e9\u20AC""#, "Aé€"),
            (r#""\ud83d\ude00 and \u0000""#, "😀 and \0"),
            (r#""grüße 😀""#, "grüße 😀"),
        ] {
            assert_eq!(string(json).unwrap(), expected.as_bytes(), "{json}");
        }
    }

    #[test]
    fn broken_strings_are_refused() {
        for json in [
            r#"""#,
            r#""abc"#,
            r#""\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\u+123""#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            r#""\ud800x""#,
            r#""\ud800\n""#,
            r#""\ud800\ud800""#,
            "\"a\nb\"",
            "\"\0\"",
            "\"1234567\u{1f}\"",
            r#""\ud83"#,
        ] {
            assert!(Scanner::new(json).string().is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_read_as_serde_json_reads_them(json in r#""([ -~é😀]|\\u[0-9a-fA-F]{4}|\\["nrtbfx/\\]){0,20}""#) {
            let mut scanner = Scanner::new(&json);
            let ours = scanner.string().ok().filter(|_| scanner.at == json.len());
            let ours = ours.map(|text| text.bytes(&mut Vec::new()).to_vec());
            let theirs = serde_json::from_str::<String>(&json).ok().map(String::into_bytes);
            prop_assert_eq!(ours, theirs);
        }
    }
}
