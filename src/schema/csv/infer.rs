use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::cell::{decimal, is_missing};
use super::decoder::moment;
use super::reader::Record;
use crate::config::ColumnKind;
use crate::schema::moment::of_text;

/// Rows, and bytes, after which only what the file says otherwise later is looked for.
const ROWS_MAX: usize = 20_000;
const BYTES_MAX: usize = 32 << 20;
/// Cells of another kind among those of a column are mistakes while they are so few: one, or one in this many.
const MISTAKES: usize = 100;
/// And while they are at most one in this many.
const MISTAKES_OF_FEW: usize = 10;

/// A text, and not a category, has so many words on average,
const WORDS_MIN: usize = 3;
/// is so long, in bytes,
const TEXT_BYTES_MIN: usize = 16;
/// and so many different ones are there, of so many cells each.
const TEXTS_MIN: usize = 10;
const TEXT_REPEATS_MAX: usize = 4;

/// Values after which a column that was empty at first is what they say.
const SETTLED: usize = 1_000;
/// Different categories from which on a column may be an id.
const IDS_MIN: usize = 100;

/// Whole numbers in a column that is named for time, from here on (1973, as seconds), are moments.
const MOMENT_MIN: f64 = 1e8;

/// A file, as far as the kinds of its columns need it.
///
/// The beginning says it. From then on, columns of numbers and of dates are counted on and those without a value are
/// waited for, so that a file that is sorted is not taken for what it only begins with.
///
/// A column is numeric when its cells are numbers, time when they are dates (or seconds or milliseconds since 1970 in a
/// column that is named for time), text when they are many long ones of several words, else categorical. A few cells that
/// are no numbers in a column of numbers are mistakes, which the declared rules find.
#[derive(Debug, Clone)]
pub struct Sample {
    columns: Vec<Stats>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Stats {
    present: usize,
    numbers: usize,
    /// Whole numbers that may be moments.
    stamps: usize,
    dates: usize,
    /// Cells such as 31/01/2026, dates in a form that is not read.
    odd_dates: usize,
    bytes: usize,
    spaces: usize,
    /// Hashes of the cells that are no numbers.
    texts: BTreeSet<u64>,
}

impl Sample {
    pub fn new(columns: usize) -> Self {
        Self { columns: vec![Stats::default(); columns], rows: 0, bytes: 0 }
    }

    pub fn update(&mut self, record: &Record) {
        if record.cells.len() != self.columns.len() {
            return;
        }
        let full = self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX;
        self.rows += 1;
        self.bytes += record.cells.as_slice().len();
        for (stats, cell) in self.columns.iter_mut().zip(&record.cells) {
            if !full || stats.present < SETTLED || stats.is_number_or_date() {
                stats.update(cell.trim_ascii(), record.decimal_comma);
            }
        }
    }

    /// The features of the file: all columns but those that `except` has. `categorical` ones are that, whatever their
    /// cells look like.
    pub fn features(
        &self,
        header: &[String],
        except: &[usize],
        categorical: &[usize],
    ) -> BTreeMap<String, ColumnKind> {
        let columns = header.iter().zip(&self.columns).enumerate();
        columns
            .filter(|(column, _)| !except.contains(column))
            .map(|(column, (name, stats))| {
                let named = categorical.contains(&column);
                (name.clone(), if named { ColumnKind::Categorical } else { stats.kind(name) })
            })
            .collect()
    }

    /// What whoever knows the file should know of how it was taken.
    pub fn notes(&self, header: &[String], except: &[usize]) -> Vec<String> {
        let columns = header.iter().zip(&self.columns).enumerate();
        let columns = columns.filter(|(column, _)| !except.contains(column));
        columns.filter_map(|(_, (name, stats))| stats.note(name)).collect()
    }
}

impl Stats {
    fn update(&mut self, cell: &[u8], comma: bool) {
        if is_missing(cell) {
            return;
        }
        self.present += 1;
        self.bytes += cell.len();
        self.spaces += cell.iter().filter(|byte| **byte == b' ').count();
        if let Some(value) = decimal(cell, comma) {
            self.numbers += 1;
            let whole = cell.iter().all(u8::is_ascii_digit);
            self.stamps += usize::from(whole && f64::from(value) >= MOMENT_MIN && moment(cell).is_ok());
        } else {
            self.dates += usize::from(of_text(cell).is_some());
            self.odd_dates += usize::from(is_odd_date(cell));
            if self.texts.len() < ROWS_MAX {
                self.texts.insert(xxh3_64(cell));
            }
        }
    }

    fn is_number_or_date(&self) -> bool {
        all_but_mistakes(self.numbers, self.present) || all_but_mistakes(self.dates, self.present)
    }

    fn note(&self, name: &str) -> Option<String> {
        if self.present == 0 {
            return Some(format!("{name:?} has no value in any row: nothing is learned from it"));
        }
        if all_but_mistakes(self.odd_dates, self.present) {
            return Some(format!(
                "{name:?} has dates that are taken for categories; as 2026-01-31 they are times"
            ));
        }
        let texts = self.texts.len();
        let many = texts >= IDS_MIN && all_but_mistakes(texts, self.present);
        (many && self.kind(name) == ColumnKind::Categorical).then(|| {
            format!("{name:?} is another category in nearly each row: if it is an id, leave the column out")
        })
    }

    fn kind(&self, name: &str) -> ColumnKind {
        if all_but_mistakes(self.numbers, self.present) {
            return if named_for_time(name) && all_but_mistakes(self.stamps, self.present) && self.present > 0
            {
                ColumnKind::Time
            } else {
                ColumnKind::Numeric
            };
        }
        if all_but_mistakes(self.dates, self.present) {
            return ColumnKind::Time;
        }
        let texts = self.texts.len();
        let wordy =
            self.spaces >= (WORDS_MIN - 1) * self.present && self.bytes >= TEXT_BYTES_MIN * self.present;
        if wordy && texts >= TEXTS_MIN && texts * TEXT_REPEATS_MAX >= self.present {
            ColumnKind::Text
        } else {
            ColumnKind::Categorical
        }
    }
}

/// Whether `some` of `all` cells are so many that the others are mistakes.
pub(super) fn all_but_mistakes(some: usize, all: usize) -> bool {
    let others = all - some;
    others <= (all / MISTAKES).max(1).min(all / MISTAKES_OF_FEW)
}

/// `31/01/2026`, `31.1.2026` or `1/31/26`, and maybe a time of day.
fn is_odd_date(cell: &[u8]) -> bool {
    let date = cell.split(|byte| matches!(byte, b' ' | b'T')).next().unwrap_or_default();
    let mut parts = date.split(|byte| matches!(byte, b'/' | b'.'));
    let mut is_part = |digits: std::ops::RangeInclusive<usize>| {
        parts.next().is_some_and(|part| digits.contains(&part.len()) && part.iter().all(u8::is_ascii_digit))
    };
    is_part(1..=2) && is_part(1..=2) && is_part(2..=4) && parts.next().is_none()
}

fn named_for_time(name: &str) -> bool {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
    let mut words = words.filter(|word| !word.is_empty());
    let lower = name.to_ascii_lowercase();
    lower.ends_with("time")
        || lower.contains("timestamp")
        || words
            .any(|word| ["ts", "time", "date", "datetime", "unix", "epoch", "at"].contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::csv::CsvReader;

    fn kinds(csv: &str) -> Vec<ColumnKind> {
        let mut reader = CsvReader::new(csv.as_bytes()).unwrap();
        let header = reader.header().to_vec();
        let (mut sample, mut record) = (Sample::new(header.len()), Record::default());
        while reader.read(&mut record).unwrap() {
            sample.update(&record);
        }
        let features = sample.features(&header, &[], &[]);
        header.iter().map(|name| features[name]).collect()
    }

    /// A file of one column.
    fn kind(name: &str, cells: impl IntoIterator<Item = String>) -> ColumnKind {
        let cells: Vec<_> = cells.into_iter().map(|cell| format!("{cell},\n")).collect();
        kinds(&format!("{name},other\n{}", cells.concat()))[0]
    }

    #[test]
    fn each_kind_of_column_is_recognised() {
        use ColumnKind::{Categorical, Numeric, Text, Time};
        let rows: Vec<_> = (0..40)
            .map(|i| {
                let (number, date) = (f64::from(i) / 8.0, format!("2026-01-{:02} 10:30:00", i % 28 + 1));
                format!(
                    "{number},{date},{},word {i} of a longer story,c{},{i},NA\n",
                    1_700_000_000 + i,
                    i % 3
                )
            })
            .collect();
        let csv = format!("a,b,created_at,d,e,f,g\n{}", rows.concat());
        assert_eq!(kinds(&csv), [Numeric, Time, Time, Text, Categorical, Numeric, Numeric]);
    }

    #[test]
    fn numbers_are_moments_only_where_the_name_says_so() {
        let stamps = || (0..50).map(|i| (1_700_000_000 + i * 60).to_string());
        for name in ["ts", "timestamp", "event_time", "eventTime", "created.at", "unix"] {
            assert_eq!(kind(name, stamps()), ColumnKind::Time, "{name}");
        }
        for name in ["population", "cats", "state"] {
            assert_eq!(kind(name, stamps()), ColumnKind::Numeric, "{name}");
        }
        assert_eq!(kind("CRSDepTime", (0..50).map(|i| (i * 37).to_string())), ColumnKind::Numeric);
    }

    #[test]
    fn a_few_wrong_cells_are_mistakes_and_many_make_a_category() {
        let with = |wrong: usize, all: usize| {
            kind("a", (0..all).map(move |i| if i < wrong { "V27".into() } else { i.to_string() }))
        };
        assert_eq!((with(1, 20), with(2, 20)), (ColumnKind::Numeric, ColumnKind::Categorical));
        assert_eq!((with(10, 1_000), with(11, 1_000)), (ColumnKind::Numeric, ColumnKind::Categorical));
        assert_eq!(with(1, 5), ColumnKind::Categorical);
    }

    #[test]
    fn what_comes_after_the_beginning_counts_too() {
        use ColumnKind::{Categorical, Numeric, Time};
        let late = |cell: fn(usize) -> String, before: fn(usize) -> String| {
            kind("a", (0..ROWS_MAX + 2_000).map(|i| if i < ROWS_MAX { before(i) } else { cell(i) }))
        };
        let (nothing, number) = (|_| String::new(), |i: usize| i.to_string());
        assert_eq!(late(|i| format!("c{}", i % 3), nothing), Categorical);
        assert_eq!(late(|i| format!("2026-01-{:02}", i % 28 + 1), nothing), Time);
        assert_eq!(late(|i| format!("{i}.5"), nothing), Numeric);
        assert_eq!(late(|i| format!("V{}", i % 3), number), Categorical);
        assert_eq!(late(|i| if i % 100 == 0 { "V".into() } else { "1".into() }, number), Numeric);
    }

    #[test]
    fn decimal_commas_are_numbers_where_commas_separate_nothing() {
        let csv = "a;b\n".to_owned() + &"1,5;x\n".repeat(20);
        assert_eq!(kinds(&csv), [ColumnKind::Numeric, ColumnKind::Categorical]);
    }

    #[test]
    fn what_is_odd_about_a_column_is_said() {
        let rows: Vec<_> =
            (0..200).map(|i| format!(",{}/2/2026,id-{i},c{},7\n", i % 28 + 1, i % 5)).collect();
        let csv = format!("empty,when,id,c,n\n{}", rows.concat());
        let mut reader = CsvReader::new(csv.as_bytes()).unwrap();
        let header = reader.header().to_vec();
        let (mut sample, mut record) = (Sample::new(header.len()), Record::default());
        while reader.read(&mut record).unwrap() {
            sample.update(&record);
        }
        let notes = sample.notes(&header, &[]);
        assert_eq!(notes.len(), 3, "{notes:#?}");
        assert!(notes[0].starts_with("\"empty\" has no value in any row"));
        assert!(notes[1].starts_with("\"when\" has dates that are taken for categories"));
        assert!(notes[2].starts_with("\"id\" is another category in nearly each row"));
    }

    #[test]
    fn few_sentences_that_come_again_and_again_are_categories() {
        let cells = (0..200).map(|i| format!("the same old story number {}", i % 5));
        assert_eq!(kind("a", cells), ColumnKind::Categorical);
        assert_eq!(kind("a", (0..200).map(|i| format!("id-{i}"))), ColumnKind::Categorical);
    }
}
