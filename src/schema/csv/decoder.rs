use xxhash_rust::xxh3::xxh3_64;

use super::cell::{decimal, is_missing, plain};
use super::error::{BadRow, CsvError};
use super::reader::{Record, column};
use crate::config::SchemaConfig;
use crate::schema::label::LabelReader;
use crate::schema::moment::{CYCLES, EXPECTED, cycles, of_number, of_text};
use crate::schema::plan::Slot;
use crate::schema::refusal::{Reason, Refusal};
use crate::schema::values::{Found, weight};
use crate::schema::words::{TEXT_COLUMNS, bag_of_words};
use crate::schema::{Label, Notices, Rows, columns};

/// What a column of the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    Feature(Slot),
    Target,
    Weight,
}

/// Decodes rows of CSV by a schema: the same raw columns that the same values in a record give.
#[derive(Debug)]
pub struct CsvDecoder {
    header: Vec<String>,
    uses: Vec<Use>,
    labels: LabelReader,
    /// The classes that are numbers, in their plain form: `1.0` is the class `1` too.
    numbers: Vec<(Vec<u8>, u16)>,
}

impl CsvDecoder {
    /// `target`: the column that is predicted; `weight`: the one with the importance of each example, if there is one.
    /// Columns of the file that the schema does not have are passed over.
    pub fn new(
        header: &[String],
        schema: &SchemaConfig,
        target: &str,
        weight: Option<&str>,
    ) -> Result<Self, CsvError> {
        let mut uses = vec![Use::Nothing; header.len()];
        for feature in columns(schema) {
            uses[column(header, "feature", &feature.name)?] = Use::Feature(feature.slot());
        }
        if let Some(weight) = weight {
            uses[column(header, "weight", weight)?] = Use::Weight;
        }
        let place = &mut uses[column(header, "target", target)?];
        if matches!(place, Use::Feature(_)) {
            return Err(CsvError::TargetIsFeature { name: target.into() });
        }
        *place = Use::Target;
        let labels = LabelReader::new(schema)?;
        let plain = schema.classes.iter().map(|class| plain(class.as_bytes()));
        let mut numbers: Vec<_> =
            plain.zip(0..).filter_map(|(plain, class)| plain.map(|plain| (plain, class))).collect();
        numbers.sort_unstable();
        if numbers.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            // Who declares both means both.
            numbers.clear();
        }
        Ok(Self { header: header.to_vec(), uses, labels, numbers })
    }

    /// Appends the row to `rows` and returns its label and its weight, or refuses it and leaves `rows` as it was.
    /// `buffer` is working memory.
    pub fn decode(
        &self,
        record: &Record,
        rows: &mut Rows,
        buffer: &mut Vec<u8>,
    ) -> Result<(Label, f32), BadRow> {
        let expected = self.uses.len();
        if record.cells.len() != expected {
            return Err(record.ragged(expected));
        }
        let before = rows.len();
        rows.push_missing();
        self.cells(record, rows, buffer).map_err(|(column, refusal)| {
            rows.truncate(before);
            let name = self.header[column].clone();
            BadRow::Cell { line: record.line, column: column + 1, name, refusal }
        })
    }

    /// The row's label, which is of the right form, cannot be used for another reason.
    pub fn bad_label(&self, record: &Record, expected: String) -> BadRow {
        let column = self.uses.iter().position(|to| *to == Use::Target).unwrap_or(0);
        let value = record.cells.get(column).unwrap_or_default();
        let refusal = Refusal::new(Reason::LabelNotDeclared, expected)
            .with_value(&String::from_utf8_lossy(value.trim_ascii()));
        BadRow::Cell { line: record.line, column: column + 1, name: self.header[column].clone(), refusal }
    }

    fn cells(
        &self,
        record: &Record,
        rows: &mut Rows,
        buffer: &mut Vec<u8>,
    ) -> Result<(Label, f32), (usize, Refusal)> {
        let (numeric, categorical) = rows.last_mut();
        let (mut label, mut importance) = (None, 1.0);
        let (ascii, comma) = (record.cells.as_slice().is_ascii(), record.decimal_comma);
        for (at, (cell, to)) in record.cells.iter().zip(&self.uses).enumerate() {
            if !ascii {
                utf8(cell).map_err(|refusal| (at, refusal))?;
            }
            let cell = cell.trim_ascii();
            let result = match *to {
                Use::Nothing => continue,
                Use::Feature(_) | Use::Weight if is_missing(cell) => continue,
                Use::Feature(slot) => feature(slot, cell, comma, numeric, categorical),
                Use::Target => self.label(cell, comma, buffer).map(|found| label = Some(found)),
                Use::Weight => utf8(cell)
                    .and_then(|text| weight(Some(Found::Header(text)), &mut Notices::default()))
                    .map(|found| importance = found),
            };
            result.map_err(|refusal| (at, refusal))?;
        }
        Ok((label.expect("a decoder has a target column, and the row has as many cells"), importance))
    }

    fn label(&self, cell: &[u8], comma: bool, buffer: &mut Vec<u8>) -> Result<Label, Refusal> {
        if is_missing(cell) {
            let refusal = Refusal::new(Reason::LabelMissing, "the row's label");
            return Err(if cell.is_empty() { refusal } else { refusal.with_value(utf8(cell)?) });
        }
        if let LabelReader::Number = self.labels {
            return finite(cell, comma).map(Label::Number);
        }
        self.labels.read(Found::Header(utf8(cell)?), buffer).or_else(|refusal| {
            let Some(number) = plain(cell) else { return Err(refusal) };
            let found = self.numbers.binary_search_by(|(other, _)| other.cmp(&number));
            found.map(|at| Label::Class(self.numbers[at].1)).map_err(|_| refusal)
        })
    }
}

#[inline]
fn feature(
    slot: Slot,
    cell: &[u8],
    comma: bool,
    numeric: &mut [f32],
    categorical: &mut [u64],
) -> Result<(), Refusal> {
    match slot {
        Slot::Numeric(column) => numeric[column] = finite(cell, comma)?,
        // 0 is the missing value.
        Slot::Categorical(column) => categorical[column] = xxh3_64(cell).max(1),
        Slot::Time(first) => cycles(moment(cell)?, &mut numeric[first..][..CYCLES.len()]),
        Slot::Text(first) => bag_of_words(utf8(cell)?, &mut numeric[first..][..TEXT_COLUMNS]),
    }
    Ok(())
}

#[inline]
fn finite(cell: &[u8], comma: bool) -> Result<f32, Refusal> {
    match decimal(cell, comma) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(refused(Reason::OutOfRange, "a number within ±3.4028235e38", cell)),
        None => Err(refused(
            Reason::WrongType,
            "a number, or one of ?, NA, NaN or nothing where it is missing",
            cell,
        )),
    }
}

/// A cell's moment, in milliseconds since 1970.
pub(super) fn moment(cell: &[u8]) -> Result<i64, Refusal> {
    let number = || str::from_utf8(cell).ok()?.parse::<f64>().ok().and_then(of_number);
    of_text(cell).or_else(number).ok_or_else(|| refused(Reason::BadTime, EXPECTED, cell))
}

#[cold]
fn refused(reason: Reason, expected: &'static str, cell: &[u8]) -> Refusal {
    Refusal::new(reason, expected).with_value(&String::from_utf8_lossy(cell))
}

fn utf8(cell: &[u8]) -> Result<&str, Refusal> {
    str::from_utf8(cell).map_err(|_| refused(Reason::NotUtf8, "utf-8 text", cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ColumnKind, EventsConfig, Task};
    use crate::schema::csv::CsvReader;
    use crate::schema::{EventDecoder, Scratch};

    fn schema(task: Task, features: &[(&str, ColumnKind)], classes: &[&str]) -> SchemaConfig {
        SchemaConfig {
            task,
            features: features.iter().map(|(name, kind)| ((*name).into(), *kind)).collect(),
            classes: classes.iter().map(|class| (*class).into()).collect(),
            classes_max: 32,
        }
    }

    fn all_kinds() -> SchemaConfig {
        let features = [
            ("when", ColumnKind::Time),
            ("city", ColumnKind::Categorical),
            ("size", ColumnKind::Numeric),
            ("about", ColumnKind::Text),
        ];
        schema(Task::Binary, &features, &["no", "yes"])
    }

    type Said = Result<(Label, f32), String>;

    fn decode(text: &[u8], schema: &SchemaConfig) -> (Rows, Vec<Said>) {
        let mut reader = CsvReader::new(text).unwrap();
        let decoder = CsvDecoder::new(reader.header(), schema, "y", None).unwrap();
        let all = columns(schema);
        let (numeric, categorical) = (
            all.iter().map(|column| column.numeric_width()).sum(),
            all.iter().map(|column| column.categorical_width()).sum(),
        );
        let (mut rows, mut record, mut said) =
            (Rows::new(numeric, categorical), Record::default(), Vec::new());
        while reader.read(&mut record).unwrap() {
            let decoded = decoder.decode(&record, &mut rows, &mut Vec::new());
            said.push(decoded.map_err(|bad| bad.to_string()));
        }
        (rows, said)
    }

    #[test]
    fn a_row_of_csv_and_the_same_values_in_json_are_one_row() {
        let csv = "y,size,when,about,ignored,city\n\
                   yes,1.5,2026-01-31 12:00,The cat sat,x,Köln\n\
                   no,-3,1769860800,,x,1\n\
                   no,NA,?,nan,x,NaN\n";
        let json = [
            r#"{"size":1.5,"when":"2026-01-31 12:00","about":"The cat sat","city":"Köln"}"#,
            r#"{"size":-3,"when":1769860800,"city":1}"#,
            "{}",
        ];
        let schema = all_kinds();
        let (rows, said) = decode(csv.as_bytes(), &schema);
        assert_eq!(
            said,
            [Ok((Label::Class(1), 1.0)), Ok((Label::Class(0), 1.0)), Ok((Label::Class(0), 1.0))]
        );

        let events: EventsConfig = serde_json::from_str(r#"{"topic": "t"}"#).unwrap();
        let decoder = EventDecoder::new(&events, &schema).unwrap();
        let (mut expected, mut scratch) = (decoder.rows(), Scratch::default());
        for json in json {
            let notices = &mut Notices::default();
            decoder.decode_features(json.as_bytes(), &mut expected, &mut scratch, notices).unwrap();
        }
        let bits = |rows: &Rows| rows.numeric.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&rows), bits(&expected));
        assert_eq!(rows.categorical, expected.categorical);
        assert_eq!(rows.numeric_width(), 64 + 1 + 7);
    }

    #[test]
    fn a_bad_row_is_named_by_line_column_value_and_expectation_and_leaves_no_trace() {
        let csv = b"y,size,when,about,city\n\
                    yes,abc,,,\n\
                    maybe,1,,,\n\
                    ,1,,,\n\
                    yes,1,noon,,\n\
                    yes,1e99,,,\n\
                    yes,1,,,x,x\n\
                    yes,1,,,\xff\n\
                    yes,1,,,\n";
        let (rows, said) = decode(csv, &all_kinds());
        let errors: Vec<_> = said.iter().filter_map(|said| said.as_ref().err()).collect();
        let expected = [
            "line 2, column 2 \"size\": wrong type: abc; expected a number,",
            "line 3, column 1 \"y\": label not declared: maybe; expected one of \"no\", \"yes\"",
            "line 4, column 1 \"y\": label missing",
            "line 5, column 3 \"when\": bad time: noon; expected a moment",
            "line 6, column 2 \"size\": number out of range: 1e99",
            "line 7: it has 6 cells; expected 5, as the header has",
            "line 8, column 5 \"city\": invalid utf-8: \u{fffd}; expected utf-8 text",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.starts_with(expected), "{error:?}, expected {expected:?}");
        }
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn a_regression_reads_numbers_and_a_weight_column_importance() {
        let schema = schema(Task::Regression, &[("a", ColumnKind::Numeric)], &[]);
        let mut reader = CsvReader::new(&b"a,w,y\n1,0.5,-2.5\n1,,+3\n1,-1,3\n1,1,x\n"[..]).unwrap();
        let decoder = CsvDecoder::new(reader.header(), &schema, "y", Some("w")).unwrap();
        let (mut rows, mut record, mut said) = (Rows::new(1, 0), Record::default(), Vec::new());
        while reader.read(&mut record).unwrap() {
            said.push(decoder.decode(&record, &mut rows, &mut Vec::new()).ok());
        }
        assert_eq!(said, [Some((Label::Number(-2.5), 0.5)), Some((Label::Number(3.0), 1.0)), None, None]);
    }

    #[test]
    fn a_class_that_is_a_number_may_be_written_otherwise() {
        let label = |classes: &[&str], cell: &str| {
            let schema = schema(Task::Multiclass, &[("a", ColumnKind::Numeric)], classes);
            decode(format!("a,y\n1,{cell}\n").as_bytes(), &schema).1.remove(0).ok().map(|(label, _)| label)
        };
        for cell in ["1", "1.0", "+1", "01"] {
            assert_eq!(label(&["0.0", "1", "x"], cell), Some(Label::Class(1)), "{cell}");
        }
        assert_eq!(label(&["0.0", "1", "x"], "0"), Some(Label::Class(0)));
        assert_eq!(label(&["0.0", "1", "x"], "2"), None);
        assert_eq!(label(&["1", "1.0", "01"], "1.0"), Some(Label::Class(1)), "declared as written");
        assert_eq!(label(&["1", "1.0", "01"], "1.00"), None, "which of them is not said");
    }

    #[test]
    fn where_commas_separate_nothing_they_are_decimal_points() {
        let schema = schema(Task::Regression, &[("a", ColumnKind::Numeric)], &[]);
        let (rows, said) = decode(b"a;y\n1,5;-2,25\n1.5;3\n", &schema);
        assert_eq!(said, [Ok((Label::Number(-2.25), 1.0)), Ok((Label::Number(3.0), 1.0))]);
        assert_eq!(rows.numeric, [1.5, 1.5]);
        let (_, said) = decode(b"a,y\n\"1,5\",2\n", &schema);
        assert!(said[0].as_ref().unwrap_err().contains("wrong type: 1,5"), "{said:?}");
    }

    #[test]
    fn columns_that_are_not_there_and_a_target_that_is_a_feature_are_refused() {
        let schema = all_kinds();
        let header = ["when", "city", "sise", "about", "y"].map(String::from);
        let error = CsvDecoder::new(&header, &schema, "y", None).unwrap_err().to_string();
        assert!(error.starts_with("feature \"size\" is not in the header"), "{error}");
        assert!(error.ends_with("did you mean \"sise\"?"), "{error}");
        let header = ["when", "city", "size", "about"].map(String::from);
        let error = CsvDecoder::new(&header, &schema, "size", None).unwrap_err().to_string();
        assert!(error.contains("is also a feature"), "{error}");
    }
}
