use std::cmp::Reverse;
use std::collections::HashMap;

use super::cell::{decimal, is_missing, plain};
use super::error::{BadRow, CsvError};
use super::infer::all_but_mistakes;
use super::reader::Record;
use crate::config::Task;
use crate::schema::LABEL_BYTES_MAX;

/// Most classes of a target that is text.
const CLASSES_MAX: usize = 1_000;
/// Whole numbers are classes while so few are different,
const NUMBERS_MAX: usize = 64;
/// and there are so many rows of each.
const ROWS_OF_A_CLASS: u64 = 5;

/// A file's target column, all of it: what there is to predict.
///
/// Numbers with a fraction, or of very many different values, are a regression; all else are classes. They are looked
/// for in the whole file, since a file that is sorted shows its last class at its end.
#[derive(Debug, Clone)]
pub struct TargetColumn {
    column: usize,
    /// Cells of a row; others are bad rows, whose cells may be anything.
    width: usize,
    present: usize,
    numbers: usize,
    fractions: usize,
    /// How often each value came; given up, and `None`, when there are too many.
    values: Option<HashMap<Box<[u8]>, u64>>,
    rows: u64,
    /// Whether a comma may be a decimal point.
    comma: bool,
    /// The first row with another number of cells than the header.
    ragged: Option<BadRow>,
}

impl TargetColumn {
    /// Column `column` of rows of `width` cells.
    pub fn new(column: usize, width: usize) -> Self {
        Self {
            column,
            width,
            present: 0,
            numbers: 0,
            fractions: 0,
            values: Some(HashMap::new()),
            rows: 0,
            comma: false,
            ragged: None,
        }
    }

    pub fn update(&mut self, record: &Record) {
        self.rows += 1;
        if record.cells.len() != self.width {
            self.ragged.get_or_insert(record.ragged(self.width));
            return;
        }
        let Some(cell) = record.cells.get(self.column).map(<[u8]>::trim_ascii) else { return };
        if is_missing(cell) || cell.len() > LABEL_BYTES_MAX {
            return;
        }
        self.present += 1;
        self.comma = record.decimal_comma;
        if let Some(value) = decimal(cell, record.decimal_comma) {
            self.numbers += 1;
            self.fractions += usize::from(value.fract() != 0.0);
        }
        let Some(values) = &mut self.values else { return };
        if let Some(count) = values.get_mut(cell) {
            *count += 1;
        } else if values.len() < CLASSES_MAX {
            values.insert(cell.into(), 1);
        } else {
            self.values = None;
        }
    }

    /// Rows that the file has, bad ones too.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The task, and its classes in the order of their numbers or names; `regression` says which it is to be, whatever
    /// the values look like.
    pub fn task(&self, name: &str, regression: Option<bool>) -> Result<(Task, Vec<String>), CsvError> {
        let unfit =
            |problem: String, expected| Err(CsvError::Target { name: name.into(), problem, expected });
        if self.rows == 0 {
            return Err(CsvError::NoRows);
        }
        if let (0, Some(ragged)) = (self.present, &self.ragged) {
            return Err(CsvError::Row(ragged.clone()));
        }
        if regression == Some(true) {
            return Ok((Task::Regression, Vec::new()));
        }
        let numeric = all_but_mistakes(self.numbers, self.present);
        let Some(values) = &self.values else {
            return if numeric && regression.is_none() {
                Ok((Task::Regression, Vec::new()))
            } else {
                let problem = format!("more than {CLASSES_MAX} different values");
                unfit(problem, "numbers or fewer classes; name another column with --target")
            };
        };
        let mut classes: Vec<(f32, &str)> = spellings(values, numeric)
            .into_iter()
            .map(|text| (decimal(text.as_bytes(), self.comma).unwrap_or(f32::INFINITY), text))
            .filter(|(value, _)| !numeric || value.is_finite())
            .collect();
        let few = match classes.len() {
            0..=2 => true,
            count => count <= NUMBERS_MAX && count as u64 * ROWS_OF_A_CLASS <= self.present as u64,
        };
        if regression.is_none()
            && numeric
            && self.present > 0
            && (self.fractions > 0 || !few || classes.len() == 1)
        {
            return Ok((Task::Regression, Vec::new()));
        }
        if regression.is_none()
            && self.numbers > 0
            && classes.len() as u64 * ROWS_OF_A_CLASS > self.present as u64
            && classes.len() > 2
        {
            let problem = format!(
                "{} different values in {} rows, {} of them numbers",
                classes.len(),
                self.present,
                self.numbers
            );
            return unfit(problem, "numbers, or fewer classes; say which with --task");
        }
        classes.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.cmp(y)));
        let classes: Vec<String> = classes.into_iter().map(|(_, text)| text.to_owned()).collect();
        match &classes[..] {
            [] => unfit("no row has a value".into(), "a label in each row"),
            [only] => unfit(format!("all rows say {only:?}"), "two or more classes, or numbers"),
            [_, _] => Ok((Task::Binary, classes)),
            _ => Ok((Task::Multiclass, classes)),
        }
    }
}

/// Each value once. Among numbers, what is the same one in several spellings (`1` and `1.0`, as tools write that turn a
/// column with missing values into fractions) is in the one that came most often.
fn spellings(values: &HashMap<Box<[u8]>, u64>, numeric: bool) -> Vec<&str> {
    let mut found: Vec<(&str, u64)> =
        values.iter().filter_map(|(value, count)| Some((str::from_utf8(value).ok()?, *count))).collect();
    if numeric {
        let plain = |text: &str| plain(text.as_bytes()).unwrap_or_else(|| text.into());
        found.sort_by_cached_key(|(text, count)| (plain(text), Reverse(*count), text.len(), *text));
        found.dedup_by(|(next, _), (first, _)| plain(next) == plain(first));
    }
    found.into_iter().map(|(text, _)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::csv::CsvReader;

    fn task(cells: impl IntoIterator<Item = String>) -> Result<(Task, Vec<String>), String> {
        task_as(cells, None)
    }

    fn task_as(
        cells: impl IntoIterator<Item = String>,
        regression: Option<bool>,
    ) -> Result<(Task, Vec<String>), String> {
        let cells: Vec<_> = cells.into_iter().map(|cell| format!("1,{cell}\n")).collect();
        let text = format!("x,y\n{}", cells.concat());
        let mut reader = CsvReader::new(text.as_bytes()).unwrap();
        let (mut target, mut record) = (TargetColumn::new(1, 2), Record::default());
        while reader.read(&mut record).unwrap() {
            target.update(&record);
        }
        target.task("y", regression).map_err(|error| error.to_string())
    }

    fn cells(count: usize, cell: impl Fn(usize) -> String) -> Vec<String> {
        (0..count).map(cell).collect()
    }

    #[test]
    fn a_row_with_too_many_cells_says_nothing_about_the_target() {
        let with = |odd: &str| {
            let mut all = cells(100, |i| (i % 2).to_string());
            all.insert(50, odd.into());
            task(all).unwrap()
        };
        assert_eq!(with("0.35,1"), (Task::Binary, vec!["0".into(), "1".into()]));
    }

    #[test]
    fn where_no_row_is_as_long_as_the_header_that_is_the_error() {
        let error = task(cells(10, |i| format!("{i},"))).unwrap_err();
        assert_eq!(error, "line 2: it has 3 cells; expected 2, as the header has");
    }

    #[test]
    fn numbers_amid_texts_are_no_classes_of_their_own() {
        let error =
            task(cells(800, |i| if i % 50 == 0 { "N/A!".into() } else { format!("{i}.5") })).unwrap_err();
        assert!(error.contains("785 different values in 800 rows, 784 of them numbers"), "{error}");
    }

    #[test]
    fn few_whole_numbers_are_classes_in_the_order_of_their_values() {
        let (task_of, classes) = task(cells(100, |i| [10, 9, 2][i % 3].to_string())).unwrap();
        assert_eq!((task_of, classes), (Task::Multiclass, vec!["2".into(), "9".into(), "10".into()]));
        assert_eq!(task(cells(3, |i| (i % 2).to_string())).unwrap().0, Task::Binary);
        assert_eq!(task(cells(100, |i| format!("{}.0", i % 2))).unwrap().1, ["0.0", "1.0"]);
    }

    #[test]
    fn fractions_and_very_many_whole_numbers_are_a_regression() {
        for cells in [
            cells(100, |i| format!("{}.5", i % 2)),
            cells(1_000, |i| i.to_string()),
            cells(5_000, |i| i.to_string()),
            cells(1_000, |i| (i % 65).to_string()),
            cells(20, |i| (i % 10).to_string()),
        ] {
            assert_eq!(task(cells), Ok((Task::Regression, Vec::new())));
        }
    }

    #[test]
    fn a_number_in_two_spellings_is_one_class() {
        let mixed =
            |i: usize| if i.is_multiple_of(4) { format!("{}.0", i / 4 % 2) } else { (i % 2).to_string() };
        assert_eq!(task(cells(100, mixed)), Ok((Task::Binary, vec!["0".into(), "1".into()])));
        // Of texts nothing is known but that they differ.
        let (_, classes) = task(cells(100, |i| ["1", "1.0", "a"][i % 3].to_string())).unwrap();
        assert_eq!(classes, ["1", "1.0", "a"]);
    }

    #[test]
    fn whoever_knows_the_task_says_it() {
        assert_eq!(task_as(cells(100, |i| (i % 2).to_string()), Some(true)).unwrap().0, Task::Regression);
        assert_eq!(task_as(cells(200, |i| (i % 100).to_string()), Some(false)).unwrap().1.len(), 100);
        assert!(
            task_as(cells(2_000, |i| i.to_string()), Some(false)).unwrap_err().contains("more than 1000")
        );
    }

    #[test]
    fn texts_are_classes_by_name_and_the_last_row_may_show_a_new_one() {
        let sorted = cells(300, |i| if i < 299 { "b".into() } else { "a".into() });
        assert_eq!(task(sorted), Ok((Task::Binary, vec!["a".into(), "b".into()])));
    }

    #[test]
    fn a_text_among_numbers_is_no_class_but_a_mistake() {
        let mut labels = cells(100, |i| (i % 2).to_string());
        labels[50] = "abc".into();
        assert_eq!(task(labels).unwrap().1, ["0", "1"]);
        let mut values = cells(100, |i| format!("{i}.25"));
        values[50] = "abc".into();
        assert_eq!(task(values).unwrap().0, Task::Regression);
    }

    #[test]
    fn a_target_that_says_nothing_is_refused() {
        assert!(task(cells(10, |_| "a".into())).unwrap_err().contains("all rows say \"a\""));
        assert!(task(cells(10, |_| "?".into())).unwrap_err().contains("no row has a value"));
        assert!(task(cells(2_000, |i| format!("t{i}"))).unwrap_err().contains("more than 1000 different"));
        assert!(task([]).unwrap_err().contains("it has no rows"));
    }
}
