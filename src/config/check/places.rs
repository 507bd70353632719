use crate::config::EventsConfig;

/// Longest place, in bytes.
const PLACE_BYTES_MAX: usize = 256;

/// Where in a record something is, as [`EventsConfig`] describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Steps from the top of the JSON object.
    Steps(Vec<String>),
    Header(String),
}

impl Place {
    /// Reads a top-level field, a JSON pointer (RFC 6901) or a header; the error says what was expected.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > PLACE_BYTES_MAX {
            return Err("a field, a JSON pointer or a header of 1 to 256 bytes");
        }
        if let Some(name) = text.strip_prefix("header:") {
            return if name.is_empty() {
                Err("a header's name after \"header:\"")
            } else {
                Ok(Self::Header(name.into()))
            };
        }
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self::Steps(vec![text.into()]));
        };
        let step = |step: &str| {
            let valid = step.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
            valid.then(|| step.replace("~1", "/").replace("~0", "~"))
        };
        let steps: Option<Vec<_>> = pointer.split('/').map(step).collect();
        steps.map(Self::Steps).ok_or("\"~0\" for ~ and \"~1\" for / in a JSON pointer")
    }
}

/// The name that the feature at `place` would have, if `place` is directly where the features are.
pub(super) fn as_feature(place: &str, events: &EventsConfig) -> Option<String> {
    let Ok(Place::Steps(mut steps)) = Place::read(place) else {
        return None;
    };
    let around = match events.features.as_deref().map(Place::read) {
        None => Vec::new(),
        Some(Ok(Place::Steps(around))) => around,
        Some(_) => return None,
    };
    let name = steps.pop()?;
    (steps == around).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(steps: &[&str]) -> Result<Place, &'static str> {
        Ok(Place::Steps(steps.iter().map(|step| step.to_string()).collect()))
    }

    #[test]
    fn fields_pointers_and_headers_are_told_apart() {
        assert_eq!(Place::read("id"), steps(&["id"]));
        assert_eq!(Place::read("/after/id"), steps(&["after", "id"]));
        assert_eq!(Place::read("/a~1b/~01"), steps(&["a/b", "~1"]));
        assert_eq!(Place::read("header:ce_id"), Ok(Place::Header("ce_id".into())));
        for wrong in ["", "header:", "/a~2", "/a~", &"x".repeat(257)] {
            assert!(Place::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
