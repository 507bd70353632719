//! What wraps learners fits what it wraps: a rate that is raised is there, and a race is over keys that the family has.

use super::fault::nearest_word;
use super::rules::Report;
use super::walk::expected;
use crate::config::json_schema::{Key, Kind, NAME, leaves};
use crate::config::{DriftResponse, LearnerKind, ModelConfig, RaceKey};

pub(super) fn check(name: &str, model: &ModelConfig, report: &mut Report<'_>) {
    let has_rate = matches!(model.learner, LearnerKind::Linear | LearnerKind::Mlp);
    if model.adapt.response == DriftResponse::RaiseRate && !has_rate {
        let problem = format!("{:?} has no rate that could be raised", model.learner.name());
        let expected = "the learner \"linear\" or \"mlp\", or another response: \"background\" or \"reset\"";
        report.fault(&["pipeline", name, "model", "adapt", "response"], problem, expected);
    }
    if model.learner == LearnerKind::Race {
        race(name, model, report);
    }
}

fn race(name: &str, model: &ModelConfig, report: &mut Report<'_>) {
    let family = model.race.learner;
    let keys = numbers(family);
    if keys.is_empty() || matches!(family, LearnerKind::Auto | LearnerKind::Race) {
        let path = ["pipeline", name, "model", "race", "learner"];
        let expected = "a family with settings of its own, such as \"linear\", \"mlp\" or \"arf\"";
        report.fault(&path, format!("{:?} has nothing that could be raced", family.name()), expected);
        return;
    }
    let path = ["pipeline", name, "model", "race", "space"];
    for (index, range) in model.race.space.iter().enumerate() {
        let RaceKey { key, min, max, log } = range;
        let at = format!("space[{index}]");
        let Some((_, known)) = keys.iter().find(|(name, _)| name == key) else {
            let all: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
            let nearest = nearest_word(key, all.iter().copied());
            let problem = format!("{at}: {key:?} is no number of model.{}", family.section());
            report.suggest(&path, problem, format!("one of {}", all.join(", ")), nearest);
            continue;
        };
        if model.race.space[..index].iter().any(|other| other.key == *key) {
            report.fault(&path, format!("{at}: {key:?} twice"), "each key once");
        }
        if min >= max {
            report.fault(&path, format!("{at}: min = {min} is not below max = {max}"), "min below max");
        } else if *log && *min <= 0.0 {
            let problem = format!("{at}: min = {min} has no logarithm");
            report.fault(&path, problem, "min above 0, or log = false");
        } else if !within(*known, *min) || !within(*known, *max) {
            let problem = format!("{at}: {key} from {min} to {max} is out of its range");
            report.fault(&path, problem, expected(*known));
        }
    }
}

/// The keys of a family's section that take a number and may differ between learners that race.
fn numbers(family: LearnerKind) -> Vec<(&'static str, Key<'static>)> {
    let mut found = Vec::new();
    for leaf in leaves() {
        let ["pipeline", NAME, "model", section, key] = leaf.path[..] else { continue };
        // Mini-batches of different sizes cannot learn the same rows side by side.
        let fits = section == family.section() && key != "step_rows_max";
        if fits && matches!(leaf.key.kind(), Kind::Whole | Kind::Number) {
            found.push((key, leaf.key));
        }
    }
    found
}

fn within(key: Key<'_>, number: f64) -> bool {
    key.number("minimum").is_none_or(|min| number >= min)
        && key.number("maximum").is_none_or(|max| number <= max)
        && key.number("exclusiveMinimum").is_none_or(|min| number > min)
        && key.number("exclusiveMaximum").is_none_or(|max| number < max)
}

#[cfg(test)]
mod tests {
    use crate::config::check::tests::{added, faults, fixture, says};

    #[test]
    fn a_rate_is_raised_where_there_is_one() {
        let text = |learner: &str| {
            format!("[pipeline.x.model]\nlearner = \"{learner}\"\nadapt.response = \"raise_rate\"\n")
        };
        for learner in ["linear", "mlp"] {
            assert_eq!(faults(&(fixture() + &text(learner))), [], "{learner}");
        }
        says(
            added(&text("arf")),
            &["model.adapt.response", "\"arf\" has no rate that could be raised", "\"linear\" or \"mlp\""],
        );
    }

    fn race(learner: &str, space: &str) -> String {
        format!(
            "[pipeline.x.model]\nlearner = \"race\"\n[pipeline.x.model.race]\nlearner = \"{learner}\"\nspace = [{space}]\n"
        )
    }

    #[test]
    fn a_race_is_over_numbers_of_its_family() {
        let rate = "{key = \"rate\", min = 0.01, max = 1, log = true}";
        for (learner, space) in [
            ("linear", rate.to_owned()),
            ("mlp", format!("{rate}, {{key = \"weight_decay\", min = 0, max = 0.5}}")),
            ("arf", "{key = \"grace_period\", min = 10, max = 500, log = true}".to_owned()),
        ] {
            assert_eq!(faults(&(fixture() + &race(learner, &space))), [], "{learner}");
        }
        assert_eq!(faults(&(fixture() + "[pipeline.x.model]\nlearner = \"race\"\n")), []);
        for (learner, space, part) in [
            ("auto", rate, "\"auto\" has nothing that could be raced"),
            ("majority", rate, "\"majority\" has nothing that could be raced"),
            ("linear", "{key = \"rates\", min = 0.01, max = 1}", "did you mean \"rate\"?"),
            ("linear", "{key = \"step\", min = 0.01, max = 1}", "\"step\" is no number of model.linear"),
            ("mlp", "{key = \"step_rows_max\", min = 1, max = 10}", "\"step_rows_max\" is no number"),
            ("linear", "{key = \"rate\", min = 1, max = 0.1}", "min = 1 is not below max = 0.1"),
            ("linear", "{key = \"rate\", min = 0, max = 0.1, log = true}", "has no logarithm"),
            ("linear", "{key = \"rate\", min = 0.1, max = 1000}", "out of its range"),
        ] {
            says(added(&race(learner, space)), &["pipeline.x.model.race", part]);
        }
        let twice = race("linear", &format!("{rate}, {rate}"));
        says(added(&twice), &["\"rate\" twice"]);
        says(added(&race("linear", "")), &["race.space", "0 items"]);
    }
}
