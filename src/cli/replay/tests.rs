use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;

use super::*;
use crate::config::ColumnKind;
use crate::testing::SplitMix;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// A folder with a file in it.
struct Stand {
    dir: tempfile::TempDir,
}

impl Stand {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        let stand = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::write(stand.path("s.csv"), bytes).unwrap();
        stand
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn replay(&self, more: &[&str]) -> Result<Replayed, String> {
        replay_file(&self.path("s.csv"), more)
    }

    #[track_caller]
    fn refused(&self, more: &[&str], parts: &[&str]) {
        let error = self.replay(more).expect_err("the replay is refused");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}

fn args(file: &Path, more: &[&str]) -> Args {
    let file = file.to_str().unwrap();
    Cli::try_parse_from(["replay", file].iter().chain(more)).unwrap().args
}

fn replay_file(file: &Path, more: &[&str]) -> Result<Replayed, String> {
    replay(&args(file, more)).map_err(|failure| failure.to_string())
}

fn elec2() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("loadgen/data/elec2.csv.gz")
}

fn of_elec2(more: &[&str]) -> Report {
    replay_file(&elec2(), more).unwrap().report
}

/// Two classes by a line through the plane.
fn plane(rows: usize) -> String {
    let mut random = SplitMix(4);
    let mut csv = "a,b,class\n".to_owned();
    for _ in 0..rows {
        let (a, b) = (random.unit(), random.unit());
        let class = if a > b { "yes" } else { "no" };
        let _ = writeln!(csv, "{a:.4},{b:.4},{class}");
    }
    csv
}

/// What `examples/streams.rs` prints for the same learner on the same file, ../shared/ANCHORS.md for the baselines.
#[test]
fn elec2_has_the_scores_that_the_learner_has_elsewhere() {
    let report = of_elec2(&["--learner", "linear"]);
    let metric = |name| report.metric(name).unwrap();
    assert_eq!((report.rows, report.task, report.label_delay), (45_312, Task::Binary, 0));
    assert_eq!(format!("{:.4} {:.4} {:.4}", metric("accuracy"), metric("kappa"), metric("logloss")), GOLDEN);
    assert_eq!(format!("{:.3}", report.baselines["no_change"]["accuracy"].as_f64().unwrap()), "0.853");
    assert_eq!(format!("{:.3}", report.baselines["majority"]["accuracy"].as_f64().unwrap()), "0.575");
}

const GOLDEN: &str = "0.8616 0.7148 0.3376";

#[test]
fn under_a_label_delay_the_baselines_are_late_too() {
    // ../shared/ANCHORS.md: no-change of elec2 at delay 1, 7 and 100.
    for (delay, expected) in [("1", "0.796"), ("7", "0.589"), ("100", "0.540")] {
        let report = of_elec2(&["--label-delay", delay, "--learner", "majority"]);
        let no_change = report.baselines["no_change"]["accuracy"].as_f64().unwrap();
        assert_eq!(format!("{no_change:.3}"), expected, "delay {delay}");
        // Before the first label the baseline says nothing and the learner the first class.
        let baseline = report.baselines["majority"]["accuracy"].as_f64().unwrap();
        let more = (report.metric("accuracy").unwrap() - baseline) * report.rows as f64;
        assert!((-0.5..=delay.parse::<f64>().unwrap() + 1.5).contains(&more), "{more} rows at delay {delay}");
    }
}

#[test]
fn the_same_rows_have_the_same_digest_and_other_settings_another() {
    let stand = Stand::new(plane(3_000));
    let digest = |more: &[&str]| stand.replay(more).unwrap().report.digest;
    let first = digest(&["--learner", "arf"]);
    assert_eq!(first, digest(&["--learner", "arf"]));
    assert_ne!(first, digest(&["--learner", "arf", "--set", "seed = 2"]));
    assert_ne!(first, digest(&["--learner", "arf", "--batch", "10"]));
}

#[test]
fn the_order_of_the_columns_cannot_matter() {
    let swapped: Vec<String> = plane(2_000)
        .lines()
        .map(|line| {
            let cells: Vec<_> = line.split(',').collect();
            format!("{},{},{}\n", cells[1], cells[2], cells[0])
        })
        .collect();
    let other = Stand::new(swapped.concat()).replay(&["--target", "class"]).unwrap().report;
    assert_eq!(Stand::new(plane(2_000)).replay(&[]).unwrap().report.digest, other.digest);
}

#[test]
fn a_report_has_the_keys_that_others_read() {
    let report = Stand::new(plane(1_000)).replay(&["--label-delay", "3", "--batch", "2"]).unwrap().report;
    let json = serde_json::to_value(&report).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    for key in [
        "rows",
        "task",
        "learner",
        "label_delay",
        "metrics",
        "baselines",
        "drifts",
        "cpu_seconds",
        "rows_per_cpu_second",
        "peak_rss_bytes",
        "digest",
        "curve",
        "recovery",
        "schema",
        "bad_rows",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
    }
    assert_eq!(
        (json["rows"].as_u64(), json["label_delay"].as_u64(), json["batch"].as_u64()),
        (Some(1_000), Some(3), Some(2))
    );
    for metric in ["accuracy", "kappa", "kappa_temporal", "auc", "logloss"] {
        assert!(json["metrics"][metric].is_f64(), "{metric} of {json}");
    }
    assert!(report.metric("accuracy").unwrap() > 0.9);
    assert_eq!(report.curve.last().unwrap().row, 1_000);
    assert!(report.measured.peak_rss_bytes > 0);
}

#[test]
fn a_continuous_target_is_a_regression() {
    let mut random = SplitMix(2);
    let mut csv = "a,b,y\n".to_owned();
    for _ in 0..4_000 {
        let (a, b) = (random.unit(), random.unit());
        let _ = writeln!(csv, "{a},{b},{}", 10.0 + 3.0 * a - 2.0 * b);
    }
    let stand = Stand::new(csv);
    let report = stand.replay(&[]).unwrap().report;
    assert_eq!(report.task, Task::Regression);
    assert!(report.metric("r2").unwrap() > 0.9, "{:?}", report.metrics);
    assert!(report.metric("mae").unwrap() < report.baselines["mean"]["mae"].as_f64().unwrap());
    assert!(report.metric("rmse").is_some() && report.metric("accuracy").is_none());
    stand.refused(&["--learner", "majority"], &["no classes to count in a regression", "mean"]);
}

#[test]
fn times_and_texts_are_learned_from() {
    let mut random = SplitMix(3);
    let mut csv = "when,text,shop,class\n".to_owned();
    for row in 0..6_000_u64 {
        let (day, hour) = (row / 24 % 28 + 1, row % 24);
        let good = random.below(2) == 0;
        let word = if good { "lovely warm bread" } else { "cold and stale bread" };
        // In the morning all is as the text says, later the other way round: only both together tell.
        let class = if hour < 12 { 1 } else { u64::from(good) };
        let _ = writeln!(
            csv,
            "2026-01-{day:02} {hour:02}:00:00,{word} of batch number {row},s{},{class}",
            row % 3
        );
    }
    let report = Stand::new(csv).replay(&[]).unwrap().report;
    let kinds: Vec<ColumnKind> = report.schema.features.values().copied().collect();
    assert_eq!(kinds, [ColumnKind::Categorical, ColumnKind::Text, ColumnKind::Time]);
    let (accuracy, majority) =
        (report.metric("accuracy").unwrap(), &report.baselines["majority"]["accuracy"]);
    assert!(accuracy > 0.9 && majority.as_f64().unwrap() < 0.8, "{accuracy} and {majority}");
}

#[test]
fn a_bad_row_ends_the_replay_or_is_left_out_and_counted() {
    let mut lines: Vec<String> = plane(500).lines().map(|line| format!("{line}\n")).collect();
    lines[100] = "abc,0.5,yes\n".into();
    lines[200] = "0.5,0.5\n".into();
    lines[300] = "0.5,0.5,?\n".into();
    let stand = Stand::new(lines.concat());
    stand.refused(&[], &["s.csv: line 101, column 1 \"a\": wrong type: abc; expected a number"]);
    let replayed = stand.replay(&["--on-bad-row", "skip"]).unwrap();
    assert_eq!((replayed.report.rows, replayed.report.bad_rows), (497, 3));
    let said: Vec<String> = replayed.bad_rows.iter().map(ToString::to_string).collect();
    assert!(said[1].starts_with("line 201: it has 2 cells; expected 3"), "{said:?}");
    assert!(said[2].contains("label missing: ?"), "{said:?}");
    // What is left out leaves no trace.
    let good: Vec<String> =
        (0..=500).filter(|at| ![100, 200, 300].contains(at)).map(|at| lines[at].clone()).collect();
    assert_eq!(Stand::new(good.concat()).replay(&[]).unwrap().report.digest, replayed.report.digest);
}

#[test]
fn files_that_are_none_are_refused_by_name() {
    let missing = replay_file(Path::new("no/such.csv"), &[]).unwrap_err();
    assert!(missing.starts_with("cannot read no/such.csv: "), "{missing}");
    Stand::new("").refused(&[], &["s.csv: it is empty"]);
    Stand::new("a,b,class\n").refused(&[], &["it has no rows"]);
    Stand::new("a,b,a\n1,2,3\n").refused(&[], &["line 1: columns 1 and 3 are both named \"a\""]);
    Stand::new(plane(9))
        .refused(&["--target", "clas"], &["target \"clas\" is not in the header", "did you mean \"class\"?"]);
    Stand::new("class\n1\n2\n").refused(&[], &["only the column \"class\""]);
    Stand::new(b"a,b,class\n1,\xff\xfe,x\n2,ok,y\n").refused(&[], &["line 2, column 2 \"b\": invalid utf-8"]);
    let folder = tempfile::tempdir().unwrap();
    let said = replay_file(folder.path(), &[]).unwrap_err();
    assert!(said.contains("is no regular file"), "{said}");
    Stand::new(b"\xff\xfea\0,\0b\0\n\0").refused(&[], &["it is utf-16 text", "iconv"]);
    Stand::new("a,class\n1,x\n2,x\n").refused(&[], &["target \"class\": all rows say \"x\""]);
}

#[test]
fn a_bad_row_has_the_line_that_an_editor_shows() {
    let rows: Vec<String> = (0..60).map(|i| format!("{},{}\r\n", i % 7, i % 2)).collect();
    let text = |bad: &str| format!("a,class\r\n\r\n{}{bad}\r\n{}", rows.concat(), rows.concat());
    Stand::new(text("x1,1")).refused(&[], &["line 63, column 1 \"a\": wrong type: x1"]);
    Stand::new(text("1,\"a\r\nb\",2")).refused(&[], &["line 63: it has 3 cells", "it goes on to line 64"]);
}

#[test]
fn files_as_spreadsheets_write_them_are_read() {
    // A byte-order mark, semicolons, decimal commas, CRLF, a comma in a quoted name, 1 and 1,0 for one class.
    let mut csv = "\u{feff}\"size, m\";weight;class\r\n".to_owned();
    for i in 0..400 {
        let class = if i % 3 == 0 { "1" } else { "0" };
        let _ = write!(csv, "{},5;{};{class}\r\n", i % 10, if i % 3 == 0 { "2,5" } else { "1,5" });
    }
    let report = Stand::new(csv).replay(&["--learner", "naive_bayes"]).unwrap().report;
    assert_eq!((report.rows, report.task), (400, Task::Binary));
    assert!(report.schema.features.values().all(|kind| *kind == ColumnKind::Numeric), "{:?}", report.schema);
    assert!(report.schema.features.contains_key("size, m"));
    assert!(report.metric("accuracy").unwrap() > 0.95);
}

#[test]
fn a_class_in_two_spellings_is_one() {
    let rows: Vec<String> = (0..100).map(|i| format!("{},{}\n", i % 5, ["0", "1", "1.0"][i % 3])).collect();
    let report = Stand::new(format!("a,y\n{}", rows.concat())).replay(&[]).unwrap().report;
    assert_eq!((report.rows, report.schema.classes), (100, vec!["0".into(), "1".into()]));
}

#[test]
fn a_column_that_begins_empty_is_what_it_becomes_and_an_empty_one_is_noted() {
    let row = |i: usize| format!("{},,{},{}\n", i % 7, if i < 21_000 { "" } else { "red" }, i % 2);
    let rows: Vec<String> = (0..21_500).map(row).collect();
    let stand = Stand::new(format!("a,none,colour,class\n{}", rows.concat()));
    let replayed = stand.replay(&["--learner", "majority"]).unwrap();
    assert_eq!(replayed.report.schema.features["colour"], ColumnKind::Categorical);
    assert_eq!(replayed.report.notes, ["\"none\" has no value in any row: nothing is learned from it"]);
    let text = table::Table { file: &stand.path("s.csv"), replayed: &replayed }.to_string();
    assert!(text.contains("  note: \"none\" has no value"), "{text}");
}

#[test]
fn a_torn_gzip_file_is_named_with_the_line_that_it_reached() {
    let whole = std::fs::read(elec2()).unwrap();
    let stand = Stand::new(&whole[..whole.len() / 2]);
    stand.refused(&[], &["cannot be read on after line ", "expected a whole file"]);
    stand.refused(&["--on-bad-row", "skip"], &["cannot be read on after line "]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&whole[..]), &mut text).unwrap();
    assert_eq!(
        Stand::new(text).replay(&["--learner", "majority"]).unwrap().report.digest,
        of_elec2(&["--learner", "majority"]).digest,
        "gzipped or not"
    );
}

#[test]
fn a_wrong_learner_or_setting_is_refused_with_the_nearest() {
    let stand = Stand::new(plane(100));
    stand.refused(
        &["--learner", "liner"],
        &["model.learner = \"liner\" (from --learner)", "did you mean \"linear\"?"],
    );
    stand.refused(&["--learner", "mean"], &["no values to take the mean of", "majority"]);
    stand.refused(&["--set", "knn.windw = 1"], &["did you mean \"window\"?"]);
    let set = stand.replay(&["--learner", "knn", "--set", "knn.k = 1"]).unwrap().report;
    assert_eq!(set.learner, "knn");
}

#[test]
fn a_configuration_says_schema_model_and_target() {
    let stand = Stand::new("id,b,label,a,other\n1,2.5,no,0,x\n2,1.5,yes,1,y\n3,2.5,no,0,z\n");
    let config = "[pipeline.x]
events = {topic = \"x.events\", id = \"id\", label = \"label\"}
outputs = {predictions = \"x.predictions\", alerts = \"x.alerts\", dead_letters = \"x.dead_letters\"}
[pipeline.x.schema]
task = \"binary\"
classes = [\"no\", \"yes\"]
features = {a = \"categorical\", b = \"numeric\"}
[pipeline.x.model]
learner = \"naive_bayes\"
";
    let path = stand.path("c.toml");
    std::fs::write(&path, config).unwrap();
    let path = path.to_str().unwrap();
    let report = stand.replay(&["--config", path]).unwrap().report;
    assert_eq!((report.target.as_str(), report.learner.as_str(), report.rows), ("label", "naive_bayes", 3));
    let features: Vec<_> = report.schema.features.keys().collect();
    assert_eq!(features, ["a", "b"], "other columns are passed over");
    assert_eq!(stand.replay(&["--config", path, "--learner", "knn"]).unwrap().report.learner, "knn");
    stand.refused(&["--config", path, "--target", "a"], &["target \"a\" is also a feature"]);
    stand.refused(&["--config", "no/such.toml"], &["cannot read the configuration no/such.toml"]);
    std::fs::write(path, config.replace("b = \"numeric\"", "c = \"numeric\"")).unwrap();
    stand.refused(&["--config", path], &["feature \"c\" is not in the header"]);
}

#[test]
fn classes_are_discovered_where_the_configuration_declares_none() {
    let stand = Stand::new("a,label\n1,x\n2,y\n3,z\n1,x\n");
    let config = "[pipeline.x]
events = {topic = \"x.events\", label = \"label\"}
outputs = {predictions = \"x.predictions\", alerts = \"x.alerts\", dead_letters = \"x.dead_letters\"}
[pipeline.x.schema]
task = \"multiclass\"
classes_max = 2
features = {a = \"numeric\"}
";
    let path = stand.path("c.toml");
    std::fs::write(&path, config).unwrap();
    let path = path.to_str().unwrap();
    stand.refused(
        &["--config", path],
        &["line 4, column 2 \"label\": label not declared: z; expected one of 2 classes"],
    );
    let replayed = stand.replay(&["--config", path, "--on-bad-row", "skip"]).unwrap();
    assert_eq!((replayed.report.rows, replayed.report.bad_rows), (3, 1));
}

#[test]
fn the_table_and_the_plot_say_what_the_report_says() {
    let stand = Stand::new(plane(5_000));
    let replayed = stand.replay(&[]).unwrap();
    let file = stand.path("s.csv");
    let text = table::Table { file: &file, replayed: &replayed }.to_string();
    let accuracy = format!("{:.4}", replayed.report.metric("accuracy").unwrap());
    for part in [
        "5000 rows   features: 2 numeric   target \"class\": 2 classes",
        &accuracy,
        "no-change",
        "kappa-temporal",
        "at the end",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let svg = plot(&replayed.report, "a < b");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("a &lt; b"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn out_of_range_arguments_are_refused() {
    for wrong in [["--batch", "0"], ["--label-delay", "-1"], ["--on-bad-row", "stop"], ["--task", "x"]] {
        assert!(Cli::try_parse_from(["replay", "f.csv"].iter().chain(&wrong)).is_err(), "{wrong:?}");
    }
}
