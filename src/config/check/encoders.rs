//! Encoders name features that there are by then, of the kind that they take.

use std::collections::BTreeMap;

use super::rules::Report;
use crate::config::{ColumnKind, EncoderKind, PipelineConfig};

pub(super) fn check(name: &str, pipeline: &PipelineConfig, report: &mut Report<'_>) {
    let path = ["pipeline", name, "model", "encode"];
    let mut there: BTreeMap<&str, ColumnKind> =
        pipeline.schema.features.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    // Columns that encoders make have no name that a file could use.
    let derived = |kind: &ColumnKind| matches!(kind, ColumnKind::Time | ColumnKind::Text);
    let (mut made_numbers, mut made_categories) = (pipeline.schema.features.values().any(derived), false);
    for (index, encoder) in pipeline.model.encode.iter().enumerate() {
        let at = format!("[{index}]");
        let kind = encoder.kind;
        let (takes, what) = if kind.takes_categories() {
            (ColumnKind::Categorical, "categorical")
        } else {
            (ColumnKind::Numeric, "numeric")
        };
        for column in &encoder.columns {
            let problem = match there.get(column.as_str()) {
                Some(kind) if *kind == takes => continue,
                Some(_) => format!("encode{at}: {column:?} is not {what}"),
                None if pipeline.schema.features.contains_key(column) => {
                    format!("encode{at}: {column:?} is no column any more, an encoder before took its place")
                }
                None => format!("encode{at}: {column:?} is no feature"),
            };
            report.fault(&path, problem, format!("columns of {what} features in schema.features"));
        }
        let made = if kind.takes_categories() { made_categories } else { made_numbers };
        let taken = there.iter().filter(|(_, kind)| **kind == takes);
        let taken: Vec<&str> = taken
            .map(|(name, _)| *name)
            .filter(|name| encoder.columns.is_empty() || encoder.columns.iter().any(|one| one == name))
            .collect();
        if encoder.columns.is_empty() && taken.is_empty() && !made {
            report.fault(&path, format!("encode{at}: no column is {what}"), format!("a {what} feature"));
        }
        if kind == EncoderKind::Cross && !encoder.columns.is_empty() && encoder.columns.len() < 2 {
            report.fault(&path, format!("encode{at}: one column has no combinations"), "two columns or more");
        }
        if kind.replaces() {
            if encoder.columns.is_empty() {
                made_categories = false;
            }
            taken.into_iter().for_each(|name| _ = there.remove(name));
        }
        made_categories |= kind == EncoderKind::Cross;
        made_numbers |= kind.takes_categories() && kind != EncoderKind::Cross;
        made_numbers |= matches!(kind, EncoderKind::Missing | EncoderKind::Cycle);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::check::tests::{added, faults, fixture, says};

    fn encode(items: &str) -> String {
        format!("[pipeline.x.model]\nencode = [{items}]\n")
    }

    #[test]
    fn encoders_of_features_of_their_kind_are_taken() {
        for right in [
            "{kind = \"standardise\"}",
            "{kind = \"missing\", columns = [\"a\"]}, {kind = \"one_hot\", columns = [\"b.c\"]}",
            "{kind = \"one_hot\"}, {kind = \"clip\", tail = 0.1}",
            "{kind = \"target_mean\"}, {kind = \"hash\"}, {kind = \"quantile\"}",
            "{kind = \"cross\"}, {kind = \"one_hot\", columns = [\"b.c\"]}, {kind = \"target_mean\"}",
        ] {
            assert_eq!(faults(&(fixture() + &encode(right))), [], "{right}");
        }
    }

    #[test]
    fn columns_that_are_not_there_or_of_another_kind_are_named() {
        for (wrong, part) in [
            ("{kind = \"standardise\", columns = [\"x\"]}", "encode[0]: \"x\" is no feature"),
            ("{kind = \"standardise\", columns = [\"b.c\"]}", "encode[0]: \"b.c\" is not numeric"),
            (
                "{kind = \"clip\"}, {kind = \"hash\", columns = [\"a\"]}",
                "encode[1]: \"a\" is not categorical",
            ),
            ("{kind = \"hash\"}, {kind = \"one_hot\"}", "encode[1]: no column is categorical"),
            (
                "{kind = \"hash\"}, {kind = \"target_mean\", columns = [\"b.c\"]}",
                "encode[1]: \"b.c\" is no column any more",
            ),
            ("{kind = \"cross\", columns = [\"b.c\"]}", "encode[0]: one column has no combinations"),
        ] {
            says(added(&encode(wrong)), &["pipeline.x.model.encode", part]);
        }
    }

    #[test]
    fn keys_of_an_encoder_are_checked_as_all_keys_are() {
        says(
            added(&encode("{kind = \"standardize\"}")),
            &["encode[0].kind", "did you mean \"standardise\"?"],
        );
        says(added(&encode("{kind = \"clip\", tail = 0.7}")), &["encode[0].tail = 0.7", "from 0 to 0.5"]);
        says(added(&encode("{columns = []}")), &["encode[0].kind", "missing"]);
    }
}
