use std::io::{Chain, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::cell::number;
use super::error::{BadRow, CsvError};
use super::lines::{Lines, ROW_BYTES_MAX};
use crate::config::nearest_word;

/// Bytes of a file's beginning that are looked at for its delimiter; a longer header has commas.
const HEAD_BYTES: usize = 64 << 10;
/// What may separate cells; of those that serve alike, the first.
const DELIMITERS: [u8; 4] = *b",\t;|";
const BUFFER_BYTES: usize = 256 << 10;
/// Names that a message lists.
const LISTED_MAX: usize = 12;

/// Reads the rows of a CSV file with a header. Cells are separated by commas, tabs, semicolons or bars: by what divides
/// the header and the first row into equally many, else by the first of these that the header has.
pub struct CsvReader<R> {
    inner: csv::Reader<Lines<Chain<Cursor<Vec<u8>>, R>>>,
    header: Vec<String>,
    decimal_comma: bool,
    /// Lines that were passed over before the header.
    before: u64,
    /// The last one that a row has.
    line: u64,
}

/// One row, to be used again for the next.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub(super) cells: ByteRecord,
    /// Line of the file where it begins, from 1.
    pub line: u64,
    /// And where it ends.
    pub(super) last_line: u64,
    /// Whether a comma may be a decimal point, since it separates no cells.
    pub(super) decimal_comma: bool,
}

impl Record {
    /// What is wrong with a row that has another number of cells than the header.
    pub(super) fn ragged(&self, expected: usize) -> BadRow {
        BadRow::Ragged { line: self.line, last_line: self.last_line, found: self.cells.len(), expected }
    }
}

impl<R: Read> CsvReader<R> {
    /// Reads the header. A column without a name is called `column` and its number.
    pub fn new(mut read: R) -> Result<Self, CsvError> {
        let mut head = Vec::new();
        read.by_ref()
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(|source| CsvError::Read { line: 0, source })?;
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        foreign(&head)?;
        let said = said_delimiter(&head);
        let delimiter = said.map_or_else(|| delimiter(&head), |(delimiter, _)| delimiter);
        let passed_over = said.map_or(0, |(_, bytes)| bytes);
        head.drain(..passed_over);
        let mut inner = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Lines::new(Cursor::new(head).chain(read)));
        let mut cells = ByteRecord::new();
        let some = inner.read_byte_record(&mut cells).map_err(|error| failed(error, 0, inner.get_ref()))?;
        if !some {
            return Err(CsvError::Empty);
        }
        let header = names(&cells)?;
        Ok(Self {
            inner,
            header,
            decimal_comma: delimiter != b',',
            before: u64::from(said.is_some()),
            line: 1,
        })
    }

    /// Names of the columns, in the order of the file.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The column of that name; `what` asks for it.
    pub fn column(&self, what: &'static str, name: &str) -> Result<usize, CsvError> {
        column(&self.header, what, name)
    }

    /// Reads the next row; false at the end.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, CsvError> {
        match self.inner.read_byte_record(&mut record.cells) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => return Err(failed(error, self.line, self.inner.get_ref())),
        }
        let (consumed, line) = (self.inner.position().byte(), self.inner.position().line());
        let ended = self.inner.get_mut().row_ends(consumed);
        let breaks = record.cells.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        record.last_line = self.before + line - u64::from(ended);
        record.line = record.last_line.saturating_sub(breaks).max(1);
        record.decimal_comma = self.decimal_comma;
        self.line = record.last_line;
        Ok(true)
    }
}

/// The column of that name.
pub(super) fn column(header: &[String], what: &'static str, name: &str) -> Result<usize, CsvError> {
    header.iter().position(|other| other == name).ok_or_else(|| {
        let mut expected: Vec<_> = header.iter().take(LISTED_MAX).map(|name| format!("{name:?}")).collect();
        if header.len() > LISTED_MAX {
            expected.push(format!("{} more", header.len() - LISTED_MAX));
        }
        CsvError::NoColumn {
            what,
            name: name.into(),
            expected: expected.join(", "),
            nearest: nearest_word(name, header.iter().map(String::as_str)),
        }
    })
}

/// Refuses what is no text of ours, by its first bytes.
fn foreign(head: &[u8]) -> Result<(), CsvError> {
    let (found, hint) = match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("utf-16 text", "; `iconv -f utf-16 -t utf-8` makes it"),
        [b'P', b'K', 3, 4, ..] => ("a zip archive or a workbook", "; unpack it, or save it as CSV"),
        [b'P', b'A', b'R', b'1', ..] => ("a Parquet file", ""),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("compressed by zstd", ""),
        [b'B', b'Z', b'h', ..] if head.contains(&0) => ("compressed by bzip2", ""),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => ("compressed by xz", ""),
        _ if head.contains(&0) => ("a binary file", ""),
        _ => return Ok(()),
    };
    Err(CsvError::NotText { found, hint })
}

/// The delimiter where the file says it in a line of its own before the header, `sep=;`, as Excel has it; and how long that
/// line is.
fn said_delimiter(head: &[u8]) -> Option<(u8, usize)> {
    match head.strip_prefix(b"sep=")? {
        [delimiter, b'\n', ..] if DELIMITERS.contains(delimiter) => Some((*delimiter, 6)),
        [delimiter, b'\r', b'\n', ..] if DELIMITERS.contains(delimiter) => Some((*delimiter, 7)),
        _ => None,
    }
}

fn delimiter(head: &[u8]) -> u8 {
    let (header, rest) = row(head);
    let (first, _) = row(rest);
    let of_header = DELIMITERS.map(|delimiter| separators(header, delimiter));
    let fits = |at: &usize| of_header[*at] > 0 && of_header[*at] == separators(first, DELIMITERS[*at]);
    let found = (0..DELIMITERS.len()).find(fits).or_else(|| of_header.iter().position(|count| *count > 0));
    DELIMITERS[found.unwrap_or(0)]
}

/// The first row that is not blank, and what comes after it.
fn row(text: &[u8]) -> (&[u8], &[u8]) {
    let blank = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let text = &text[blank..];
    let mut quoted = false;
    let end = text.iter().position(|byte| {
        quoted ^= *byte == b'"';
        matches!(byte, b'\r' | b'\n') && !quoted
    });
    text.split_at(end.unwrap_or(text.len()))
}

/// How often the byte is outside of quotes.
fn separators(row: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    let outside = row.iter().filter(|byte| {
        quoted ^= **byte == b'"';
        !quoted && **byte == delimiter
    });
    outside.count()
}

fn names(cells: &ByteRecord) -> Result<Vec<String>, CsvError> {
    let mut names: Vec<String> = Vec::with_capacity(cells.len());
    for (column, cell) in cells.iter().enumerate() {
        let name = str::from_utf8(cell).map_err(|_| CsvError::HeaderNotUtf8)?.trim();
        names.push(if name.is_empty() { format!("column {}", column + 1) } else { name.into() });
    }
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    sorted.sort_by_key(|column| &names[*column]);
    match sorted.windows(2).find(|pair| names[pair[0]] == names[pair[1]]) {
        None => Ok(names),
        Some(_) if names.iter().all(|name| number(name.as_bytes()).is_some()) => Err(CsvError::NoHeader),
        Some(pair) => {
            Err(CsvError::NameTwice { name: names[pair[0]].clone(), first: pair[0] + 1, second: pair[1] + 1 })
        }
    }
}

fn failed<R>(error: csv::Error, line: u64, lines: &Lines<R>) -> CsvError {
    if lines.is_too_long() {
        return CsvError::RowTooLong { line: line + 1, max_bytes: ROW_BYTES_MAX };
    }
    let source = match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => std::io::Error::other(format!("{other:?}")),
    };
    CsvError::Read { line, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &[u8]) -> Result<CsvReader<&[u8]>, CsvError> {
        CsvReader::new(text)
    }

    fn refused(text: &[u8]) -> String {
        open(text).err().expect("the header is refused").to_string()
    }

    #[test]
    fn names_are_trimmed_and_unnamed_columns_numbered() {
        let reader = open(b"\xef\xbb\xbf, price ,\"a,b\"\n1,2,3\n").unwrap();
        assert_eq!(reader.header(), ["column 1", "price", "a,b"]);
    }

    #[test]
    fn the_delimiter_is_what_divides_header_and_first_row_alike() {
        for (text, names) in [
            ("a;b,c\n", ["a;b", "c"].as_slice()),
            ("a;b;c\n1,5;2;3\n", &["a", "b", "c"]),
            ("a\tb\n", &["a", "b"]),
            ("a|b\n", &["a", "b"]),
            ("a\n1;2\n", &["a"]),
            ("\"size, m\";b\n1;2\n", &["size, m", "b"]),
            ("\"size, m\";b\n", &["size, m", "b"]),
            ("size, m;b;c\r\n1;2;3\r\n", &["size, m", "b", "c"]),
            ("size; m,b\n\"1;2\",3\n", &["size; m", "b"]),
            ("\"a\nx;y\",b\n1,2\n", &["a\nx;y", "b"]),
        ] {
            assert_eq!(open(text.as_bytes()).unwrap().header(), names, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_says_the_delimiter_is_no_header() {
        let mut reader = open(b"sep=;\r\na,b;c\r\n1;2\r\n").unwrap();
        assert_eq!(reader.header(), ["a,b", "c"]);
        let mut record = Record::default();
        assert!(reader.read(&mut record).unwrap());
        assert_eq!((record.line, record.decimal_comma), (3, true));
        assert_eq!(open(b"sep=x,b\n1,2\n").unwrap().header(), ["sep=x", "b"]);
    }

    #[test]
    fn files_of_other_kinds_are_named() {
        assert_eq!(
            refused(b"\xff\xfea\0,\0b\0\n\0"),
            "it is utf-16 text; expected utf-8 text, maybe gzipped; `iconv -f utf-16 -t utf-8` makes it"
        );
        assert!(refused(b"PK\x03\x04...").starts_with("it is a zip archive or a workbook; expected utf-8"));
        assert!(refused(b"a,b\n\0\0").starts_with("it is a binary file"));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        assert!(refused(b"").contains("it is empty"));
        assert!(refused(b"\n\n").contains("it is empty"));
        assert_eq!(
            refused(b"a,b,a\n1,2,3\n"),
            "line 1: columns 1 and 3 are both named \"a\"; expected each name once"
        );
        assert!(refused(b"1.5,2,2\n3,4,5\n").starts_with("line 1: it has numbers only, one of them twice"));
        assert!(refused(b"a,\xff\n").contains("the header is not utf-8"));
    }

    #[test]
    fn lines_are_counted_through_quotes_blank_lines_and_crlf() {
        let lines = |text: &str| {
            let mut reader = open(text.as_bytes()).unwrap();
            let (mut record, mut lines) = (Record::default(), Vec::new());
            while reader.read(&mut record).unwrap() {
                lines.push((record.line, record.last_line));
            }
            lines
        };
        for (text, expected) in [
            ("a,b\n1,\"x\ny\"\n2,z\n", [(2, 3), (4, 4)].as_slice()),
            ("a,b\n\n\n1,x\n\n2,y", &[(4, 4), (6, 6)]),
            ("a,b\n1,\"x\n\"\n2,y\n\n", &[(2, 3), (4, 4)]),
        ] {
            assert_eq!(lines(text), expected, "{text:?}");
            let crlf = text.replace('\n', "\r\n");
            assert_eq!(lines(&crlf), expected, "{crlf:?}");
        }
        // Beyond the first buffer too.
        let many = "1,x\r\n".repeat(200_000);
        assert_eq!(lines(&format!("a,b\r\n\r\n{many}")).last(), Some(&(200_002, 200_002)));
    }

    #[test]
    fn a_quote_that_is_not_closed_does_not_take_the_file_into_memory() {
        let text = format!("a,b\n1,2\n1,\"{}", "x,y\n".repeat(6 << 20));
        let mut reader = open(text.as_bytes()).unwrap();
        let mut record = Record::default();
        assert!(reader.read(&mut record).unwrap());
        let error = reader.read(&mut record).unwrap_err().to_string();
        assert_eq!(error, "line 3: the row that begins here has more than 16 MiB; is a quote not closed?");
    }

    #[test]
    fn an_unknown_column_is_refused_with_the_nearest_name() {
        let reader = open(b"price,class\n").unwrap();
        assert_eq!(reader.column("target", "class").unwrap(), 1);
        assert_eq!(
            reader.column("target", "clas").unwrap_err().to_string(),
            "target \"clas\" is not in the header; expected one of \"price\", \"class\"; did you mean \"class\"?"
        );
    }
}
