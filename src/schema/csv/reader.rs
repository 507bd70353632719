use std::io::{Chain, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::error::CsvError;
use crate::config::nearest_word;

/// Bytes of a file's beginning that are looked at for its delimiter; a longer header has commas.
const HEAD_BYTES: usize = 64 << 10;
const BUFFER_BYTES: usize = 256 << 10;
/// Names that a message lists.
const LISTED_MAX: usize = 12;

/// Reads the rows of a CSV file with a header. Cells are separated by commas; by tabs, semicolons or bars where the
/// header has no comma.
pub struct CsvReader<R> {
    inner: csv::Reader<Chain<Cursor<Vec<u8>>, R>>,
    header: Vec<String>,
    line: u64,
}

/// One row, to be used again for the next.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub(super) cells: ByteRecord,
    /// Line of the file where it begins, from 1.
    pub line: u64,
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
        let delimiter = delimiter(&head);
        let mut inner = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Cursor::new(head).chain(read));
        let mut cells = ByteRecord::new();
        let some = inner.read_byte_record(&mut cells).map_err(|error| failed(error, 0))?;
        if !some {
            return Err(CsvError::Empty);
        }
        let header = names(&cells)?;
        Ok(Self { inner, header, line: 1 })
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
        let some =
            self.inner.read_byte_record(&mut record.cells).map_err(|error| failed(error, self.line))?;
        if some {
            self.line = record.cells.position().map_or(self.line, csv::Position::line);
            record.line = self.line;
        }
        Ok(some)
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

fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.contains(&b',') {
        return b',';
    }
    let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    let most = b"\t;|".iter().rev().max_by_key(|delimiter| count(**delimiter));
    most.copied().filter(|delimiter| count(*delimiter) > 0).unwrap_or(b',')
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
        Some(pair) => {
            Err(CsvError::NameTwice { name: names[pair[0]].clone(), first: pair[0] + 1, second: pair[1] + 1 })
        }
    }
}

fn failed(error: csv::Error, line: u64) -> CsvError {
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
    fn the_delimiter_is_the_comma_unless_the_header_has_none() {
        for (text, names) in [
            ("a;b,c\n", ["a;b", "c"].as_slice()),
            ("a;b;c\n1,5;2;3\n", &["a", "b", "c"]),
            ("a\tb\n", &["a", "b"]),
            ("a|b\n", &["a", "b"]),
            ("a\n1;2\n", &["a"]),
        ] {
            assert_eq!(open(text.as_bytes()).unwrap().header(), names, "{text:?}");
        }
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        assert!(refused(b"").contains("it is empty"));
        assert!(refused(b"\n\n").contains("it is empty"));
        assert_eq!(
            refused(b"a,b,a\n1,2,3\n"),
            "line 1: columns 1 and 3 are both named \"a\"; expected each name once"
        );
        assert!(refused(b"a,\xff\n").contains("the header is not utf-8"));
    }

    #[test]
    fn lines_are_counted_through_quotes_and_blank_lines() {
        let mut reader = open(b"a,b\n1,\"x\ny\"\n2,z\n").unwrap();
        let mut record = Record::default();
        let mut lines = Vec::new();
        while reader.read(&mut record).unwrap() {
            lines.push(record.line);
        }
        assert_eq!(lines, [2, 4]);
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
