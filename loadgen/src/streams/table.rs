use std::io::Read;
use std::ops::Range;

use super::StreamError;
use super::json;

/// Bound on a decompressed stream, so that a compressed bomb is refused and spans fit `u32`.
const CSV_BYTES_MAX: u64 = 1 << 30;

/// One feature column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    /// Every value is a number or missing.
    pub numeric: bool,
}

/// A CSV file as JSON fragments, rendered once, so that replaying a row is a copy. The last column is the target.
#[derive(Debug)]
pub struct Table {
    features: Vec<Feature>,
    target: String,
    /// All fragments and targets, one after the other.
    arena: Vec<u8>,
    rows: Vec<Row>,
}

/// Where the parts of a row end in the arena; it starts where the row before it ends.
#[derive(Debug, Clone, Copy)]
struct Row {
    fields_end: u32,
    target_end: u32,
    labelled: bool,
}

impl Table {
    /// Parses a CSV with a header line, gzipped or not.
    ///
    /// Errors name the line: no header, fewer than two columns, a repeated, empty or reserved (`id`) column name, a
    /// row of another length, invalid UTF-8, no rows, more than 1 GiB.
    pub fn parse(bytes: &[u8]) -> Result<Self, StreamError> {
        let csv = decompress(bytes)?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.as_slice());
        let header = reader.headers()?.clone();
        let (mut features, target) = columns(&header)?;
        let names: Vec<Vec<u8>> = features.iter().map(|feature| json::string(&feature.name)).collect();

        let mut arena = Vec::with_capacity(csv.len() * 2);
        let mut rows = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record)? {
            for (column, name) in names.iter().enumerate() {
                arena.push(if column == 0 { b'{' } else { b',' });
                arena.extend_from_slice(name);
                arena.push(b':');
                let kind = json::write_value(&record[column], &mut arena);
                features[column].numeric &= kind != json::Kind::Text;
            }
            arena.push(b'}');
            let fields_end = arena.len();
            let truth = &record[names.len()];
            let labelled = !json::is_missing(truth);
            if labelled {
                arena.extend_from_slice(truth.as_bytes());
            }
            let end = |len| u32::try_from(len).map_err(|_| StreamError::TooLarge(CSV_BYTES_MAX));
            rows.push(Row { fields_end: end(fields_end)?, target_end: end(arena.len())?, labelled });
        }
        if rows.is_empty() {
            return Err(StreamError::Empty);
        }
        Ok(Self { features, target, arena, rows })
    }

    /// The columns but the last, in the order of the header.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Name of the last column.
    pub fn target_name(&self) -> &str {
        &self.target
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The features of a row (from 0) as a JSON object.
    pub fn fields(&self, row: u64) -> &[u8] {
        let (fields, _) = self.spans(row);
        &self.arena[fields]
    }

    /// The target of a row (from 0) as text; `None` where it is missing.
    pub fn target(&self, row: u64) -> Option<&str> {
        let (_, target) = self.spans(row);
        let text = || std::str::from_utf8(&self.arena[target]).expect("copied from a str");
        self.rows[row as usize].labelled.then(text)
    }

    /// The distinct targets, numbers in their order and then text in its order; `None` when there are more than `max`.
    pub fn classes(&self, max: usize) -> Option<Vec<String>> {
        let mut classes: Vec<String> = Vec::new();
        for row in 0..self.rows() {
            if let Some(target) = self.target(row)
                && !classes.iter().any(|class| class == target)
            {
                if classes.len() == max {
                    return None;
                }
                classes.push(target.to_owned());
            }
        }
        let number = |class: &String| class.parse::<f64>().unwrap_or(f64::INFINITY);
        classes.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.cmp(b)));
        Some(classes)
    }

    fn spans(&self, row: u64) -> (Range<usize>, Range<usize>) {
        let row = row as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].target_end as usize);
        let Row { fields_end, target_end, .. } = self.rows[row];
        (start..fields_end as usize, fields_end as usize..target_end as usize)
    }
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, StreamError> {
    const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
    let mut csv = Vec::new();
    if bytes.starts_with(&GZIP_MAGIC) {
        flate2::read::MultiGzDecoder::new(bytes)
            .take(CSV_BYTES_MAX + 1)
            .read_to_end(&mut csv)
            .map_err(StreamError::Gzip)?;
    } else {
        csv.extend_from_slice(bytes);
    }
    if csv.len() as u64 > CSV_BYTES_MAX {
        return Err(StreamError::TooLarge(CSV_BYTES_MAX));
    }
    Ok(csv)
}

fn columns(header: &csv::StringRecord) -> Result<(Vec<Feature>, String), StreamError> {
    if header.len() < 2 {
        return Err(StreamError::TooFewColumns(header.len()));
    }
    for (position, name) in header.iter().enumerate() {
        let repeated = header.iter().take(position).any(|before| before == name);
        if name.is_empty() || name == "id" || repeated {
            return Err(StreamError::ColumnName { name: name.into(), position: position + 1 });
        }
    }
    let mut features: Vec<Feature> =
        header.iter().map(|name| Feature { name: name.into(), numeric: true }).collect();
    let target = features.pop().expect("there are two columns or more").name;
    Ok((features, target))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn fields(table: &Table, row: u64) -> &str {
        std::str::from_utf8(table.fields(row)).unwrap()
    }

    #[test]
    fn numbers_stand_as_in_the_file_and_the_last_column_is_the_target() {
        let table = Table::parse(b"a,b,class\n0.050,-1e3,1\n7,0,up\n").unwrap();

        assert_eq!(fields(&table, 0), r#"{"a":0.050,"b":-1e3}"#);
        assert_eq!(fields(&table, 1), r#"{"a":7,"b":0}"#);
        assert_eq!((table.target(0), table.target(1)), (Some("1"), Some("up")));
        assert_eq!(table.target_name(), "class");
    }

    #[test]
    fn text_is_quoted_and_missing_is_null() {
        let table = Table::parse(b"a,b,y\nMon \"x\",?,1\n,NaN,\nNA, 3 ,?\n").unwrap();

        assert_eq!(fields(&table, 0), r#"{"a":"Mon \"x\"","b":null}"#);
        assert_eq!(fields(&table, 1), r#"{"a":null,"b":null}"#);
        assert_eq!(fields(&table, 2), r#"{"a":null,"b":3}"#);
        assert_eq!((table.target(1), table.target(2)), (None, None));
        let numeric: Vec<bool> = table.features().iter().map(|f| f.numeric).collect();
        assert_eq!(numeric, [false, true]);
    }

    #[test]
    fn byte_order_mark_crlf_and_gzip_are_read() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"\xef\xbb\xbfa,y\r\n1,0\r\n").unwrap();

        let table = Table::parse(&gzip.finish().unwrap()).unwrap();

        assert_eq!(table.features()[0].name, "a");
        assert_eq!((fields(&table, 0), table.target(0)), (r#"{"a":1}"#, Some("0")));
    }

    #[test]
    fn faulty_files_are_refused_with_the_reason() {
        let said = |csv: &[u8]| Table::parse(csv).unwrap_err().to_string();

        assert!(said(b"").contains("0 columns"));
        assert!(said(b"y\n1\n").contains("1 column"));
        assert!(said(b"a,y\n").contains("no rows"));
        assert!(said(b"a,a,y\n1,2,3\n").contains("column 2"));
        assert!(said(b"id,y\n1,2\n").contains("`id`"));
        assert!(said(b"a,y\n1,2\n1\n").contains("line: 3"));
        assert!(said(b"a,y\n\xff,2\n").contains("UTF-8"));
        assert!(said(b"\x1f\x8bnot gzip").contains("gzip"));
    }

    #[test]
    fn classes_are_ordered_as_numbers_before_text() {
        let table = Table::parse(b"a,y\n1,10\n1,2\n1,x\n1,10\n1,?\n").unwrap();

        assert_eq!(table.classes(3).unwrap(), ["2", "10", "x"]);
        assert_eq!(table.classes(2), None);
    }
}
