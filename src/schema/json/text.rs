/// What stands between the quotes of a string, its escapes already found valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    pub raw: &'a str,
    /// Whether `raw` has escapes.
    pub escaped: bool,
}

impl<'a> Text<'a> {
    /// The string's bytes (UTF-8); `buffer` holds them when there were escapes.
    pub fn bytes<'b>(&self, buffer: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        if !self.escaped {
            return self.raw.as_bytes();
        }
        buffer.clear();
        unescape(self.raw, buffer);
        buffer
    }
}

/// Appends the string that `raw`, whose escapes are valid, stands for.
fn unescape(raw: &str, out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        match escape {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => rest = unescape_unicode(rest, out),
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest.as_bytes());
}

/// `rest` stands after `\u`; returns what stands after the whole character.
fn unescape_unicode<'a>(rest: &'a str, out: &mut Vec<u8>) -> &'a str {
    let high = hex(rest.as_bytes()).expect("the scanner has checked the four digits");
    let (code, rest) = if is_high_surrogate(high) {
        let low = hex(&rest.as_bytes()[6..]).expect("the scanner has checked the second half");
        (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), &rest[10..])
    } else {
        (high, &rest[4..])
    };
    let c = char::from_u32(code).expect("the scanner has refused lone surrogates");
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

/// The value of the first four bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> Option<u32> {
    bytes.get(..4)?.iter().try_fold(0, |code, &byte| Some(code << 4 | char::from(byte).to_digit(16)?))
}

pub(super) fn is_high_surrogate(code: u32) -> bool {
    (0xd800..0xdc00).contains(&code)
}

pub(super) fn is_low_surrogate(code: u32) -> bool {
    (0xdc00..0xe000).contains(&code)
}
