//! Files with one thing wrong, and the faults between keys; those of single keys are under `walk`.

use super::Fault;
use crate::config::Config;

/// A file with nothing in it but what is required.
pub(in crate::config) fn fixture() -> String {
    "[pipeline.x]
events = {topic = \"x.events\", id = \"id\"}
labels = {topic = \"x.labels\"}
outputs = {predictions = \"x.predictions\", alerts = \"x.alerts\", dead_letters = \"x.dead_letters\"}
[pipeline.x.schema]
task = \"binary\"
classes = [\"0\", \"1\"]
features = {a = \"numeric\", \"b.c\" = \"categorical\"}
"
    .into()
}

pub(super) fn faults(text: &str) -> Vec<Fault> {
    match Config::parse(text, []) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults().to_vec(),
    }
}

/// The one fault of the fixture after `from` became `to`, which is there once.
pub(super) fn changed(from: &str, to: &str) -> String {
    let text = fixture();
    assert_eq!(text.matches(from).count(), 1, "{from:?} is not there once");
    one(&text.replace(from, to))
}

/// The one fault of the fixture with `more` below it.
pub(super) fn added(more: &str) -> String {
    one(&(fixture() + more))
}

pub(super) fn one(text: &str) -> String {
    match &faults(text)[..] {
        [fault] => fault.to_string(),
        faults => panic!("expected one fault, found {faults:#?} in:\n{text}"),
    }
}

#[track_caller]
pub(super) fn says(fault: String, parts: &[&str]) {
    for part in parts {
        assert!(fault.contains(part), "{part:?} is not in {fault:?}");
    }
}

#[test]
fn all_faults_between_keys_are_found_at_once() {
    let text = fixture()
        .replace("labels = {topic = \"x.labels\"}", "")
        .replace("[\"0\", \"1\"]", "[\"0\"]")
        .replace("x.alerts", "x.predictions")
        + "[http]\nlisten = \"here\"\n";
    let keys: Vec<_> = faults(&text).into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["pipeline.x", "pipeline.x.outputs.alerts", "pipeline.x.schema.classes", "http.listen"]);
}

#[test]
fn labels_come_from_exactly_one_place() {
    says(changed("labels = {topic = \"x.labels\"}", ""), &["pipeline.x (line 1): no labels", "events.label"]);
    says(
        changed("id = \"id\"", "label = \"y\""),
        &["events.label = \"y\" (line 2)", "either labels.topic or events.label"],
    );
}

#[test]
fn classes_fit_the_task() {
    let classes = "classes = [\"0\", \"1\"]";
    says(changed(classes, ""), &["schema.classes (line 5): 0 declared, expected exactly two classes"]);
    says(changed(classes, "classes = [\"a\", \"b\", \"c\"]"), &["3 declared, expected exactly two"]);
    says(changed(classes, "classes = [\"a\", \"a\"]"), &["class \"a\" twice"]);
    says(changed(classes, "classes = [\"\", \"a\"]"), &["class \"\", expected classes of 1 to 256 bytes"]);
    says(changed("\"binary\"", "\"regression\""), &["2 declared, expected no classes"]);
    let multiclass = fixture().replace("\"binary\"", "\"multiclass\"");
    says(one(&multiclass.replace(classes, "classes = [\"a\"]")), &["1 declared", "two and more"]);
    assert_eq!(faults(&multiclass.replace(classes, "")), []);
    assert_eq!(faults(&fixture().replace("\"binary\"", "\"regression\"").replace(classes, "")), []);
}

#[test]
fn a_learner_fits_the_task() {
    let learner = |name: &str| format!("[pipeline.x.model]\nlearner = {name:?}\n");
    let regression =
        fixture().replace("classes = [\"0\", \"1\"]\n", "").replace("\"binary\"", "\"regression\"");
    for name in ["majority", "naive_bayes"] {
        says(one(&(regression.clone() + &learner(name))), &["model.learner", "in a regression"]);
        assert_eq!(faults(&(fixture() + &learner(name))), []);
    }
    says(one(&(fixture() + &learner("mean"))), &["model.learner", "such as \"majority\""]);
    for name in [
        "mean",
        "no_change",
        "knn",
        "sam_knn",
        "ftrl",
        "hoeffding_tree",
        "hoeffding_adaptive_tree",
        "arf",
        "srp",
    ] {
        assert_eq!(faults(&(regression.clone() + &learner(name))), []);
    }
}

#[test]
fn crosses_are_of_features_that_there_are() {
    let crosses = |pairs: &str| format!("[pipeline.x.model.ftrl]\ncrosses = [{pairs}]\n");
    assert_eq!(faults(&(fixture() + &crosses("\"a*b.c\", \"b.c*b.c\""))), []);
    for wrong in ["\"a\"", "\"a*b\"", "\"a b.c\""] {
        says(one(&(fixture() + &crosses(wrong))), &["model.ftrl.crosses", "names no two features"]);
    }
}

#[test]
fn a_feature_is_neither_the_id_nor_the_label_nor_the_weight() {
    says(changed("id = \"id\"", "id = \"a\""), &["schema.features.a = \"numeric\"", "also events.id"]);
    says(changed("id = \"id\"", "id = \"/a\""), &["also events.id"]);
    says(changed("id = \"id\"", "weight = \"b.c\""), &["schema.features.\"b.c\"", "also events.weight"]);
    says(changed("id = \"id\"", "features = \"after\", id = \"/after/a\""), &["also events.id"]);
    assert_eq!(faults(&fixture().replace("id = \"id\"", "features = \"after\", id = \"a\"")), []);
    assert_eq!(faults(&fixture().replace("id = \"id\"", "id = \"header:a\", key = \"a\"")), []);
    says(changed("a = \"numeric\"", "\"\" = \"numeric\""), &["schema.features.\"\"", "1 to 256 bytes"]);
}

#[test]
fn places_are_places_and_not_used_twice() {
    says(
        changed("id = \"id\"", "id = \"header:\""),
        &["events.id = \"header:\" (line 2): not a place", "a header's name"],
    );
    says(changed("id = \"id\"", "time = \"/a~2\""), &["events.time", "\"~0\" for ~"]);
    says(
        changed("id = \"id\"", "features = \"header:x\""),
        &["events.features", "a header holds no features"],
    );
    says(
        changed("id = \"id\"", "id = \"id\", weight = \"/id\""),
        &["events.weight = \"/id\"", "already the place of id"],
    );
    assert_eq!(faults(&fixture().replace("id = \"id\"", "id = \"id\", key = \"id\", time = \"t\"")), []);
}

#[test]
fn names_of_pipelines_are_plain_words() {
    let named = |name: &str| one(&fixture().replace("pipeline.x", &format!("pipeline.{name:?}")));
    says(named("a b"), &["pipeline.\"a b\" (line 1): not a name", "1 to 64 letters"]);
    says(named("../x"), &["not a name"]);
    says(named(&"x".repeat(65)), &["not a name"]);
}

#[test]
fn addresses_brokers_and_levels_are_read() {
    for wrong in ["8080", "localhost", "localhost:99999", ":8080", "http://localhost:80"] {
        says(added(&format!("[http]\nlisten = {wrong:?}\n")), &["http.listen", "host:port"]);
    }
    for right in ["localhost:0", "0.0.0.0:8080", "[::1]:8080"] {
        assert_eq!(faults(&(fixture() + &format!("[http]\nlisten = {right:?}\n"))), []);
    }
    says(added("[kafka]\nbrokers = \"a:1,b\"\n"), &["kafka.brokers", "\"b\" is no broker"]);
    says(added("[kafka]\nbrokers = \"a:0\"\n"), &["\"a:0\" is no broker"]);
    says(added("[kafka]\nbrokers = \"\"\n"), &["kafka.brokers", "at least one character"]);
    says(added("[log]\nlevel = \"inof\"\n"), &["\"inof\" is no level", "did you mean \"info\"?"]);
    says(added("[log]\nlevel = \"info,tidewheel::journal=loud\"\n"), &["\"loud\" is no level"]);
    assert_eq!(faults(&(fixture() + "[log]\nlevel = \"info,tidewheel::journal=debug\"\n")), []);
}

#[test]
fn properties_that_the_process_sets_itself_are_refused() {
    says(
        added("[kafka.properties]\n\"bootstrap.servers\" = \"a:1\"\n"),
        &["kafka.properties.\"bootstrap.servers\" = \"a:1\" (line 10)", "the key kafka.brokers instead"],
    );
    says(added("[kafka.properties]\nacks = \"0\"\n"), &["set by the process itself"]);
    says(
        added("[kafka.properties]\n\"sasl.password\" = 1234\n"),
        &["\"sasl.password\" = *** (line 10): expected a text"],
    );
    says(added("[kafka]\nsasl_password = \"hunter2\"\n"), &["kafka.sasl_password = ***", "unknown key"]);
}

#[test]
fn the_join_fits_its_memory_and_its_task() {
    says(
        added("[pipeline.x.join]\nrows_max = 1000\n"),
        &["join.rows_max = 1000 (line 10): less than memory_rows_max = 200000, its default"],
    );
    says(
        added("[pipeline.x.join]\nrows_max = 10\nmemory_rows_max = 11\n"),
        &["join.memory_rows_max = 11 (line 11): more than rows_max = 10"],
    );
    let negative = "[pipeline.x.join]\non_timeout = \"negative\"\n";
    assert_eq!(faults(&(fixture() + negative)), []);
    let multiclass = fixture().replace("\"binary\"", "\"multiclass\"");
    says(one(&(multiclass + negative)), &["join.on_timeout = \"negative\" (line 10)", "expected \"drop\""]);
}

#[test]
fn a_quality_threshold_fits_the_task_and_can_be_resolved() {
    let quality = |more: &str| format!("[pipeline.x.monitor.quality]\nenabled = true\n{more}\n");
    assert_eq!(faults(&(fixture() + &quality("metric = \"auc\""))), []);
    assert_eq!(faults(&(fixture() + "[pipeline.x.monitor.quality]\nmetric = \"mae\"\n")), [], "it is off");
    says(
        added(&quality("metric = \"mae\"")),
        &["quality.metric = \"mae\" (line 11)", "\"accuracy\", \"logloss\" or \"auc\""],
    );
    let regression =
        fixture().replace("\"binary\"", "\"regression\"").replace("classes = [\"0\", \"1\"]", "");
    says(one(&(regression.clone() + &quality(""))), &["quality.metric (line 9)", "expected \"mae\""]);
    assert_eq!(faults(&(regression + &quality("metric = \"mae\"\nthreshold = 50"))), []);
    let multiclass = fixture().replace("\"binary\"", "\"multiclass\"");
    says(one(&(multiclass + &quality("metric = \"auc\""))), &["\"accuracy\" or \"logloss\""]);
    says(added(&quality("threshold = 1.5")), &["quality.threshold = 1.5", "from 0 to 1"]);
    says(
        added(&quality("threshold = 0.99\nhysteresis = 0.02")),
        &["quality.hysteresis = 0.02", "can be resolved"],
    );
    says(
        added(&quality("metric = \"logloss\"\nthreshold = 0.1\nhysteresis = 0.2")),
        &["can be resolved", "at most 0.1"],
    );
}

#[test]
fn zero_switches_a_period_off_and_checkpoints_keep_one() {
    let config = Config::parse(&(fixture() + "[pipeline.x.version]\nevery_ms = 0\n"), []).unwrap();
    assert_eq!(config.pipeline["x"].version.every_ms, None);
    says(
        added("[pipeline.x.checkpoint]\nevery_ms = 0\n"),
        &["checkpoint.every_ms = 0 (line 10): no checkpoint is ever taken"],
    );
    assert_eq!(faults(&(fixture() + "[pipeline.x.checkpoint]\nevery_ms = 0\nevery_examples = 5\n")), []);
}
