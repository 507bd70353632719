use super::error::SchemaError;
use super::json::{Number, Scalar};
use super::refusal::{Reason, Refusal};
use super::rows::Label;
use super::values::{Found, LABEL_BYTES_MAX, finite};
use crate::config::{SchemaConfig, Task};

/// Most declared classes that a refusal names.
const NAMED_MAX: usize = 8;

/// Reads labels as the schema declares them.
#[derive(Debug)]
pub enum LabelReader {
    /// Any finite number.
    Number,
    /// One of these classes, sorted by name, each with its declared index; `expected` is what a refusal says.
    Declared { classes: Vec<(String, u16)>, expected: String },
    /// Any class; what has been seen so far decides later whether there is room for it.
    Discovered,
}

impl LabelReader {
    pub fn new(schema: &SchemaConfig) -> Result<Self, SchemaError> {
        if schema.task == Task::Regression {
            return Ok(LabelReader::Number);
        }
        if schema.classes.is_empty() {
            return Ok(LabelReader::Discovered);
        }
        let max = usize::from(u16::MAX) + 1;
        if schema.classes.len() > max {
            return Err(SchemaError::TooMany { key: "schema.classes", count: schema.classes.len(), max });
        }
        if let Some(class) = schema.classes.iter().find(|class| !(1..=LABEL_BYTES_MAX).contains(&class.len()))
        {
            let (class, len) = (class.clone(), class.len());
            return Err(SchemaError::ClassLength { class, len, max: LABEL_BYTES_MAX });
        }
        let mut classes: Vec<_> = schema.classes.iter().cloned().zip(0..=u16::MAX).collect();
        classes.sort_unstable();
        if let Some(pair) = classes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(SchemaError::ClassTwice { class: pair[0].0.clone() });
        }
        Ok(LabelReader::Declared { classes, expected: expected(&schema.classes) })
    }

    /// A class is a string; an integer or a boolean is taken as its text, so that `1` is the class `"1"`.
    pub fn read(&self, found: Found<'_>, buffer: &mut Vec<u8>) -> Result<Label, Refusal> {
        if let LabelReader::Number = self {
            let Some(number) = found.number() else {
                return Err(found.refusal(Reason::WrongType, "a finite number"));
            };
            return finite(number).map(Label::Number);
        }
        let class = match (found.text(), found) {
            (Some(text), _) => text.bytes(buffer),
            (
                None,
                Found::Json {
                    scalar: Scalar::Number(Number { integer: true, .. }) | Scalar::Bool(_),
                    literal,
                },
            ) => literal.as_bytes(),
            _ => return Err(found.refusal(Reason::WrongType, "a class: a string, an integer, true or false")),
        };
        if let LabelReader::Declared { classes, expected } = self {
            return match classes.binary_search_by(|(name, _)| name.as_bytes().cmp(class)) {
                Ok(at) => Ok(Label::Class(classes[at].1)),
                Err(_) => Err(found.refusal(Reason::LabelNotDeclared, expected.clone())),
            };
        }
        if !(1..=LABEL_BYTES_MAX).contains(&class.len()) {
            return Err(
                found.refusal(Reason::LabelLength, format!("a class of 1 to {LABEL_BYTES_MAX} bytes"))
            );
        }
        let class = str::from_utf8(class).expect("the record was checked to be utf-8");
        Ok(Label::Name(class.into()))
    }
}

fn expected(classes: &[String]) -> String {
    let named: Vec<_> = classes.iter().take(NAMED_MAX).map(|class| format!("{class:?}")).collect();
    let more = classes.len() - named.len();
    match more {
        0 => format!("one of {}", named.join(", ")),
        _ => format!("one of {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::json::Scanner;

    fn schema(task: Task, classes: &[&str]) -> SchemaConfig {
        let classes = classes.iter().map(|&class| class.into()).collect();
        SchemaConfig { task, features: Default::default(), classes, classes_max: 32 }
    }

    fn read(task: Task, classes: &[&str], json: &str) -> Result<Label, Reason> {
        let scalar = Scanner::new(json).scalar().unwrap();
        let reader = LabelReader::new(&schema(task, classes)).unwrap();
        reader
            .read(Found::Json { scalar, literal: json }, &mut Vec::new())
            .map_err(|refusal| refusal.reason())
    }

    #[test]
    fn declared_classes_are_read_by_their_text_into_their_declared_index() {
        let read = |json| read(Task::Binary, &["yes", "no", "1", "true"], json);
        assert_eq!(read(r#""yes""#), Ok(Label::Class(0)));
        assert_eq!(read(r#""\u006eo""#), Ok(Label::Class(1)));
        assert_eq!(read("1"), Ok(Label::Class(2)));
        assert_eq!(read(r#""1""#), Ok(Label::Class(2)));
        assert_eq!(read("true"), Ok(Label::Class(3)));
        assert_eq!(read("2"), Err(Reason::LabelNotDeclared));
        assert_eq!(read(r#""YES""#), Err(Reason::LabelNotDeclared));
        assert_eq!(read(r#""""#), Err(Reason::LabelNotDeclared));
        assert_eq!(read("1.0"), Err(Reason::WrongType));
    }

    #[test]
    fn discovered_classes_are_any_text_of_bounded_length() {
        let read = |json: &str| read(Task::Multiclass, &[], json);
        assert_eq!(read(r#""blau""#), Ok(Label::Name("blau".into())));
        assert_eq!(read("7"), Ok(Label::Name("7".into())));
        assert_eq!(read("false"), Ok(Label::Name("false".into())));
        assert_eq!(read(r#""""#), Err(Reason::LabelLength));
        assert_eq!(read(&format!("\"{}\"", "x".repeat(256))), Ok(Label::Name("x".repeat(256).into())));
        assert_eq!(read(&format!("\"{}\"", "x".repeat(257))), Err(Reason::LabelLength));
    }

    #[test]
    fn a_regression_label_is_a_finite_number() {
        let read = |json| read(Task::Regression, &[], json);
        assert_eq!(read("-1.5"), Ok(Label::Number(-1.5)));
        assert_eq!(read("1e39"), Err(Reason::OutOfRange));
        assert_eq!(read(r#""1.5""#), Err(Reason::NumberAsText));
        assert_eq!(read(r#""NaN""#), Err(Reason::WrongType));
        assert_eq!(read("true"), Err(Reason::WrongType));
    }

    #[test]
    fn classes_that_cannot_be_told_apart_or_written_are_refused() {
        let error = LabelReader::new(&schema(Task::Binary, &["a", "b", "a"])).unwrap_err();
        assert_eq!(error, SchemaError::ClassTwice { class: "a".into() });
        let error = LabelReader::new(&schema(Task::Binary, &["a", ""])).unwrap_err();
        assert_eq!(error, SchemaError::ClassLength { class: String::new(), len: 0, max: 256 });
    }
}
