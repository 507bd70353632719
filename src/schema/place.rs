use super::error::SchemaError;
use super::json::DEPTH_MAX;

/// Where in a record a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Names from the record's object inwards. Numbers are names too: arrays are not entered.
    Path(Vec<String>),
    /// The header of that name, whose value is text.
    Header(String),
}

impl Place {
    /// Reads a top-level field (`id`), a JSON pointer (`/after/id`, RFC 6901) or a header (`header:ce_id`).
    pub fn parse(key: &'static str, text: &str) -> Result<Self, SchemaError> {
        let wrong = |problem| SchemaError::Place { key, place: text.into(), problem };
        if let Some(name) = text.strip_prefix("header:") {
            return if name.is_empty() {
                Err(wrong("the header has no name"))
            } else {
                Ok(Place::Header(name.into()))
            };
        }
        let Some(pointer) = text.strip_prefix('/') else {
            return if text.is_empty() {
                Err(wrong("it is empty"))
            } else {
                Ok(Place::Path(vec![text.into()]))
            };
        };
        let path: Option<Vec<_>> = pointer.split('/').map(unescape).collect();
        let path = path.ok_or_else(|| wrong("a ~ in a pointer is followed by 0 (for ~) or 1 (for /)"))?;
        if path.len() >= DEPTH_MAX {
            return Err(wrong("it is deeper than a record may be"));
        }
        Ok(Place::Path(path))
    }
}

fn unescape(segment: &str) -> Option<String> {
    let mut name = String::with_capacity(segment.len());
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        name.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[&str]) -> Place {
        Place::Path(names.iter().map(|&name| name.into()).collect())
    }

    #[test]
    fn fields_pointers_and_headers_are_told_apart() {
        for (text, expected) in [
            ("id", path(&["id"])),
            ("after.id", path(&["after.id"])),
            ("/after/id", path(&["after", "id"])),
            ("/a~1b/~0c/~01", path(&["a/b", "~c", "~1"])),
            ("/header:x", path(&["header:x"])),
            ("header:ce_id", Place::Header("ce_id".into())),
        ] {
            assert_eq!(Place::parse("events.id", text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_by_name() {
        for text in ["", "header:", "/a~2", "/a~", &"/x".repeat(32)] {
            let error = Place::parse("events.id", text).unwrap_err();
            assert!(error.to_string().starts_with(&format!("events.id: {text:?} is no place")), "{error}");
        }
    }
}
