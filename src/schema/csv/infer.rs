use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::cell::{is_missing, number};
use super::decoder::moment;
use super::reader::Record;
use crate::config::ColumnKind;
use crate::schema::moment::of_text;

/// Rows that the kinds of the columns are inferred from, and bytes.
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

/// Whole numbers in a column that is named for time, from here on (1973, as seconds), are moments.
const MOMENT_MIN: f64 = 1e8;

/// The beginning of a file, as far as the kinds of its columns need it.
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
    bytes: usize,
    spaces: usize,
    /// Hashes of the cells that are no numbers.
    texts: BTreeSet<u64>,
}

impl Sample {
    pub fn new(columns: usize) -> Self {
        Self { columns: vec![Stats::default(); columns], rows: 0, bytes: 0 }
    }

    /// Whether it has seen as much as it takes.
    pub fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    pub fn update(&mut self, record: &Record) {
        if record.cells.len() != self.columns.len() {
            return;
        }
        self.rows += 1;
        self.bytes += record.cells.as_slice().len();
        for (stats, cell) in self.columns.iter_mut().zip(&record.cells) {
            stats.update(cell.trim_ascii());
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
}

impl Stats {
    fn update(&mut self, cell: &[u8]) {
        if is_missing(cell) {
            return;
        }
        self.present += 1;
        self.bytes += cell.len();
        self.spaces += cell.iter().filter(|byte| **byte == b' ').count();
        if let Some(value) = number(cell) {
            self.numbers += 1;
            let whole = cell.iter().all(u8::is_ascii_digit);
            self.stamps += usize::from(whole && f64::from(value) >= MOMENT_MIN && moment(cell).is_ok());
        } else {
            self.dates += usize::from(of_text(cell).is_some());
            self.texts.insert(xxh3_64(cell));
        }
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
    fn few_sentences_that_come_again_and_again_are_categories() {
        let cells = (0..200).map(|i| format!("the same old story number {}", i % 5));
        assert_eq!(kind("a", cells), ColumnKind::Categorical);
        assert_eq!(kind("a", (0..200).map(|i| format!("id-{i}"))), ColumnKind::Categorical);
    }
}
